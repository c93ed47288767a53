// Processes that a keeper and a daemon, both killed, have left behind: ended before their workers
// are started again, so that two never own one port.
//
// Thread:  control, at the start only (it waits for them, at most kPatience).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace pmx::supervisor {

struct Leftover {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // Together with the pid it names a process within one boot.
};

inline constexpr std::chrono::milliseconds kPatience{3000};

// SIGKILLs the whole group of each that is still the process it was. How many were.
std::size_t end_leftovers(const std::vector<Leftover>& leftovers, const Clock& clock);

}  // namespace pmx::supervisor
