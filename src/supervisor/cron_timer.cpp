#include "supervisor/cron_timer.h"

#include <algorithm>
#include <utility>

namespace pmx::supervisor {
namespace {

constexpr std::chrono::nanoseconds kLookAgain = std::chrono::minutes(1);

}  // namespace

void CronTimer::set(const std::string& pattern, std::int64_t due_ns) {
  if (pattern == pattern_) return;
  pattern_ = pattern;
  schedule_.reset();
  due_ns_ = 0;
  timers_.cancel(std::exchange(timer_, 0));
  if (pattern.empty()) return;
  auto schedule = Schedule::parse(pattern);
  if (!schedule) return;  // Of a list that a newer pmx has written: config checks it.
  schedule_ = std::move(*schedule);
  const std::int64_t now_ns = clock_.system_ns();
  due_ns_ = due_ns > now_ns - kStillDue.count() ? due_ns : 0;
  if (due_ns_ == 0) due_ns_ = schedule_->next_after(now_ns);
  set_timer();
}

void CronTimer::set_timer() {
  const std::chrono::nanoseconds left(due_ns_ - clock_.system_ns());
  timer_ = timers_.call_after(std::clamp(left, std::chrono::nanoseconds(0), kLookAgain), [this] {
    timer_ = 0;
    wake();
  });
}

// The next time is known before the call: whoever is called may save it.
void CronTimer::wake() {
  const std::int64_t now_ns = clock_.system_ns();
  const bool is_due = now_ns >= due_ns_;
  if (is_due) due_ns_ = schedule_->next_after(now_ns);
  set_timer();
  if (is_due) due_();
}

}  // namespace pmx::supervisor
