#include "model/severity.h"

#include <algorithm>
#include <array>

namespace pmx {
namespace {

struct Name {
  std::string_view text;
  Severity severity;
};
constexpr std::array kNames{
    Name{"trace", Severity::kTrace},      Name{"silly", Severity::kTrace},
    Name{"verbose", Severity::kDebug},    Name{"debug", Severity::kDebug},
    Name{"dbg", Severity::kDebug},        Name{"info", Severity::kInfo},
    Name{"information", Severity::kInfo}, Name{"inf", Severity::kInfo},
    Name{"log", Severity::kInfo},         Name{"notice", Severity::kInfo},
    Name{"http", Severity::kInfo},        Name{"warn", Severity::kWarn},
    Name{"warning", Severity::kWarn},     Name{"wrn", Severity::kWarn},
    Name{"error", Severity::kError},      Name{"err", Severity::kError},
    Name{"severe", Severity::kError},     Name{"fatal", Severity::kFatal},
    Name{"ftl", Severity::kFatal},        Name{"critical", Severity::kFatal},
    Name{"crit", Severity::kFatal},       Name{"alert", Severity::kFatal},
    Name{"emerg", Severity::kFatal},      Name{"emergency", Severity::kFatal},
    Name{"panic", Severity::kFatal},      Name{"dpanic", Severity::kFatal},
};

bool equal_ignoring_case(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() &&
         std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? static_cast<char>(x + 32) : x) == y;
         });
}

}  // namespace

std::string_view name_of(Severity severity) {
  constexpr std::array<std::string_view, 6> kText{"trace", "debug", "info",
                                                  "warn",  "error", "fatal"};
  return kText[static_cast<std::size_t>(severity)];
}

std::optional<Severity> parse_severity(std::string_view text) {
  if (text.size() < 3 || text.size() > 11) return std::nullopt;
  for (const Name& name : kNames)
    if (equal_ignoring_case(text, name.text)) return name.severity;
  return std::nullopt;
}

}  // namespace pmx
