// How many requests a sink may have in flight over all its streams: as many as the store answers
// without becoming slower. The idea and the constants are Vector's "adaptive request concurrency";
// see the essay in the .cpp.
//
// Thread:     ship.
// Invariants: 1 <= limit() <= max_limit. It never stops a sink: waiting is the backoff's business.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace pmx::ship {

class ConcurrencyLimit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Options {
    unsigned initial_limit = 2;
    unsigned max_limit = 64;
  };
  enum class Answer {
    kGood,          // Its round trip counts.
    kBackpressure,  // 429, 5xx, a timeout: Verdict::backpressure.
    kOther,         // Cancelled, no connection, refused: says nothing about the store's speed.
  };

  explicit ConcurrencyLimit(const Clock& clock) : ConcurrencyLimit(clock, Options{}) {}
  ConcurrencyLimit(const Clock& clock, Options options);

  bool admits() const { return in_flight_ < limit_; }
  TimePoint started();  // A request went out; give the time back to ended().
  void ended(TimePoint started_at, Answer answer);

  unsigned limit() const { return limit_; }
  unsigned in_flight() const { return in_flight_; }  // May be above a limit that has just sunk.
  std::chrono::nanoseconds mean_rtt() const;         // 0: nothing known yet.

 private:
  void close_interval(TimePoint now);

  const Clock& clock_;
  const Options options_;
  unsigned limit_, in_flight_ = 0;

  // All intervals so far: exponentially weighted mean and variance, in seconds.
  bool knows_rtt_ = false;
  double mean_s_ = 0, variance_ = 0;
  // This interval, about one round trip long.
  TimePoint interval_end_;
  double rtt_sum_s_ = 0;
  unsigned rtt_count_ = 0;
  bool limit_reached_ = false, backpressure_ = false;
};

}  // namespace pmx::ship
