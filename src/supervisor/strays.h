// Processes that a worker has started and that have left its process group (setsid(2), a shell with
// job control): a stop has to reach them too, as PM2's treekill does. Who was orphaned before, on
// purpose as a rule, is nobody's descendant any more and is left alone.
//
// Owns:    what was seen of each run, until the run's end is swept up. Thread: control.
// Bounds:  kMaxStrays a run. /proc is read anew after kFresh, so that many stops are one reading.
// Errors:  a process that cannot be signalled (another user's) is passed over.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "base/clock.h"
#include "model/ids.h"

namespace pmx::supervisor {

struct ProcessEntry {
  pid_t pid = 0, parent = 0, group = 0;
  std::uint64_t start_ticks = 0;  // With pid: which process it is, for ever.
  bool operator==(const ProcessEntry&) const = default;
};
std::vector<ProcessEntry> read_process_table();  // /proc (proc(5)).
// Descendants of `leader` that are not in its group.
std::vector<ProcessEntry> descendants_outside_group(const std::vector<ProcessEntry>& all,
                                                    pid_t leader);

class Strays {
 public:
  static constexpr std::size_t kMaxStrays = 1024;
  static constexpr std::chrono::milliseconds kFresh{100};
  using Reader = std::function<std::vector<ProcessEntry>()>;

  explicit Strays(const Clock& clock, Reader read = &read_process_table)
      : clock_(clock), read_(std::move(read)) {}

  // Adds who descends from `leader` now, and sends `signal` (0: none) to all that are known.
  void signal(RunId run, pid_t leader, int signal);
  bool has(RunId run) const { return known_.contains(run); }
  bool any_lives(RunId run) const;
  // SIGKILL to those that are still there; how many. The run is forgotten.
  std::size_t end(RunId run);
  void forget(RunId run) { known_.erase(run); }

 private:
  const Clock& clock_;
  Reader read_;
  std::vector<ProcessEntry> table_;
  std::chrono::steady_clock::time_point read_at_{};
  bool has_read_ = false;
  std::map<RunId, std::vector<ProcessEntry>> known_;
};

}  // namespace pmx::supervisor
