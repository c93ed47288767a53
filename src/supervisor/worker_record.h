// One worker as the roster keeps it: everything that must survive both processes.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "model/app_spec.h"
#include "model/ids.h"
#include "supervisor/release.h"
#include "supervisor/restart_policy.h"
#include "supervisor/worker_state.h"

namespace pmx::supervisor {

// Active files as `pmx logs` finds them; "" is none.
struct LogFiles {
  std::string out, err, log;
  bool operator==(const LogFiles&) const = default;
};

// Name and namespace: two apps may have one name.
using AppKey = std::pair<std::string, std::string>;
inline AppKey app_key(const AppSpec& app) { return {app.name, app.app_namespace}; }

inline constexpr std::size_t kLimitRuns = 5;

// A life of a worker beside its current one, while it is reloaded.
struct SideRun {
  RunId run;
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::int64_t started_ns = 0;
  bool ready = false;  // Of a successor: it has said so.
};
// The one that was current. It gets no new connections, finishes what it has, and ends.
struct LeavingRun : SideRun {
  bool disconnected = false;  // It has been told to close.
  ExitCause why = ExitCause::kAsked;
};

inline std::chrono::milliseconds listen_timeout(const AppSpec& app) {
  return app.listen_timeout.count() > 0 ? app.listen_timeout : kDefaultListenTimeout;
}

struct WorkerRecord {
  WorkerId id;
  AppSpec spec;
  std::string spec_text;  // The spec as the roster writes it; "": make it again.
  WorkerState state = WorkerState::kStopped;
  bool should_run = false;    // What the user wants, whatever the state is just now.
  std::int64_t instance = 0;  // NODE_APP_INSTANCE.
  int cluster_number = 0;     // NODE_UNIQUE_ID of the run that is launched next; not kept.
  std::string unique_id;
  std::int64_t restarts = 0;
  RestartMemory memory;
  std::optional<ExitFacts> last_exit;
  std::int64_t cron_due_ns = 0;             // When cron_restart is due next; 0: never.
  std::vector<std::int64_t> limit_runs_ns;  // How long the last kLimitRuns runs took to reach
                                            // max_memory_restart, oldest first.
  RunId run;                                // 0: no run is alive.
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::int64_t started_ns = 0;  // Realtime, of the last run that reached exec.
  std::int64_t created_ns = 0;
  LogFiles logs;
  // A reload that is owed or under way: what it leads to, the run that shall take over, and those
  // that have been followed and have not ended yet.
  std::optional<AppSpec> reload_to;
  std::optional<SideRun> successor;
  LogFiles successor_logs;
  std::vector<LeavingRun> leaving;
  // Where the links of its current run's paths led, and its successor's; nullopt: not known.
  std::optional<Links> links, successor_links;
  bool proven = false;            // What runs now has lived for min_uptime.
  std::optional<Release> before;  // What a rollback leads to.
  std::string before_text;        // As the roster writes it; "": make it again.
  RunId failed_reload;  // Of the last reload, where it failed: the run that was to take over.
  Json actions;         // What its run has declared for `pmx trigger` (axm:action).
  std::string trouble;  // One line; "": none.
};

}  // namespace pmx::supervisor
