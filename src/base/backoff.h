// How long to wait before another try: exponential, with full jitter, so that many clients of a
// store that was down do not come back in step (Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog).
//
// A wait is drawn evenly between `min` and a ceiling that doubles with each failure, from twice
// `min` up to `max`: the first wait is spread too, and nobody knocks twice within `min`.
//
// Thread: one at a time. The same seed gives the same waits.
#pragma once

#include <chrono>
#include <cstdint>

namespace pmx {

class Backoff {
 public:
  // 0 < min <= max.
  Backoff(std::chrono::milliseconds min, std::chrono::milliseconds max, std::uint64_t seed);

  std::chrono::milliseconds next();  // Counts a failure and says how long to wait after it.
  void reset() { failures_ = 0; }    // It worked. The drawing goes on where it was.
  unsigned failures() const { return failures_; }  // Since the last reset.

 private:
  std::uint64_t draw();

  std::chrono::milliseconds min_, max_;
  std::uint64_t state_;
  unsigned failures_ = 0;
};

}  // namespace pmx
