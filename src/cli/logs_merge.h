// Many logs as one, in time order: a heap over their readers.
//
// While following, the order holds within what is there: a line is never held back for a log that
// might still bring an older one.
//
// Owns:    the readers and what follows them.
// Thread:  one at a time.
// Bounds:  one line a log, and what its reader holds.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "cli/logs_sources.h"
#include "rotate/log_follower.h"
#include "rotate/log_reader.h"

namespace pmx::cli {

class LogsMerge {
 public:
  using Print = std::function<bool(const LogSource&, const rotate::LogLine&)>;  // False: stop.
  using TimePoint = std::chrono::steady_clock::time_point;
  using Seek = std::function<void(rotate::LogReader&)>;

  LogsMerge(Fs& fs, const Clock& clock, std::string home, rotate::LineFilter filter);

  // Adds the sources that are new, and takes new names of the ones it has.
  void update(std::vector<LogSource> sources, const Seek& seek);
  std::size_t longest_label() const;
  // From then on, print_all() also looks at what changed. `path` is reported by path_changed().
  void follow(const std::string& path);
  rotate::LogFollower* follower() { return follower_ ? &*follower_ : nullptr; }
  bool path_changed();  // Once for each change; looks at the events first.

  // Every line that is there now. False: `print` said stop.
  bool print_all(const Print& print);
  // What had been recorded by then has been printed, or is printed in its order.
  std::int64_t looked_ns() const { return looked_ns_; }
  // Lines without an end, of the logs that have been quiet since `quiet_since` or longer.
  bool print_unfinished(TimePoint quiet_since, const Print& print);
  std::optional<TimePoint> unfinished_since() const;  // Of the log that has been quiet longest.
  std::vector<std::string> take_warnings();

 private:
  struct Log {
    LogSource source;
    std::unique_ptr<rotate::LogReader> reader;
    std::optional<rotate::LogLine> line;  // Its next one; valid until the reader is asked again.
  };
  struct Head {
    std::int64_t time_ns;
    std::size_t log;
    bool operator>(const Head& other) const {
      return time_ns != other.time_ns ? time_ns > other.time_ns : log > other.log;
    }
  };
  void pull(std::size_t log);
  void follow_log(std::size_t log);
  void look_at_changed();

  static constexpr rotate::LogFollower::Key kPathKey = SIZE_MAX;

  Fs& fs_;
  const Clock& clock_;
  std::string home_;
  rotate::LineFilter filter_;
  std::vector<std::unique_ptr<Log>> logs_;  // By pointer: readers' filters point to their source.
  std::vector<Head> heads_;                 // A heap, the oldest line on top.
  std::map<std::size_t, TimePoint>
      unfinished_;  // Logs that wait for the end of a line, and since when.
  std::optional<rotate::LogFollower> follower_;
  bool path_changed_ = false;
  std::int64_t looked_ns_;
};

}  // namespace pmx::cli
