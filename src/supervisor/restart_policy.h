// What happens after a worker has ended: again (and when), done, or given up. PM2's policy without
// its bugs (reference: docs/PM2.md): the window of unstable ends slides, a death by signal is never
// taken for exit code 0, and a delay never hides that the policy has given up.
//
// Thread:     any; a pure function of its arguments.
// Invariants: at most kMaxUnstableKept times are kept.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/app_spec.h"
#include "model/ids.h"

namespace pmx::supervisor {

// Who ended a run, as far as can be told.
enum class ExitCause : std::uint8_t {
  kItself,        // It returned, called exit, or crashed.
  kAsked,         // Told to stop or restart, and did.
  kKillTimeout,   // Told to, and killed by us when kill_timeout had passed.
  kOutOfMemory,   // SIGKILL that was not ours, while the kernel's OOM killer was at work.
  kSomebody,      // A signal from outside, not ours.
  kCron,          // As kAsked, by cron_restart …
  kMemoryLimit,   // … by max_memory_restart …
  kFilesChanged,  // … by watch.
  kPmxLost,       // Keeper and daemon had ended together: what was left of it was ended too.
};
inline constexpr std::array<std::string_view, 9> kExitCauseNames{
    "itself", "asked",        "kill_timeout",  "out_of_memory", "somebody",
    "cron",   "memory_limit", "files_changed", "pmx_lost"};
constexpr std::string_view name_of(ExitCause cause) {
  return kExitCauseNames[static_cast<std::size_t>(cause)];
}

// How a run ended. Neither code nor signal: nobody could tell (an adopted worker).
struct ExitFacts {
  std::optional<int> code;
  std::optional<int> signal;
  std::int64_t at_ns = 0;     // Realtime.
  std::int64_t ran_ns = 0;    // From exec to here.
  std::uint64_t rss_kib = 0;  // The most that it had in memory; 0: not known.
  ExitCause cause = ExitCause::kItself;
  RunId run;  // {0}: not known.
  bool operator==(const ExitFacts&) const = default;
};
ExitFacts exit_facts(int wait_status, std::int64_t at_ns);  // -1: not known.
std::string exit_text(const ExitFacts& exit);               // As PM2 says it: "with code [1]".
// What pmx itself knows of it: it had asked for the end, it had sent SIGKILL, the OOM killer has
// been at work since the end before.
struct KnownOfExit {
  bool asked = false, killed = false, oom_killer = false;
};
ExitCause exit_cause(const ExitFacts& exit, const KnownOfExit& known);

// What the policy remembers of one worker; saved with it.
struct RestartMemory {
  std::vector<std::int64_t> unstable_ns;       // Unstable ends inside the window, oldest first.
  std::chrono::milliseconds backoff_delay{0};  // Last one used; 0: none yet.
  void clear() { *this = RestartMemory(); }
};
inline constexpr std::size_t kMaxUnstableKept = 1024;
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
