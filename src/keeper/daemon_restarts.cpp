#include "keeper/daemon_restarts.h"

#include <algorithm>

namespace pmx::keeper {

using namespace std::chrono_literals;

std::chrono::milliseconds DaemonRestarts::after(Death death, TimePoint started, TimePoint now) {
  if (now - started >= 10s) {
    backoff_ = 0ms;
    safe_ = false;
  }
  if (death == Death::kKilled) {
    TimePoint& oldest = kills_[kill_count_++ % kKillsPerSecond];
    const bool too_often = kill_count_ > kKillsPerSecond && now - oldest < 1s;
    oldest = now;
    return too_often ? 100ms : 0ms;
  }
  crashes_[crash_count_++ % kCrashesForSafe] = now;
  const TimePoint oldest = crashes_[crash_count_ % kCrashesForSafe];
  if (crash_count_ >= kCrashesForSafe && now - oldest < 10s) safe_ = true;
  backoff_ = std::clamp<std::chrono::milliseconds>(2 * backoff_, 100ms, 5000ms);
  return backoff_;
}

}  // namespace pmx::keeper
