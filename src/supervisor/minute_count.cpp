#include "supervisor/minute_count.h"

namespace pmx::supervisor {
namespace {

std::int64_t second_of(std::chrono::steady_clock::time_point now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
}

}  // namespace

void MinuteCount::add(std::chrono::steady_clock::time_point now) {
  const std::int64_t at = second_of(now);
  Second& second = seconds_[static_cast<std::size_t>(at % kSeconds)];
  if (second.at != at) second = {at, 0};
  ++second.count;
}

std::int64_t MinuteCount::sum(std::chrono::steady_clock::time_point now) const {
  const std::int64_t at = second_of(now);
  std::int64_t all = 0;
  for (const Second& second : seconds_)
    if (second.at > at - kSeconds) all += second.count;
  return all;
}

}  // namespace pmx::supervisor
