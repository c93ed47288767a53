#include "base/crash_point.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>

namespace pmx::crash_points {
namespace {
std::size_t point_armed = 0;
std::atomic<long> passes_left = 0;
}  // namespace

bool armed = false;
void (*on_death)() = nullptr;

void arm(std::string_view spec, unsigned long incarnation) {
  for (unsigned long i = 0; !spec.empty(); ++i) {
    const std::size_t comma = spec.find(',');
    std::string_view entry = spec.substr(0, comma);
    spec = comma == std::string_view::npos ? std::string_view() : spec.substr(comma + 1);
    if (i != incarnation) continue;
    const std::size_t colon = entry.find(':');
    long pass = 1;
    if (colon != std::string_view::npos)
      std::from_chars(entry.data() + colon + 1, entry.data() + entry.size(), pass);
    const auto* const name =
        std::find(kCrashPointNames.begin(), kCrashPointNames.end(), entry.substr(0, colon));
    if (name == kCrashPointNames.end()) continue;
    point_armed = static_cast<std::size_t>(name - kCrashPointNames.begin());
    passes_left = pass;
    armed = true;
  }
}

bool due(CrashPoint point) {
  return static_cast<std::size_t>(point) == point_armed && passes_left.fetch_sub(1) == 1;
}

void die() {
  if (on_death != nullptr) on_death();
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

}  // namespace pmx::crash_points
