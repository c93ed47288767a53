#include "supervisor/restart_policy.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/signal_name.h"

namespace pmx::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

void forget_old(const AppSpec& app, RestartMemory& memory, std::int64_t now_ns) {
  // PM2 counts only in the first min_uptime * max_restarts of an app's life, so that a later crash
  // loop goes on for ever. The same span as a sliding window catches each of them, and still lets a
  // slow retry (a long delay between ends) go on until what it waits for is back.
  const std::int64_t window_ns =
      nanoseconds(app.min_uptime).count() * std::max<std::int64_t>(app.max_restarts, 1);
  // A wall clock that was set back must not keep old ends for ever.
  std::erase_if(memory.unstable_ns,
                [&](std::int64_t at) { return at > now_ns || now_ns - at >= window_ns; });
}

bool too_many(const AppSpec& app, const RestartMemory& memory) {
  const auto limit = std::min<std::int64_t>(app.max_restarts, kMaxUnstableKept);
  return static_cast<std::int64_t>(memory.unstable_ns.size()) >= limit;
}

milliseconds next_delay(const AppSpec& app, RestartMemory& memory) {
  if (app.exp_backoff_restart_delay.count() <= 0) return app.restart_delay;
  memory.backoff_delay = memory.backoff_delay.count() == 0
                             ? app.exp_backoff_restart_delay
                             : memory.backoff_delay + memory.backoff_delay / 2;
  memory.backoff_delay = std::min(memory.backoff_delay, app.exp_backoff_max_delay);
  return memory.backoff_delay;
}

bool is_stop_code(const AppSpec& app, const ExitFacts& exit) {
  return exit.code && std::find(app.stop_exit_codes.begin(), app.stop_exit_codes.end(),
                                *exit.code) != app.stop_exit_codes.end();
}

}  // namespace

ExitFacts exit_facts(int wait_status, std::int64_t at_ns) {
  ExitFacts facts;
  facts.at_ns = at_ns;
  if (wait_status < 0) return facts;
  if (WIFEXITED(wait_status)) facts.code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) facts.signal = WTERMSIG(wait_status);
  return facts;
}

ExitCause exit_cause(const ExitFacts& exit, const KnownOfExit& known) {
  if (known.killed) return ExitCause::kKillTimeout;
  if (known.asked) return ExitCause::kAsked;
  if (exit.signal == SIGKILL)
    return known.oom_killer ? ExitCause::kOutOfMemory : ExitCause::kSomebody;
  // No program ends itself by these unless it means to look as if somebody had.
  constexpr std::array kFromOutside{SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};
  const bool outside = exit.signal && std::find(kFromOutside.begin(), kFromOutside.end(),
                                                *exit.signal) != kFromOutside.end();
  return outside ? ExitCause::kSomebody : ExitCause::kItself;
}

std::string exit_text(const ExitFacts& exit) {
  if (exit.signal) return "via signal [" + signal_name(*exit.signal) + "]";
  if (exit.code) return "with code [" + std::to_string(*exit.code) + "]";
  return "with an unknown status (its keeper was killed)";
}

Verdict after_exit(const AppSpec& app, RestartMemory& memory, const ExitFacts& exit,
                   nanoseconds uptime) {
  if (!app.autorestart || is_stop_code(app, exit)) return {Verdict::Kind::kDone, {}};
  forget_old(app, memory, exit.at_ns);
  if (uptime < app.min_uptime && memory.unstable_ns.size() < kMaxUnstableKept)
    memory.unstable_ns.push_back(exit.at_ns);
  if (too_many(app, memory)) return {Verdict::Kind::kBroken, {}};
  if (uptime >= kBackoffResetUptime) memory.backoff_delay = milliseconds(0);
  return {Verdict::Kind::kAgain, next_delay(app, memory)};
}

Verdict after_failed_start(const AppSpec& app, RestartMemory& memory, int spawn_errno,
                           std::int64_t at_ns) {
  // EOWNERDEAD: the keeper was killed before the exec; the next one can do it.
  constexpr std::array kPassing{EMFILE, ENFILE, EAGAIN, ENOMEM, ETXTBSY, ENOSPC, EOWNERDEAD};
  const bool scarce = std::find(kPassing.begin(), kPassing.end(), spawn_errno) != kPassing.end();
  // A program that is not there will not be there in a millisecond: say so now, once.
  if (!scarce || !app.autorestart) return {Verdict::Kind::kBroken, {}};
  forget_old(app, memory, at_ns);
  // Scarcity is not the app's fault and does not count against it; it is waited out.
  return {Verdict::Kind::kAgain, std::max(next_delay(app, memory), kScarcityDelay)};
}

}  // namespace pmx::supervisor
