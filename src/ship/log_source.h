// One log as a lane reads it: lines from a cursor on, joined into events, and the cursor that would
// be right if all that was given out had been settled.
//
// Owns:       the reader and the open stack traces. Thread: ship.
// Invariants: position() never goes past a line that has not been given out or counted.
// Errors:     what cannot be read is counted as dropped, by the gap in the numbers, and said once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "rotate/log_reader.h"
#include "ship/cursor.h"
#include "ship/multiline.h"

namespace pmx::ship {

class LogSource {
 public:
  // Called for each event, in the order of the log; the text is valid during the call.
  using Emit = std::function<void(const MultilineJoiner::Line&)>;
  struct Options {
    bool multiline = true;
  };

  LogSource(Fs& fs, rotate::LogDir dir, Options options, Emit emit);

  // `cursor` nullopt: a log that the lane has never seen, from its oldest line (kOldest) or from
  // what is written next (kNewest).
  enum class Begin { kOldest, kNewest };
  void seek(const std::optional<LogCursor>& cursor, Begin begin);

  // Lines from here on are not given; nullopt: there is no end.
  void set_end(const std::optional<LogPosition>& end) { end_ = end; }
  const std::optional<LogPosition>& end() const { return end_; }
  // At the end. Where there is none: nothing is open here, and no worker has the log open.
  bool finished() const;

  // The time of the next line, which is held back. nullopt: there is none for now.
  std::optional<std::int64_t> next_time();
  void take();  // The line of next_time(): may emit none, one or more events.
  void flush_older_than(std::int64_t time_ns) { joiner_.flush_older_than(time_ns); }
  void flush_all() { joiner_.flush_all(); }
  std::optional<std::int64_t> oldest_open_time() const { return joiner_.oldest_open_time(); }

  LogPosition position() const;
  std::uint64_t begin() const { return begin_; }
  Tally take_tally();  // Drops found while reading since the last call.
  // What is missing below this segment was flushed by the user.
  void expect_flush(std::uint64_t below_segment) { flushed_below_ = below_segment; }
  void directory_changed() { reader_.directory_changed(); }
  void release_memory() {
    if (!held_) reader_.release_memory();
  }
  // Nothing was read that is not given out.
  bool at_rest() const {
    return !held_ && !joiner_.oldest_open_seq() && !reader_.oldest_unfinished_seq();
  }
  void close_files() {
    if (!held_) reader_.close_files();
  }
  bool has_open_files() const { return reader_.has_open_files(); }
  // The last next_time() failed because of an error that may pass: nobody will tell when it has.
  bool trouble() const { return reader_.trouble(); }
  const std::string& path() const { return reader_.dir().active_path(); }
  std::vector<std::string> take_warnings() { return reader_.take_warnings(); }

 private:
  bool is_settled(const rotate::LogLine& line) const;
  void take_breaks();
  void settle_gaps(std::uint64_t next_seq);
  void emitted(const MultilineJoiner::Line& line);
  void emitted_alone(MultilineJoiner::Line line);

  const Options options_;
  const Emit emit_;
  rotate::LogReader reader_;
  MultilineJoiner joiner_;
  std::optional<rotate::LogLine> held_;  // Valid until the reader's next line.
  LogPosition from_;                     // What was settled when we began, in this epoch.
  std::uint64_t begin_ = 0;
  std::map<StreamId, std::uint64_t> ahead_;          // Behind the last event given out, by stream.
  std::map<std::uint64_t, std::uint64_t> segments_;  // First number seen in it → segment.
  struct Gap {
    std::uint64_t end = 0, lines = 0;  // `end`: the first number behind it.
    Drop why{};
  };
  std::vector<Gap> gaps_;  // Not in a tally yet.
  std::uint64_t flushed_below_ = 0;
  std::optional<LogPosition> end_;
  std::string message_;  // Of a line that the file has as JSON.
  Tally tally_;
};

}  // namespace pmx::ship
