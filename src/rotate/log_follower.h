// Says which of many logs may have new lines, without polling: one inotify descriptor for all of
// them.
//
// Watches the readers' index directories, because a line may be read when its record is there. A
// log that does not exist yet is waited for at its nearest existing parent. Costs the daemon
// nothing.
//
// Owns:    the inotify descriptor; not the readers.
// Thread:  any, one at a time.
// Errors:  without inotify (no kernel support, or the user's limit is reached), poll_timeout() is a
//          second and everything counts as changed then.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "rotate/log_reader.h"

namespace pmx::rotate {

class LogFollower {
 public:
  using Key = std::size_t;

  enum class Use { kInotify, kPolling };
  explicit LogFollower(const Clock& clock, Use use = Use::kInotify);

  // Reported by `key` when it may have new lines. The reader must outlive the follower.
  void follow(LogReader& reader, Key key);
  // Reported by `key` when the file appears, is written or replaced.
  void watch_file(const std::string& path, Key key);

  int fd() const { return inotify_.get(); }  // Readable: call take_changed(). -1: there is none.
  std::optional<std::chrono::milliseconds> poll_timeout()
      const;                        // Call take_changed() at least that often.
  std::vector<Key> take_changed();  // Ascending; each once. Never waits.

 private:
  struct Target {
    Key key = 0;
    LogReader* reader = nullptr;  // nullptr: a plain file.
    std::string path;             // What is wanted: a directory, or a file in one.
    std::string name;             // Only events of this name in `path`; "": all.
    int watch = -1;               // -1: not watched.
    std::string watched;          // `path`, or the nearest parent that is there.
  };
  void add(Target target);
  void arm(Target& target);
  void on_event(int watch, std::uint32_t mask, const std::string& name);
  void report(const Target& target);
  void look_at_all(bool arm_again);

  const Clock& clock_;
  Fd inotify_;
  std::vector<Target> targets_;
  std::multimap<int, std::size_t> by_watch_;  // To targets_.
  std::set<Key> changed_;
  bool incomplete_ = false;  // Something could not be watched.
  std::optional<std::chrono::steady_clock::time_point> look_again_at_;
};

}  // namespace pmx::rotate
