// One thread's wait: descriptors, timers and calls posted from other threads. Level-triggered
// epoll.
//
// Owns:       an epoll set, an eventfd, the callbacks; not the descriptors.
// Thread:     the one that calls run(); only post() and stop() may be called from another.
// Invariants: no wakeup without a descriptor, a timer or a post; a callback may remove any other.
// Bounds:     posts are for rare control calls and are not bounded here: callers wait for answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace pmx {

class EventLoop {
 public:
  using Callback = std::function<void()>;
  using TimerId = std::uint64_t;
  using TimePoint = std::chrono::steady_clock::time_point;

  static Result<std::unique_ptr<EventLoop>> create();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls back while `fd` is readable (or hung up). `fd` must be removed before it is closed.
  Result<void> watch(int fd, Callback on_readable);
  Result<void> watch_writable(int fd, Callback on_writable);  // Instead of readable.
  Result<void> watch_both(int fd, Callback on_ready);  // Either; who is called finds out which.
  // Calls back once for each change: something has come, there is room again, or the other end is
  // gone; and once at the start. For who leaves bytes where they are until they are complete.
  Result<void> watch_changes(int fd, Callback on_change);
  void unwatch(int fd);

  TimerId call_at(TimePoint when, Callback callback);
  TimerId call_after(std::chrono::nanoseconds delay, Callback callback);
  void cancel(TimerId id);  // Unknown ids are fine.

  void post(Callback callback);  // From any thread; runs on the loop's.
  // Called after each round of callbacks, before the next wait: work that is done once for many
  // events.
  void after_each_round(Callback callback) { after_round_ = std::move(callback); }

  void run();   // Until stop().
  void stop();  // From any thread.
  std::uint64_t wakeups() const { return wakeups_; }

 private:
  EventLoop() = default;
  Result<void> add(int fd, std::uint32_t events, Callback callback);
  void run_due_timers();
  void run_posted();
  int timeout_ms() const;

  Fd epoll_, wake_;
  // shared_ptr: a callback may unwatch itself while it runs.
  std::unordered_map<int, std::shared_ptr<Callback>> watched_;
  std::multimap<TimePoint, std::pair<TimerId, Callback>> timers_;
  TimerId next_timer_ = 1;
  Callback after_round_;
  std::mutex posted_mutex_;
  std::vector<Callback> posted_;
  bool stopping_ = false;
  std::uint64_t wakeups_ = 0;
};

}  // namespace pmx
