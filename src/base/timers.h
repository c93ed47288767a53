// The one thing of the event loop that supervision and shipping need: to be called later. Narrow,
// so that tests move time by hand instead of waiting for it.
//
// Thread:  the loop's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/event_loop.h"

namespace pmx {

class Timers {
 public:
  using Id = std::uint64_t;  // 0: none.
  virtual ~Timers() = default;
  // Never calls back before it has returned, not even for a delay of 0.
  virtual Id call_after(std::chrono::nanoseconds delay, std::function<void()> callback) = 0;
  virtual void cancel(Id id) = 0;  // Unknown ids are fine.
};

class LoopTimers final : public Timers {
 public:
  explicit LoopTimers(EventLoop& loop) : loop_(loop) {}
  Id call_after(std::chrono::nanoseconds delay, std::function<void()> callback) override {
    return loop_.call_after(delay, std::move(callback));
  }
  void cancel(Id id) override { loop_.cancel(id); }

 private:
  EventLoop& loop_;
};

}  // namespace pmx
