#include "cli/describe_view.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/time_text.h"
#include "base/units.h"
#include "cli/drift.h"
#include "cli/list_view.h"
#include "cli/text_table.h"

namespace pmx::cli {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string text_of(const Json& value) {
  if (value.is_null()) return "N/A";
  if (value.is_string()) return value.as_string().empty() ? "N/A" : value.as_string();
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& item : value.items()) out += (out.empty() ? "" : " ") + text_of(item);
  return out.empty() ? "N/A" : out;
}

// jlist's word as a part of a sentence.
std::string cause_text(const std::string& cause) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kTexts{
      {{"itself", "by itself"},
       {"asked", "as it was told to"},
       {"kill_timeout", "killed after kill_timeout"},
       {"out_of_memory", "killed for want of memory"},
       {"somebody", "by somebody else"},
       {"cron", "restarted by cron_restart"},
       {"memory_limit", "restarted by max_memory_restart"},
       {"files_changed", "restarted by watch"},
       {"pmx_lost", "ended with keeper and daemon"}}};
  for (const auto& [word, text] : kTexts)
    if (word == cause) return std::string(text);
  return cause;
}

std::string last_exit_text(const Json& exit) {
  if (!exit["cause"].is_null()) {
    const std::string how =
        exit["signal"].is_null() ? "code " + text_of(exit["code"]) : text_of(exit["signal"]);
    return how + " after " + uptime_text(exit["ran_ms"].as_int()) + ", " +
           cause_text(exit["cause"].as_string()) + ", " + iso_time(exit["at"].as_int() * 1'000'000);
  }
  if (exit.is_string()) return exit.as_string();
  std::string out;
  for (const auto& [key, value] : exit.members())
    if (!value.is_null()) out += (out.empty() ? "" : ", ") + key + " " + text_of(value);
  return out;
}

Rows rows_of(const Json& element, std::int64_t now_ms) {
  const Json& env = element["pm2_env"];
  const bool online = env["status"].as_string() == "online";
  Rows rows{{"status", text_of(env["status"])},
            {"name", text_of(element["name"])},
            {"namespace", text_of(env["namespace"])},
            {"version", text_of(env["version"])},
            {"restarts", text_of(env["restart_time"])}};
  if (env["max_memory_restart"].as_int() > 0)
    rows.emplace_back("max memory restart", text_of(env["max_memory_restart"]));
  if (!env["cron_restart"].is_null())
    rows.emplace_back("cron restart", text_of(env["cron_restart"]));
  rows.emplace_back("uptime", online ? uptime_text(now_ms - env["pm_uptime"].as_int(now_ms)) : "0");
  if (!env["pm_log_path"].as_string().empty())
    rows.emplace_back("entire log path", text_of(env["pm_log_path"]));
  rows.emplace_back("script path", text_of(env["pm_exec_path"]));
  rows.emplace_back("script args", text_of(env["args"]));
  const std::array<std::pair<const char*, const char*>, 6> middle{
      {{"error log path", "pm_err_log_path"},
       {"out log path", "pm_out_log_path"},
       {"pid path", "pm_pid_path"},
       {"interpreter", "exec_interpreter"},
       {"interpreter args", "node_args"},
       {"script id", "pm_id"}}};
  for (const auto& [title, key] : middle)
    rows.emplace_back(title, text_of(std::string_view(key) == "pm_id" ? element[key] : env[key]));
  for (const Json& sink : env["ship"].items())
    rows.emplace_back("ships to", sink["name"].as_string() + " (" + sink["url"].as_string() + ")");
  if (!env["env_file"].items().empty()) rows.emplace_back("env file", text_of(env["env_file"]));
  if (const std::string file = env["config"]["path"].as_string(); !file.empty())
    rows.emplace_back("config file", file);
  rows.emplace_back("exec cwd", text_of(env["pm_cwd"]));
  rows.emplace_back("exec mode", text_of(env["exec_mode"]));
  if (const std::string how = element["pmx"]["port_sharing"].as_string(); !how.empty())
    rows.emplace_back("port sharing", how);
  for (const Json& address : env["listen"].items())
    rows.emplace_back("listens on", text_of(address));
  rows.emplace_back("node.js version", text_of(env["node_version"]));
  rows.emplace_back("node env", text_of(env["env"]["NODE_ENV"]));
  rows.emplace_back("watch & reload", is_watched(env) ? "✔" : "✘");
  rows.emplace_back("unstable restarts", text_of(env["unstable_restarts"]));
  const std::int64_t created_ms = env["created_at"].as_int();
  rows.emplace_back("created at", created_ms > 0 ? iso_time(created_ms * 1'000'000) : "N/A");
  const Json& own = element["pmx"];
  if (!own["last_exit"].is_null()) rows.emplace_back("last exit", last_exit_text(own["last_exit"]));
  if (!own["restarts_last_minute"].is_null())
    rows.emplace_back("restarts in the last minute", text_of(own["restarts_last_minute"]));
  // Somebody whom an ended run left behind still holds its stdout or stderr.
  const std::int64_t left_behind =
      own["open_runs"].as_int() - (element["pid"].as_int() > 0 ? 1 : 0);
  if (left_behind > 0)
    rows.emplace_back("ended runs with open output", std::to_string(left_behind));
  if (!own["trouble"].as_string().empty()) rows.emplace_back("trouble", text_of(own["trouble"]));
  return rows;
}

