// How often something has happened in the last minute, to the second.
//
// Thread:  its owner's.
// Bounds:  kSeconds counts, whatever happens.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace pmx::supervisor {

class MinuteCount {
 public:
  static constexpr std::int64_t kSeconds = 60;

  void add(std::chrono::steady_clock::time_point now);
  std::int64_t sum(std::chrono::steady_clock::time_point now) const;

 private:
  struct Second {
    std::int64_t at = -kSeconds;
    std::int64_t count = 0;
  };
  std::array<Second, static_cast<std::size_t>(kSeconds)> seconds_{};
};

}  // namespace pmx::supervisor
