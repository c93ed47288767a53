#include "support/fake_clock.h"

#include <algorithm>

namespace pmx::test {

FakeClock::Id FakeClock::call_after(std::chrono::nanoseconds delay,
                                    std::function<void()> callback) {
  const Id id = next_++;
  timers_.emplace(
      std::pair(steady_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay),
                id),
      std::move(callback));
  return id;
}

void FakeClock::cancel(Id id) {
  std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
}

void FakeClock::advance(std::chrono::nanoseconds by) {
  const auto until = steady_ + by;
  while (!timers_.empty() && timers_.begin()->first.first <= until) {
    const auto due = timers_.begin()->first.first;
    const auto callback = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    if (due > steady_) {
      wall_ += due - steady_;
      steady_ = due;
    }
    callback();
  }
  wall_ += until - steady_;
  steady_ = until;
}

}  // namespace pmx::test
