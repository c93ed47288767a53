// When the next daemon starts after one has died.
//
// SIGKILL is somebody's wish or the kernel's need of memory, not a fault of the daemon: at once,
// while that is fewer than 20 times a second. Everything else is a crash: 100 ms, doubling to 5 s.
// After five crashes in 10 s the daemon starts safe, until one has lived for 10 s.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

namespace pmx::keeper {

class DaemonRestarts {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Death { kKilled, kCrashed };

  // The wait before the next start.
  std::chrono::milliseconds after(Death death, TimePoint started, TimePoint now);
  bool safe() const { return safe_; }

 private:
  static constexpr std::size_t kKillsPerSecond = 20;
  static constexpr std::size_t kCrashesForSafe = 5;

  std::array<TimePoint, kKillsPerSecond> kills_{};  // Rings of the last times.
  std::array<TimePoint, kCrashesForSafe> crashes_{};
  std::size_t kill_count_ = 0, crash_count_ = 0;
  std::chrono::milliseconds backoff_{0};
  bool safe_ = false;
};

}  // namespace pmx::keeper
