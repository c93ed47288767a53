// One log's lines as events: a line, or the lines of one stack trace, joined as the shipped copy's
// are (ship/multiline.h).
//
// An event is given as a LogLine: its first line's, with all lines in its text, newlines between
// them, and our date in front where the file has one. Its `seq` is the number that add() was told.
//
// Thread:  any, one at a time; not from within `emit`.
// Bounds:  those of MultilineJoiner, and a date for each line that it has open.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "rotate/log_line.h"
#include "ship/multiline.h"

namespace pmx::cli {

class EventJoiner {
 public:
  using Emit = std::function<void(const rotate::LogLine&)>;  // Valid during the call.

  explicit EventJoiner(Emit emit);
  // In the order of the log. `number` grows from line to line.
  void add(const rotate::LogLine& line, std::uint64_t number);
  // Events whose last line is older: nobody goes on with them.
  void flush_older_than(std::int64_t time_ns) { joiner_.flush_older_than(time_ns); }
  void flush_all() { joiner_.flush_all(); }
  std::optional<std::uint64_t> oldest_open() const { return joiner_.oldest_open_seq(); }
  std::optional<std::int64_t> oldest_open_time() const { return joiner_.oldest_open_time(); }

 private:
  void emitted(const ship::MultilineJoiner::Line& joined);

  const Emit emit_;
  ship::MultilineJoiner joiner_;
  std::map<std::pair<StreamId, std::uint64_t>, std::string> dates_;  // By a line's number.
  std::string message_, dated_;
};

}  // namespace pmx::cli
