// Time comes in by the constructor, so that tests and the simulation can set it.
#pragma once

#include <chrono>
#include <cstdint>

namespace pmx {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point steady_now() const = 0;  // Elapsed time, deadlines.
  virtual std::chrono::system_clock::time_point system_now()
      const = 0;  // Only to stamp lines and names.
  std::int64_t system_ns() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(system_now().time_since_epoch())
        .count();
  }
};

class RealClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady_now() const override {
    return std::chrono::steady_clock::now();
  }
  std::chrono::system_clock::time_point system_now() const override {
    return std::chrono::system_clock::now();
  }
};

}  // namespace pmx
