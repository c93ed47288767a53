// Calls at the times of a cron pattern (base/schedule.h), by the clock on the wall: it looks at it
// once a minute at least, so that a clock that is set or a machine that slept is noticed.
//
// Owns:       its timer. Thread: control.
// Invariants: each due time is called for once; one that passed while no daemon lived is called for
//             if that was less than kStillDue ago, and else left out.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/schedule.h"
#include "base/timers.h"

namespace pmx::supervisor {

class CronTimer {
 public:
  static constexpr std::chrono::nanoseconds kStillDue = std::chrono::minutes(1);
  using Due = std::function<void()>;

  CronTimer(Timers& timers, const Clock& clock, Due due)
      : timers_(timers), clock_(clock), due_(std::move(due)) {}
  ~CronTimer() { timers_.cancel(timer_); }
  CronTimer(const CronTimer&) = delete;
  CronTimer& operator=(const CronTimer&) = delete;

  // "" or a pattern that is none: never. `due_ns`: what due_ns() was before the daemon died, else 0.
  void set(const std::string& pattern, std::int64_t due_ns);
  std::int64_t due_ns() const { return due_ns_; }  // 0: never.

 private:
  void set_timer();
  void wake();

  Timers& timers_;
  const Clock& clock_;
  Due due_;
  std::string pattern_;
  std::optional<Schedule> schedule_;
  std::int64_t due_ns_ = 0;
  Timers::Id timer_ = 0;
};

}  // namespace pmx::supervisor
