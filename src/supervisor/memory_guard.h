// Restarts workers that have more in memory than their app's max_memory_restart: within a second,
// and one worker of an app at a time, so that the others go on serving.
//
// Where that fails, the old one of a cluster app stays: it is tried again after 1 s, 2 s, 4 s … a
// minute. An app that is being reloaded is left alone: its workers are new soon.
//
// Owns:    its timers. Thread: control.
// Bounds:  reads /proc only while some worker that runs has a limit, twice a second for each.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
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
    std::function<bool(const AppKey&)> is_reloaded;
    std::function<void(WorkerId, Worker::Done)> restart;
    std::function<void(const std::string&)> notice;
  };
  explicit MemoryGuard(Parts parts) : parts_(std::move(parts)) {}
  ~MemoryGuard();
  MemoryGuard(const MemoryGuard&) = delete;
  MemoryGuard& operator=(const MemoryGuard&) = delete;

  void worker_began();  // A run has begun, or an app has changed: it may have a limit.

 private:
  struct Rest {  // After a restart that failed.
    std::chrono::nanoseconds length{0};
    Timers::Id timer = 0;
  };
  void look();
  void restarted(const AppKey& app, bool well);

  Parts parts_;
  std::set<AppKey> busy_;  // Apps of which a worker is being restarted, or that rest.
  std::map<AppKey, Rest> rests_;
  Timers::Id timer_ = 0;
};

}  // namespace pmx::supervisor
