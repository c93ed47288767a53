// What happens after a worker has ended: again (and when), done, or given up. PM2's policy without
// its bugs (reference: docs/PM2.md): the window of unstable ends slides, a death by signal is never
// taken for exit code 0, and a delay never hides that the policy has given up.
//
// Thread:     any; a pure function of its arguments.
// Invariants: at most kMaxUnstableKept times are kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/app_spec.h"

namespace pmx::supervisor {

// How a run ended. Neither code nor signal: nobody could tell (an adopted worker).
struct ExitFacts {
  std::optional<int> code;
  std::optional<int> signal;
  std::int64_t at_ns = 0;  // Realtime.
  bool operator==(const ExitFacts&) const = default;
};
ExitFacts exit_facts(int wait_status, std::int64_t at_ns);  // -1: not known.

// What the policy remembers of one worker; saved with it.
struct RestartMemory {
  std::vector<std::int64_t> unstable_ns;       // Unstable ends inside the window, oldest first.
  std::chrono::milliseconds backoff_delay{0};  // Last one used; 0: none yet.
  void clear() { *this = RestartMemory(); }
};
inline constexpr std::size_t kMaxUnstableKept = 1024;
inline constexpr std::chrono::milliseconds kMaxBackoffDelay{15'000};
inline constexpr std::chrono::milliseconds kBackoffResetUptime{30'000};
// For a start that failed for want of something that comes back: descriptors, processes, memory.
inline constexpr std::chrono::milliseconds kScarcityDelay{1'000};

struct Verdict {
  enum class Kind : std::uint8_t { kAgain, kDone, kBroken } kind = Kind::kDone;
  std::chrono::milliseconds delay{0};  // kAgain.
};

// `uptime` is of the run that ended.
Verdict after_exit(const AppSpec& app, RestartMemory& memory, const ExitFacts& exit,
                   std::chrono::nanoseconds uptime);
// A start that did not get as far as exec. Waiting helps against some reasons (EMFILE, EAGAIN,
// ENOMEM …), and not against the others.
Verdict after_failed_start(const AppSpec& app, RestartMemory& memory, int spawn_errno,
                           std::int64_t at_ns);

}  // namespace pmx::supervisor
