// One app as the user asked for it, after defaults and checks. Names are PM2's config keys where
// PM2 has them; config/schema.cpp is the table that fills and prints this.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/log_spec.h"
#include "model/sink_spec.h"

namespace pmx {

inline constexpr std::chrono::milliseconds kDefaultListenTimeout{3000};

// In place of a script: pmx's own file server, and the command of pmx that is one.
inline constexpr std::string_view kFileServerScript = "pmx:serve";
inline constexpr std::string_view kFileServerCommand = "serve-files";
inline constexpr std::string_view kSharePortOption = "--share-port";  // Of that command.

// The file that an app was read from, so that a restart can say that it has changed since.
struct ConfigSource {
  std::string path;           // Absolute; "": the app is of no file.
  std::string hash;           // Of its bytes.
  std::string env_name, cwd;  // --env and the shell's directory at that time.
  bool operator==(const ConfigSource&) const = default;
};

// Restart when files change.
struct WatchPolicy {
  bool on = false;
  std::vector<std::string> paths;   // Absolute; none: cwd.
  std::vector<std::string> ignore;  // As written, beside what is always ignored.
  std::chrono::milliseconds delay{0};
  bool operator==(const WatchPolicy&) const = default;
};

// What a new worker of a cluster app is asked, by HTTP GET, before it takes over at a reload.
struct HealthRule {
  std::string path;            // "": it is not asked.
  std::string expect = "200";  // A status, text of the body, or a /regular expression/ for it.
  std::chrono::milliseconds within{0};  // 0: listen_timeout.
  int port = 0;                         // 0: the first that it has asked for.
  bool operator==(const HealthRule&) const = default;
};

struct AppSpec {
  std::string name;
  std::string app_namespace = "default";
  std::string script;  // Absolute path, a shell line's shell, or kFileServerScript.
  std::vector<std::string> args;
  std::string interpreter = "none";  // "none": exec the script itself.
  std::vector<std::string> interpreter_args;
  std::string cwd;
  std::map<std::string, std::string> env;  // The whole environment, but for what env_file says.
  std::set<std::string> own_env;           // Names in `env` that the app says, not the shell.
  std::vector<std::string> env_file;  // Read at each start; absolute, with ? where it may miss.
  std::string exec_mode = "fork_mode";
  std::string balance = "slots";  // Cluster mode: "slots", "shared" or "sticky".
  bool drain_hook = true;         // Cluster mode: clients are told when a worker leaves.
  std::int64_t instances = 1;
  bool instances_given = false;  // PM2: `instances` named at all makes logs unmerged.
  std::string instance_var = "NODE_APP_INSTANCE";
  std::string increment_var;  // "": none.
  std::optional<bool> source_map_support;
  std::string version = "N/A";
  std::string uid, gid;  // As written; "" keeps ours.
  std::string username;

  std::string out_file, error_file, log_file;  // As written; "" is the default (log_file: none).
  std::optional<bool> merge_logs;
  bool disable_logs = false;
  bool time = false;
  std::string log_type;  // "" or "json"
  std::string log_date_format;
  RedactRules redact;  // Before a line reaches the disk.
  std::string pid_file;
  RotatePolicy rotate;
  WhenFull when_full = WhenFull::kDrop;
  SyncPolicy sync;
  std::vector<SinkSpec> ship;  // Stores that get every line; none has a secret in it.
  bool ship_from_home = true;  // The app names none: `ship` is the home's, and changes with it.

  bool autorestart = true;
  bool autostart = true;
  std::int64_t max_restarts = 16;  // Unstable restarts before `errored`.
  std::chrono::milliseconds min_uptime{1000};
  std::chrono::milliseconds restart_delay{0};
  std::chrono::milliseconds exp_backoff_restart_delay{0};
  std::chrono::milliseconds exp_backoff_max_delay{15'000};
  std::vector<int> stop_exit_codes;
  std::string kill_signal;  // "SIGTERM"; "": SIGINT, or when it leaves the one that it handles.
  std::chrono::milliseconds kill_timeout{1600};
  bool treekill = true;
  bool wait_ready = false;  // Online only once it has said "ready" over its channel.
  std::chrono::milliseconds listen_timeout{kDefaultListenTimeout};
  HealthRule health;
  bool shutdown_with_message = false;    // "shutdown" over its channel in place of a signal.
  std::string cron_restart;              // A pattern of base/schedule.h; "": none.
  std::uint64_t max_memory_restart = 0;  // Bytes in memory (RSS) of its first process; 0: no bound.
  WatchPolicy watch;

  // Of a rollback, until the app is next reloaded or restarted by hand: its paths, and what is
  // started in their place, because a link on the way leads elsewhere by now.
  std::map<std::string, std::string> pinned;

  ConfigSource config;
  Json other;  // Keys of PM2 that are accepted, kept and shown, and have no effect yet.
};

}  // namespace pmx
