// Time that only a test moves. advance() runs the timers that become due, in order, each at its
// time.
//
// Faults it can inject: steps of the wall clock (step_wall) that the steady clock does not see.
// Never: a steady clock that goes back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/timers.h"

namespace pmx::test {

class FakeClock final : public Clock, public Timers {
 public:
  // 2026-11-23T10:00:00Z, so that names made from it are readable in failures.
  static constexpr std::int64_t kStartNs = 1'795'428'000'000'000'000;

  std::chrono::steady_clock::time_point steady_now() const override { return steady_; }
  std::chrono::system_clock::time_point system_now() const override {
    return std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(wall_));
  }
  Id call_after(std::chrono::nanoseconds delay, std::function<void()> callback) override;
  void cancel(Id id) override;

  void advance(std::chrono::nanoseconds by);
  void run_due() { advance(std::chrono::nanoseconds(0)); }
  void step_wall(std::chrono::nanoseconds by) { wall_ += by; }
  std::size_t waiting() const { return timers_.size(); }

 private:
  std::chrono::steady_clock::time_point steady_{std::chrono::hours(1)};
  std::chrono::nanoseconds wall_{kStartNs};
  std::map<std::pair<std::chrono::steady_clock::time_point, Id>, std::function<void()>> timers_;
  Id next_ = 1;
};

}  // namespace pmx::test
