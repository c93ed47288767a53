#include "config/schema.h"

#include <array>
#include <cctype>
#include <map>

namespace pmx::config {
namespace {

template <auto Member>
auto& app_member(AppSpec& app) {
  return app.*Member;
}
template <auto Member>
auto& rotate_member(AppSpec& app) {
  return app.rotate.*Member;
}
template <auto Member>
auto& watch_member(AppSpec& app) {
  return app.watch.*Member;
}
template <auto Member>
auto& health_member(AppSpec& app) {
  return app.health.*Member;
}
// Variables, because a function template's name has no type from which Field could be chosen.
template <auto Member>
constexpr auto in_app = &app_member<Member>;
template <auto Member>
constexpr auto in_rotate = &rotate_member<Member>;
template <auto Member>
constexpr auto in_watch = &watch_member<Member>;
template <auto Member>
constexpr auto in_health = &health_member<Member>;

constexpr std::int64_t kKib = 1024;
constexpr std::int64_t kMostSizeBytes = kKib * kKib * kKib * kKib;
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

// Rows are in the order in which jlist and docs/SETTINGS.md show them.
// clang-format off
constexpr std::array kSettings{
    Setting{"name", "", "-n,--name", "<name>", Role::kApp, in_app<&AppSpec::name>, {}, "",
            "Name of the app; the script's file name without its ending where not given."},
    Setting{"namespace", "", "--namespace", "<name>", Role::kApp, in_app<&AppSpec::app_namespace>, {}, "",
            "Group that stop, restart and logs can name."},
    Setting{"script", "exec cmd command", "", "", Role::kApp, in_app<&AppSpec::script>, {}, "",
            "Path of a script or program, a program in PATH, or a shell line if it has a space."},
    Setting{"args", "", "", "", Role::kApp, in_app<&AppSpec::args>, {}, "",
            "Arguments of the app; on the command line everything after --."},
    Setting{"cwd", "", "--cwd", "<path>", Role::kApp, in_app<&AppSpec::cwd>, {}, "",
            "Directory in which the app runs; script and log paths are relative to it."},
    Setting{"exec_interpreter", "interpreter", "--interpreter", "<program>", Role::kApp, in_app<&AppSpec::interpreter>, {}, "",
            "Program that runs the script, none to run the script itself; by the script's ending where not given."},
    Setting{"node_args", "interpreter_args", "--node-args,--interpreter-args", "<arguments>", Role::kApp, in_app<&AppSpec::interpreter_args>, {}, "",
            "Arguments of the interpreter, before the script."},
    Setting{"source_map_support", "", "--source-map-support", "", Role::kApp, in_app<&AppSpec::source_map_support>, {}, "",
            "Run node with --enable-source-maps. Default: true where <script>.map is beside the script."},
    Setting{"exec_mode", "", "", "", Role::kApp, in_app<&AppSpec::exec_mode>, {}, "fork_mode cluster_mode fork cluster",
            "How instances run."},
    Setting{"balance", "", "--balance", "<how>", Role::kApp, in_app<&AppSpec::balance>, {}, "slots shared sticky rr",
            "Cluster mode: a queue of connections for each worker (slots), one for all (shared), by the client's address (sticky), or in turn by pmx itself (rr; Node's own way, else as slots)."},
    Setting{"drain_hook", "", "--no-drain-hook", "", Role::kApp, in_app<&AppSpec::drain_hook>, {}, "",
            "Cluster mode: a small module in each worker of Node (--require) and Bun (--preload) tells clients that keep connections open when it leaves."},
    Setting{"listen", "", "--listen", "<addresses>", Role::kApp, in_app<&AppSpec::listen>, {}, "",
            "Sockets that each worker is started with, as descriptors 3 and up (LISTEN_FDS, as systemd passes them); name=address gives LISTEN_FDNAMES its name."},
    Setting{"instances", "", "-i,--instances", "<number>", Role::kApp, in_app<&AppSpec::instances>, {-1024, 1000}, "max",
            "Number of processes; max or 0 is one for each CPU, a negative number is that many fewer."},
    Setting{"instance_var", "", "--instance-var", "<name>", Role::kApp, in_app<&AppSpec::instance_var>, {}, "",
            "Environment variable that holds an instance's number."},
    Setting{"increment_var", "", "", "", Role::kApp, in_app<&AppSpec::increment_var>, {}, "",
            "Environment variable that is a number, and one more for each further instance."},
    Setting{"env", "", "", "", Role::kApp, in_app<&AppSpec::env>, {}, "",
            "Environment variables on top of the shell's; env_<name> is added with --env <name>."},
    Setting{"env_file", "", "--env-file", "<path...>", Role::kApp, in_app<&AppSpec::env_file>, {}, "",
            "Files of NAME=value lines, read at each start of a worker: over the shell's variables, under env. A ? at the end: it may be missing."},
    Setting{"uid", "user", "--uid", "<user>", Role::kApp, in_app<&AppSpec::uid>, {}, "",
            "User (name or number) that runs the app; only root can set it."},
    Setting{"username", "", "", "", Role::kApp, in_app<&AppSpec::username>, {}, "",
            "Name to show of the user that runs the app."},
    Setting{"gid", "", "--gid", "<group>", Role::kApp, in_app<&AppSpec::gid>, {}, "",
            "Group (name or number) that runs the app; only root can set it."},

    Setting{"out_file", "out output out_log", "-o,--output", "<path>", Role::kApp, in_app<&AppSpec::out_file>, {}, "",
            "File of the standard output; /dev/null for none. Default: logs/<name>-out.log in the home."},
    Setting{"error_file", "error err err_file err_log", "-e,--error", "<path>", Role::kApp, in_app<&AppSpec::error_file>, {}, "",
            "File of the standard error; /dev/null for none. Default: logs/<name>-error.log in the home."},
    Setting{"log_file", "log", "-l,--log", "[path]", Role::kApp, in_app<&AppSpec::log_file>, {}, "",
            "File of both outputs together; true (or -l alone) is logs/<name>.log in the home."},
    Setting{"merge_logs", "combine_logs", "--merge-logs", "", Role::kApp, in_app<&AppSpec::merge_logs>, {}, "",
            "One file for all instances. Default: true for a single process, false where instances is given."},
    Setting{"disable_logs", "", "--disable-logs", "", Role::kApp, in_app<&AppSpec::disable_logs>, {}, "",
            "Keep no logs."},
    Setting{"log_type", "", "--log-type", "<type>", Role::kApp, in_app<&AppSpec::log_type>, {}, "json",
            "json writes one JSON record a line; else lines are kept as they are."},
    Setting{"log_date_format", "", "--log-date-format", "<format>", Role::kApp, in_app<&AppSpec::log_date_format>, {}, "",
            "Put the time before each line, as YYYY-MM-DD HH:mm:ss Z."},
    Setting{"time", "", "--time", "", Role::kApp, in_app<&AppSpec::time>, {}, "",
            "Short for log_date_format YYYY-MM-DDTHH:mm:ss."},
    Setting{"pid_file", "pid", "-p,--pid", "<path>", Role::kApp, in_app<&AppSpec::pid_file>, {}, "",
            "File of the process id; -<id> is put before the ending."},

    Setting{"redact.builtin", "", "--redact", "", Role::kApp, in_app<&AppSpec::redact>, {}, "",
            "Take tokens, keys, passwords in URLs and card numbers out of lines before they reach the disk; redact: true is short for it."},
    Setting{"redact.patterns", "", "--redact-patterns", "<pattern...>", Role::kApp, in_app<&AppSpec::redact>, {}, "",
            "What is found in a line is written as [redacted]."},
    Setting{"redact.keys", "", "--redact-keys", "<names>", Role::kApp, in_app<&AppSpec::redact>, {}, "",
            "JSON keys, at any depth, whose values are not written."},

    Setting{"rotate.max_size", "", "--rotate-max-size", "<size>", Role::kApp, in_rotate<&RotatePolicy::max_size_bytes>, {kKib, kMostSizeBytes}, "off",
            "Rotate a log once it has this size."},
    Setting{"rotate.every", "", "--rotate-every", "<when>", Role::kApp, in_rotate<&RotatePolicy::every>, {}, "hour day",
            "Rotate each hour, each day, or by a cron pattern."},
    Setting{"rotate.retain", "", "--rotate-retain", "<count>", Role::kApp, in_rotate<&RotatePolicy::retain>, {1, 1'000'000}, "all",
            "Rotated files to keep of each log."},
    Setting{"rotate.max_age", "", "--rotate-max-age", "<duration>", Role::kApp, in_rotate<&RotatePolicy::max_age>, {1000, 36500 * kDayMs}, "off",
            "Delete rotated files that are older, as 7d."},
    Setting{"rotate.max_total_size", "", "--rotate-max-total-size", "<size>", Role::kApp, in_rotate<&RotatePolicy::max_total_size_bytes>, {kKib, kKib * kMostSizeBytes}, "off",
            "Delete the oldest rotated files of a log when all of them are larger together."},
    Setting{"rotate.compress", "", "--rotate-compress", "<how>", Role::kApp, in_rotate<&RotatePolicy::compress>, {}, "",
            "How rotated files are packed."},
    Setting{"rotate.level", "", "--rotate-level", "<level>", Role::kApp, in_rotate<&RotatePolicy::level>, {1, 19}, "default",
            "Compression level."},
    Setting{"when_full", "", "--when-full", "<how>", Role::kApp, in_app<&AppSpec::when_full>, {}, "",
            "When the disk is full and own archives have gone: drop (and count) new lines, or block the app."},
    Setting{"sync", "", "--sync", "<when>", Role::kApp, in_app<&AppSpec::sync>, {100, 3600 * 1000}, "",
            "When lines are forced to the disk: at each seal, each batch, or after an interval."},
    Setting{"ship", "", "--ship", "<url...>", Role::kApp, in_app<&AppSpec::ship>, {}, "",
            "Stores that get every line too, as loki+http://host:3100; none for no store. All of it: \"Shipping\" below."},

    Setting{"autorestart", "", "--no-autorestart", "", Role::kApp, in_app<&AppSpec::autorestart>, {}, "",
            "Start the app again when it ends."},
    Setting{"autostart", "", "--no-autostart", "", Role::kApp, in_app<&AppSpec::autostart>, {}, "",
            "Start the app when it is added; else it is listed as stopped."},
    Setting{"max_restarts", "", "--max-restarts", "<count>", Role::kApp, in_app<&AppSpec::max_restarts>, {0, 1'000'000'000}, "",
            "Restarts in a row after less than min_uptime before the app is errored."},
    Setting{"min_uptime", "", "--min-uptime", "<duration>", Role::kApp, in_app<&AppSpec::min_uptime>, {100, 365 * kDayMs}, "",
            "A run that is shorter counts as a failed start."},
    Setting{"restart_delay", "", "--restart-delay", "<duration>", Role::kApp, in_app<&AppSpec::restart_delay>, {0, kDayMs}, "",
            "Wait before each restart."},
    Setting{"exp_backoff_restart_delay", "", "--exp-backoff-restart-delay", "<duration>", Role::kApp, in_app<&AppSpec::exp_backoff_restart_delay>, {0, kDayMs}, "",
            "First wait before a restart; grows by half each time, up to exp_backoff_max_delay."},
    Setting{"exp_backoff_max_delay", "", "--exp-backoff-max-delay", "<duration>", Role::kApp, in_app<&AppSpec::exp_backoff_max_delay>, {1, kDayMs}, "",
            "The longest such wait."},
    Setting{"stop_exit_codes", "", "--stop-exit-codes", "<codes...>", Role::kApp, in_app<&AppSpec::stop_exit_codes>, {0, 255}, "",
            "Exit codes after which the app is not started again."},
    Setting{"kill_signal", "", "--kill-signal", "<signal>", Role::kApp, in_app<&AppSpec::kill_signal>, {}, "SIGINT SIGTERM SIGQUIT SIGHUP SIGUSR1 SIGUSR2 SIGWINCH",
            "What tells an app to end; SIGINT where nothing is said."},
    Setting{"kill_timeout", "", "-k,--kill-timeout", "<duration>", Role::kApp, in_app<&AppSpec::kill_timeout>, {0, kDayMs}, "",
            "Time from that to SIGKILL when an app is stopped."},
    Setting{"treekill", "", "--no-treekill", "", Role::kApp, in_app<&AppSpec::treekill>, {}, "",
            "Stop the whole process group, not only the app's first process."},
    Setting{"wait_ready", "", "--wait-ready", "", Role::kApp, in_app<&AppSpec::wait_ready>, {}, "",
            "Online only once the app has said so: process.send('ready'), or \"ready\" and a newline to the descriptor in NODE_CHANNEL_FD."},
    Setting{"listen_timeout", "", "--listen-timeout", "<duration>", Role::kApp, in_app<&AppSpec::listen_timeout>, {0, kDayMs}, "",
            "Time for that; after it the command fails, and the app goes on and may still get ready. 0 is the default."},
    Setting{"health.path", "", "--health", "<path>", Role::kApp, in_health<&HealthRule::path>, {}, "",
            "Cluster mode: at a reload each new worker is asked for this, by HTTP GET, before it takes over; where it answers wrongly the old ones stay. health: /path is short for it."},
    Setting{"health.expect", "", "--health-expect", "<answer>", Role::kApp, in_health<&HealthRule::expect>, {}, "",
            "The right answer: a status, or with a status of 2xx what its body has in it."},
    Setting{"health.within", "", "--health-within", "<duration>", Role::kApp, in_health<&HealthRule::within>, {100, kDayMs}, "listen_timeout",
            "It is asked again until it answers rightly, for so long."},
    Setting{"health.port", "", "--health-port", "<port>", Role::kApp, in_health<&HealthRule::port>, {1, 65'535}, "first",
            "Where it listens on several: which of them is asked, in plain HTTP."},
    Setting{"shutdown_with_message", "", "--shutdown-with-message", "", Role::kApp, in_app<&AppSpec::shutdown_with_message>, {}, "",
            "Stop by the message 'shutdown' (process.on('message')) in place of a signal."},
    Setting{"cron_restart", "cron", "-c,--cron,--cron-restart", "<pattern>", Role::kApp, in_app<&AppSpec::cron_restart>, {}, "",
            "Restart at these times, also when stopped. With autorestart: false a job: started at each time, left out where the last one still runs."},
    Setting{"max_memory_restart", "", "--max-memory-restart", "<size>", Role::kApp, in_app<&AppSpec::max_memory_restart>, {kKib, kMostSizeBytes}, "off",
            "Restart a worker whose first process has more than this in memory; one of an app at a time."},
    Setting{"watch", "", "--watch", "[paths...]", Role::kApp, in_app<&AppSpec::watch>, {}, "",
            "Restart when files change: true for those below cwd, or paths."},
    Setting{"ignore_watch", "", "--ignore-watch", "<paths>", Role::kApp, in_watch<&WatchPolicy::ignore>, {}, "",
            "Whose changes do not count: names, paths, globs, or /regular expressions/; always node_modules, what begins with a dot, and the app's own logs."},
    Setting{"watch_delay", "", "--watch-delay", "<delay>", Role::kApp, in_watch<&WatchPolicy::delay>, {0, kDayMs}, "",
            "Wait so long after the last change; at least 0.1 s."},

    Setting{"name_prefix", "", "", "", Role::kLoader, Plain::kText, {}, "", "Name the app <prefix>:<name>."},
    Setting{"port", "", "", "", Role::kLoader, Plain::kNumber, {0, 65535}, "", "Sets the environment variable PORT."},
    Setting{"execute_command", "", "-x,--execute-command", "", Role::kLoader, Plain::kFlag, {}, "", "Run in fork mode."},
    Setting{"filter_env", "", "--filter-env", "<names...>", Role::kLoader, Plain::kFlagOrWords, {}, "",
            "Of the shell's variables leave out the one of this name or, with a list, all whose name contains one of these; true leaves out all."},
    Setting{"append_env_to_name", "", "", "", Role::kLoader, Plain::kFlag, {}, "", "Name the app <name>-<env> with --env."},
    Setting{"disable_source_map_support", "", "--disable-source-map-support", "", Role::kLoader, Plain::kFlag, {}, "",
            "The opposite of source_map_support."},

    Setting{"watch_options", "", "", "", Role::kMoot, {}, {}, "", "Options of PM2's watcher: pmx watches by inotify, and what it is told by ignore_watch is enough."},
    Setting{"trace", "", "--trace", "", Role::kLater, Plain::kFlag, {}, "", "PM2's tracing."},
    Setting{"v8", "", "--v8", "", Role::kLater, Plain::kFlag, {}, "", "PM2's V8 metrics."},
    Setting{"event_loop_inspector", "", "--event-loop-inspector", "", Role::kLater, Plain::kFlag, {}, "", "PM2's metrics."},
    Setting{"deep_monitoring", "", "--deep-monitoring", "", Role::kLater, Plain::kFlag, {}, "", "PM2's metrics."},
    Setting{"io", "", "", "", Role::kLater, {}, {}, "", "Options of PM2's agent."},
    Setting{"install_url", "", "", "", Role::kLater, Plain::kText, {}, "", "PM2's modules."},
    Setting{"post_update", "", "", "", Role::kLater, Plain::kWords, {}, "", "Commands after pm2 pull."},
    Setting{"force", "", "", "", Role::kLater, Plain::kFlag, {}, "", "Option -f of the command line does this."},
    Setting{"write", "", "", "", Role::kLater, Plain::kFlag, {}, "", "PM2 wrote the settings to a file."},
    Setting{"pmx", "", "--no-pmx", "", Role::kMoot, Plain::kFlagOrText, {}, "", "PM2's agent inside Node apps: there is none."},
    Setting{"automation", "", "--no-automation", "", Role::kMoot, Plain::kFlag, {}, "", "PM2's agent inside Node apps: there is none."},
    Setting{"vizion", "", "--no-vizion", "", Role::kMoot, Plain::kFlag, {}, "", "Git metadata, which PM2 7 shows only where its daemon was told to."},
    Setting{"disable_trace", "", "--disable-trace", "", Role::kMoot, Plain::kFlag, {}, "", "PM2's tracing: there is none."},
    Setting{"kill_retry_time", "", "", "", Role::kMoot, Plain::kNumber, {0, kDayMs}, "", "PM2's polling interval: an end is seen when it happens."},
    Setting{"windowsHide", "", "", "", Role::kMoot, Plain::kFlag, {}, "", "Windows' windows."},
};
// clang-format on

constexpr bool rows_are_complete() {
  for (const Setting& row : kSettings) {
    const bool has_field = !std::holds_alternative<std::monostate>(row.field) &&
                           !std::holds_alternative<Plain>(row.field);
    if ((row.role == Role::kApp) != has_field || row.help.empty()) return false;
  }
  return true;
}
constexpr bool keys_are_unique() {
  for (std::size_t i = 0; i < kSettings.size(); ++i)
    for (std::size_t j = i + 1; j < kSettings.size(); ++j)
      if (kSettings[i].key == kSettings[j].key) return false;
  return true;
}
static_assert(rows_are_complete(), "a row without its field or help");
static_assert(keys_are_unique(), "two rows for one setting");

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    words.push_back(text.substr(0, space));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return words;
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }

std::vector<std::string> names_of(const Setting& setting) {
  std::vector<std::string> names{std::string(setting.key)};
  for (const std::string_view alias : words_of(setting.aliases)) names.emplace_back(alias);
  for (std::size_t i = 0, count = names.size(); i < count; ++i)
    if (std::string camel = camel_case(names[i]); camel != names[i]) names.push_back(camel);
  return names;
}

const Setting* find_setting(std::string_view name) {
  static const auto kByName = [] {
    std::map<std::string, const Setting*, std::less<>> by_name;
    for (const Setting& setting : kSettings)
      for (std::string& known : names_of(setting)) by_name.emplace(std::move(known), &setting);
    return by_name;
  }();
  const auto found = kByName.find(name);
  return found == kByName.end() ? nullptr : found->second;
}

std::vector<std::string_view> setting_names() {
  std::vector<std::string_view> names;
  for (const Setting& setting : kSettings) {
    names.push_back(setting.key);
    for (const std::string_view alias : words_of(setting.aliases)) names.push_back(alias);
  }
  return names;
}

std::string camel_case(std::string_view key) {
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '_' && i + 1 < key.size() && i > 0)
      out += static_cast<char>(std::toupper(static_cast<unsigned char>(key[++i])));
    else
      out += key[i];
  }
  return out;
}

}  // namespace pmx::config
