// An event as `pmx logs --pretty` prints it, for people.
//
// Text stays as it is, and the lines behind an event's first stand under it. A line that is a JSON
// object is laid out: time (local), level, message, the other members as key=value; below it the
// rest of a message of several lines and the stacks of errors. What JSON has escaped, so that it
// could do a terminal no harm, is shown as on a terminal wherever it goes.
//
// Thread:  one at a time an object: it keeps buffers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/logs_format.h"
#include "rotate/log_line.h"
#include "ship/json_fields.h"

namespace pmx::cli {

class PrettyPrinter {
 public:
  PrettyPrinter();

  // The event's text has 64 readable bytes behind it.
  void append(std::string& out, const LineStyle& style, const LineOrigin& origin,
              const rotate::LogLine& event);

 private:
  // What is being printed, and where to.
  struct Job {
    std::string& out;
    const LineStyle& style;
    const LineOrigin& origin;
    const rotate::LogLine& event;
  };
  bool append_object(const Job& job, std::string_view text);
  void append_text(const Job& job);
  void append_time(const Job& job, std::int64_t time_ns) const;
  const ship::JsonMember* append_level(const Job& job);
  void append_message(const Job& job, std::string_view message);
  void append_member(const Job& job, const ship::JsonMember& member);
  bool without_stacks(const ship::JsonMember& object, std::string_view key);
  bool take_stack(std::string_view key, const ship::JsonMember& member);
  void append_below(const Job& job, std::string_view lines, Bytes bytes);

  const TimeFormat time_;
  ship::JsonReader reader_;
  std::string under_;  // What stands in front of lines below an event's first; "": not known yet.
  std::string key_, value_;
  std::vector<std::string> below_;  // What an object has for there.
};

}  // namespace pmx::cli
