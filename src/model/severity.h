// How bad a line says it is, and how many of each a batch holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pmx {

enum class Severity : std::uint8_t {
  kTrace,
  kDebug,
  kInfo,  // Also every line that says nothing.
  kWarn,
  kError,
  kFatal,
};

std::string_view name_of(Severity severity);  // "trace" … "fatal"
// "warn", "warning", "WARN", "err", "critical" … as users and loggers spell them; nullopt: no level.
std::optional<Severity> parse_severity(std::string_view text);

// Counts of one batch as the index stores them; info is the rest. Trace counts as debug.
// `unreadable`: lines that begin with '{' and are not JSON.
struct SeverityCounts {
  std::uint16_t debug = 0;
  std::uint16_t warn = 0;
  std::uint16_t error = 0;
  std::uint16_t fatal = 0;
  std::uint16_t unreadable = 0;
  bool operator==(const SeverityCounts&) const = default;
  void add(Severity severity) {
    switch (severity) {
      case Severity::kTrace:
      case Severity::kDebug:
        ++debug;
        break;
      case Severity::kInfo:
        break;
      case Severity::kWarn:
        ++warn;
        break;
      case Severity::kError:
        ++error;
        break;
      case Severity::kFatal:
        ++fatal;
        break;
    }
  }
};

}  // namespace pmx
