#include "supervisor/echo_style.h"

#include <array>

#include "base/json.h"
#include "base/time_text.h"
#include "rotate/segment_reader.h"

namespace pmx::supervisor {
namespace {

constexpr std::array<std::string_view, 4> kNames{"raw", "json", "format", "formatted"};
constexpr std::size_t kNameWidth = 8;

std::string worker_text(const rotate::LogLine& line) {
  return line.worker == rotate::kUnknownWorker ? "?" : std::to_string(line.worker.value);
}

std::string_view type_of(const rotate::LogLine& line) {
  return line.dropped_notice ? std::string_view("pmx") : name_of(line.kind);
}

std::string json_text(std::string_view app_name, const rotate::LogLine& line) {
  // With log_type json the file has this very object.
  if (line.render == RenderSpec::Kind::kJson) return std::string(line.text);
  return Json::object({{"message", without_date(line)},
                       {"timestamp", iso_time(line.time_ns)},
                       {"type", type_of(line)},
                       {"process_id",
                        line.worker == rotate::kUnknownWorker ? Json() : Json(line.worker.value)},
                       {"app_name", app_name}})
      .dump();
}

}  // namespace

std::string_view name_of(EchoStyle style) { return kNames[static_cast<std::size_t>(style)]; }

std::optional<EchoStyle> echo_style_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<EchoStyle>(i);
  return std::nullopt;
}

std::string echo_text(EchoStyle style, std::string_view app_name, const rotate::LogLine& line) {
  switch (style) {
    case EchoStyle::kRaw:
      return std::string(line.text) + (line.has_newline ? "\n" : "");
    case EchoStyle::kJson:
      return json_text(app_name, line) + "\n";
    case EchoStyle::kPairs:
      return "timestamp=" + iso_time(line.time_ns) + " app=" + std::string(app_name) +
             " id=" + worker_text(line) + " type=" + std::string(type_of(line)) +
             " message=" + std::string(without_date(line)) + "\n";
    case EchoStyle::kPrefix:
      break;
  }
  std::string prefix = worker_text(line) + "|" + std::string(app_name);
  if (prefix.size() < kNameWidth + 2) prefix.resize(kNameWidth + 2, ' ');
  return prefix + " | " + std::string(line.text) + "\n";
}

}  // namespace pmx::supervisor
