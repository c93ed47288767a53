// Events as lines of JSON, each with all that is known of it:
//
//   {"time":"2026-11-23T10:00:00.000000001Z","line":"…","app":"api","host":"web-1","stream":"stdout",
//    "namespace":…,"env":…,<labels>,"level":"info","pid":7,"instance":0,"run":2,"log":"<16 hex>",
//    "seq":9,"lines":3,"part":"1/3",<fields>}
//
// pid, instance, run, namespace, env where known; lines above 1; part of a line above 256 KiB. The
// sink's labels replace app, host, namespace and env; label_fields never replace anything. A store
// that takes no line of JSON above a bound gets several for one event, with "piece":"2/3".
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ship/sink.h"

namespace pmx::ship::internal {

class JsonlineItems {
 public:
  struct Options {
    std::string_view time_name = "time", text_name = "line";
    std::size_t max_line_bytes = 0;  // Of a line of JSON with its newline; 0: no bound.
  };
  JsonlineItems(const SinkContext& context, Options options);

  void encode(const Event& event, std::string& out);
  std::string text_of(std::string_view item) const { return text_of(item, options_.text_name); }
  static std::string text_of(std::string_view item, std::string_view text_name);
  // Names of labels and label fields that events have beside the built-in ones.
  std::vector<std::string> extra_names() const;

 private:
  struct Fixed {
    bool valid = false;
    Severity severity = Severity::kInfo;
    StreamKind kind = StreamKind::kOut;
    RunInfo run;
    std::string app, app_namespace, env, host;
    LogId log;
    std::string text;
  };
  const std::string& fixed_of(const Event& event);
  void make_fixed(const Event& event, Fixed& fixed) const;
  void make_own(const Event& event);
  void append_time(std::string& out, std::int64_t time_ns);
  void append_piece(const Event& event, std::string_view text, std::string_view piece,
                    std::string& out);
  std::vector<std::string_view> pieces_of(std::string_view text, std::size_t budget_bytes);

  Options options_;
  std::map<std::string, std::string> labels_;                // Made fit.
  std::vector<std::pair<std::string, std::string>> fields_;  // Key of the line, name.
  decltype(SinkContext::field_of) field_of_;

  std::array<Fixed, 64> fixed_;  // By pid, severity and stream: instances take turns.
  std::string own_, escaped_;
  std::int64_t second_ = -1;
  std::string second_text_;  // "2026-11-23T10:00:00."
};

}  // namespace pmx::ship::internal
