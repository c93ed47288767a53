// How many requests at a time make a store fast? Too few leave it idle for a round trip; too many
// queue inside it, and then a 429 or an out-of-memory kill is how it says so. The number depends on
// the store, its load and the network, so nobody can set it, and it moves.
//
// As in TCP: more, one by one, while nothing gets worse; fewer, by a share, once it does. "Worse" is
// an answer that asks for patience, or round trips that are clearly longer than they have been.
// Judged once an interval of one mean round trip, because what a change did cannot be seen earlier.
// (Vector, src/sinks/util/adaptive_concurrency/controller.rs: ewma_alpha 0.4, decrease_ratio 0.9,
// rtt_deviation_scale 2.5.)
//
// One thing differs: round trips that are as long as ever, to a microsecond, are neither worse nor
// in the way of more. With a deviation near 0 Vector's comparisons would go by rounding errors.
#include "ship/concurrency.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace pmx::ship {
namespace {
constexpr double kWeight = 0.4;          // Of the newest interval in the mean.
constexpr double kDecrease = 0.9;        // Of the limit; at least one less.
constexpr double kDeviationScale = 2.5;  // Longer than the mean by so many deviations is worse.
constexpr double kEqual_s = 1e-6;        // Round trips that differ by less are the same.
}  // namespace

ConcurrencyLimit::ConcurrencyLimit(const Clock& clock, Options options)
    : clock_(clock), options_(options), limit_(options.initial_limit) {
  PMX_CHECK(options.initial_limit >= 1 && options.initial_limit <= options.max_limit);
}

ConcurrencyLimit::TimePoint ConcurrencyLimit::started() {
  ++in_flight_;
  if (in_flight_ >= limit_) limit_reached_ = true;
  return clock_.steady_now();
}

void ConcurrencyLimit::ended(TimePoint started_at, Answer answer) {
  PMX_CHECK(in_flight_ > 0);
  --in_flight_;
  const TimePoint now = clock_.steady_now();
  if (answer == Answer::kBackpressure) backpressure_ = true;
  if (answer == Answer::kGood) {
    // Refusals are often quick and timeouts slow: only what was done says how long doing takes.
    rtt_sum_s_ += std::chrono::duration<double>(now - started_at).count();
    ++rtt_count_;
  }
  // Before the first good answer there is no interval: backpressure counts at once.
  if (knows_rtt_ ? now >= interval_end_ : rtt_count_ > 0 || backpressure_) close_interval(now);
}

void ConcurrencyLimit::close_interval(TimePoint now) {
  const double rtt_s = rtt_count_ > 0 ? rtt_sum_s_ / rtt_count_ : 0;
  const double slow_s = mean_s_ + kDeviationScale * std::sqrt(variance_);
  const bool slower = knows_rtt_ && rtt_count_ > 0 && rtt_s > mean_s_ + kEqual_s && rtt_s >= slow_s;
  const bool no_slower = knows_rtt_ && rtt_count_ > 0 && rtt_s <= mean_s_ + kEqual_s;
  if (backpressure_ || slower) {
    const auto lower = static_cast<unsigned>(std::floor(limit_ * kDecrease));
    limit_ = std::max(1U, std::min(lower, limit_ - 1));
  } else if (limit_reached_ && no_slower && limit_ < options_.max_limit) {
    ++limit_;
  }
  if (rtt_count_ > 0 && !knows_rtt_) {
    mean_s_ = rtt_s;
    knows_rtt_ = true;
  } else if (rtt_count_ > 0) {
    const double away = rtt_s - mean_s_, step = kWeight * away;
    mean_s_ += step;
    variance_ = (1 - kWeight) * (variance_ + away * step);
  }
  interval_end_ = now + std::chrono::duration_cast<std::chrono::nanoseconds>(
                            std::chrono::duration<double>(mean_s_));
  rtt_sum_s_ = 0;
  rtt_count_ = 0;
  backpressure_ = false;
  limit_reached_ = in_flight_ >= limit_;
}

std::chrono::nanoseconds ConcurrencyLimit::mean_rtt() const {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(mean_s_));
}

}  // namespace pmx::ship