// PM2's table of variables that are not in this shell as the app has them; its values are hidden
// as everywhere.
Rows divergent_rows(const Json& element, const DescribeOptions& options) {
  Environment env;
  for (const auto& [name, value] : element["pm2_env"]["env"].members())
    env[name] = value.as_string();
  const EnvDifference difference = env_difference(env, {}, options.shell);
  Rows rows;
  for (const auto* const names : {&difference.changed, &difference.gone})
    for (const std::string& name : *names)
      rows.emplace_back(name, shown_value(name, env[name], options.reveal));
  return rows;
}

Rows log_rows(const Json& log) {
  const auto size = [&](const char* key) {
    return format_size(static_cast<std::uint64_t>(std::max<std::int64_t>(0, log[key].as_int())));
  };
  Rows rows{{"captured",
             std::to_string(log["captured_lines"].as_int()) + " lines, " + size("captured_bytes")},
            {"active file", size("active_size") + ", segment " + text_of(log["segment"])},
            {"waiting", size("waiting_bytes")},
            {"dropped", std::to_string(log["dropped_lines"].as_int()) + " lines"}};
  if (log["redactions"].as_int() > 0)
    rows.emplace_back("redacted", text_of(log["redactions"]) + " since the daemon's start");
  if (!log["trouble"].as_string().empty()) rows.emplace_back("trouble", text_of(log["trouble"]));
  return rows;
}

std::string two_columns(const Console& console, const Rows& rows) {
  std::size_t left = 0, right = 0;
  std::vector<std::vector<Cell>> cells;
  for (const auto& [title, value] : rows) {
    left = std::max(left, display_width(title) + 2);
    right = std::max(right, display_width(value) + 2);
    cells.push_back({{title, Color::kCyan}, {value}});
  }
  return draw_table(console, {}, {left, right}, cells);
}

// What `pm2 env` leaves out, and PM2's own machinery.
constexpr std::array<std::string_view, 45> kNotShown{"name",
                                                     "exec_mode",
                                                     "env",
                                                     "args",
                                                     "pm_cwd",
                                                     "exec_interpreter",
                                                     "pm_exec_path",
                                                     "node_args",
                                                     "pm_out_log_path",
                                                     "pm_err_log_path",
                                                     "pm_pid_path",
                                                     "pm_id",
                                                     "status",
                                                     "pm_uptime",
                                                     "created_at",
                                                     "windowsHide",
                                                     "username",
                                                     "merge_logs",
                                                     "kill_retry_time",
                                                     "prev_restart_delay",
                                                     "instance_var",
                                                     "unstable_restarts",
                                                     "restart_time",
                                                     "axm_actions",
                                                     "pmx_module",
                                                     "command",
                                                     "watch",
                                                     "filter_env",
                                                     "versioning",
                                                     "vizion_running",
                                                     "pmx",
                                                     "axm_options",
                                                     "axm_dynamic",
                                                     "axm_monitor",
                                                     "vizion",
                                                     "instances",
                                                     "automation",
                                                     "autostart",
                                                     "autorestart",
                                                     "stop_exit_codes",
                                                     "treekill",
                                                     "exit_code",
                                                     "_km_monitored",
                                                     "km_link",
                                                     "other"};

}  // namespace

std::string describe_table(const Console& console, const Json& element, std::int64_t now_ms,
                           const DescribeOptions& options) {
  std::string out =
      console.paint(Color::kInverse, " Describing process with id " + element["pm_id"].dump() +
                                         " - name " + element["name"].as_string() + " ") +
      "\n";
  out += two_columns(console, rows_of(element, now_ms));
  for (const Json& log : element["pmx"]["logs"].items()) {
    out += console.paint(Color::kInverse, " Log " + log["path"].as_string() + " ") + "\n";
    out += two_columns(console, log_rows(log));
  }
  if (const Rows rows = divergent_rows(element, options); !rows.empty())
    out += console.paint(Color::kInverse, " Divergent env variables from local env ") + "\n" +
           two_columns(console, rows);
  return out;
}

std::string env_lines(const Console& console, const Json& element, Reveal reveal) {
  std::string out;
  const auto add = [&](const std::string& key, const Json& value) {
    out += key + ": " +
           console.paint(Color::kGreen, value.is_string() ? value.as_string() : value.dump()) +
           "\n";
  };
  const Json& env = element["pm2_env"];
  for (const auto& [key, value] : env["env"].members())
    add(key, shown_value(key, value.as_string(), reveal));
  for (const auto& [key, value] : env.members()) {
    const bool shown = std::find(kNotShown.begin(), kNotShown.end(), key) == kNotShown.end();
    if (shown && env["env"].find(key) == nullptr) add(key, value);
  }
  return out;
}

}  // namespace pmx::cli
