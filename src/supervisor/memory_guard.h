// Restarts workers that have more in memory than their app's max_memory_restart: within a second,
// and one worker of an app at a time, so that the others go on serving.
//
// Owns:    its timer. Thread: control.
// Bounds:  reads /proc only while some worker that runs has a limit, twice a second for each.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/timers.h"
#include "model/ids.h"
#include "supervisor/worker.h"

namespace pmx::supervisor {

class MemoryGuard {
 public:
  static constexpr std::chrono::milliseconds kLookEvery{500};
  struct Parts {
    Timers& timers;
    std::function<std::vector<const Worker*>()> workers;
    std::function<std::optional<std::uint64_t>(pid_t)> rss_bytes;
    std::function<void(WorkerId, Worker::Done)> restart;
    std::function<void(const std::string&)> notice;
  };
  explicit MemoryGuard(Parts parts) : parts_(std::move(parts)) {}
  ~MemoryGuard() { parts_.timers.cancel(timer_); }
  MemoryGuard(const MemoryGuard&) = delete;
  MemoryGuard& operator=(const MemoryGuard&) = delete;

  void worker_began();  // A run has begun, or an app has changed: it may have a limit.

 private:
  void look();

  Parts parts_;
  std::set<AppKey> busy_;  // Apps of which a worker is being restarted.
  Timers::Id timer_ = 0;
};

}  // namespace pmx::supervisor
