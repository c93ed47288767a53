#include "supervisor/echo_style.h"

#include <array>

#include "base/time_text.h"
#include "rotate/line_record.h"
#include "rotate/segment_reader.h"

namespace pmx::supervisor {
namespace {

constexpr std::array<std::string_view, 4> kNames{"raw", "json", "format", "formatted"};
constexpr std::size_t kNameWidth = 8;
constexpr std::string_view kUnknown = "?";

std::string worker_text(const rotate::LogLine& line) {
  return line.worker == rotate::kUnknownWorker ? std::string(kUnknown)
                                               : std::to_string(line.worker.value);
}

rotate::LineFacts facts_of(std::string_view app_name, const rotate::LogLine& line) {
  return {iso_time(line.time_ns),
          line.dropped_notice ? std::string_view("pmx") : name_of(line.kind), line.worker,
          app_name};
}

}  // namespace

std::string_view name_of(EchoStyle style) { return kNames[static_cast<std::size_t>(style)]; }

std::optional<EchoStyle> echo_style_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<EchoStyle>(i);
  return std::nullopt;
}

std::string echo_text(EchoStyle style, std::string_view app_name, const rotate::LogLine& line) {
  std::string out;
  switch (style) {
    case EchoStyle::kRaw:
      return std::string(line.text) + (line.has_newline ? "\n" : "");
    case EchoStyle::kJson:
      rotate::append_json_record(out, line, facts_of(app_name, line));
      return out;
    case EchoStyle::kPairs:
      rotate::append_pairs_before_text(out, facts_of(app_name, line), kUnknown);
      return out.append(without_date(line)).append("\n");
    case EchoStyle::kPrefix:
      break;
  }
  out = worker_text(line) + "|" + std::string(app_name);
  if (out.size() < kNameWidth + 2) out.resize(kNameWidth + 2, ' ');
  return out.append(" | ").append(line.text).append("\n");
}

}  // namespace pmx::supervisor
