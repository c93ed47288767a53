#include "api/jlist.h"

#include <algorithm>
#include <map>
#include <unordered_set>

#include "base/path.h"
#include "base/signal_name.h"
#include "supervisor/spawn_request.h"

namespace pmx::api {
namespace {

using supervisor::LogFiles;
using supervisor::LogStatus;
using supervisor::Worker;
using supervisor::WorkerRecord;
using supervisor::WorkerState;

Json words(const std::vector<std::string>& list) {
  Json json = Json::array();
  for (const std::string& word : list) json.push_back(word);
  return json;
}

// Neither code nor signal: nobody could tell.
Json code_of(const supervisor::ExitFacts& exit) {
  if (!exit.code) return nullptr;
  return *exit.code;
}
Json signal_of(const supervisor::ExitFacts& exit) {
  if (!exit.signal) return nullptr;
  return signal_name(*exit.signal);
}

Json last_exit(const WorkerRecord& record, const std::vector<RunId>& open) {
  if (!record.last_exit) return nullptr;
  const RunId run = record.last_exit->run;
  // A string: JavaScript's numbers are too short for it.
  return Json::object({{"code", code_of(*record.last_exit)},
                       {"signal", signal_of(*record.last_exit)},
                       {"at", record.last_exit->at_ns / 1'000'000},
                       {"ran_ms", record.last_exit->ran_ns / 1'000'000},
                       {"max_rss", record.last_exit->rss_kib * 1024},
                       {"cause", name_of(record.last_exit->cause)},
                       {"run", std::to_string(run.value)},
                       {"recorded", std::find(open.begin(), open.end(), run) == open.end()}});
}

Json limit_runs_ms(const WorkerRecord& record) {
  Json runs = Json::array();
  for (const std::int64_t time_ns : record.limit_runs_ns) runs.push_back(time_ns / 1'000'000);
  return runs;
}

Json logs_of(const LogFiles& files, const std::vector<LogStatus>& all) {
  Json logs = Json::array();
  for (const LogStatus& log : all) {
    if (log.path.empty()) continue;  // Would match a log that is not kept.
    if (log.path != files.out && log.path != files.err && log.path != files.log) continue;
    logs.push_back(Json::object({{"path", log.path},
                                 {"captured_lines", log.captured_lines},
                                 {"captured_bytes", log.captured_bytes},
                                 {"dropped_lines", log.dropped_lines},
                                 {"waiting_bytes", log.waiting_bytes},
                                 {"active_size", log.active_size_bytes},
                                 {"segment", log.segment},
                                 {"redactions", log.redactions},
                                 {"trouble", log.trouble}}));
  }
  return logs;
}

// Only where lines go: the rest of a sink is `pmx ship status`'s.
Json ship_of(const AppSpec& app) {
  Json list = Json::array();
  for (const SinkSpec& sink : app.ship)
    list.push_back(Json::object({{"name", sink.name},
                                 {"type", name_of(sink.type)},
                                 {"url", sink.urls.empty() ? "" : sink.urls.front()}}));
  return list;
}

constexpr std::string_view kHidden = "[secret]";

// Members that are not there yet. A set beside the object: environments have hundreds of names, and
// fifty workers are listed in a few milliseconds only if none is searched for one by one.
class Members {
 public:
  explicit Members(Json::Object members) : members_(std::move(members)) {
    for (const auto& [key, value] : members_) keys_.insert(key);
  }
  void add(const std::string& key, Json value) {
    if (keys_.insert(key).second) members_.emplace_back(key, std::move(value));
  }
  Json take() { return Json(std::move(members_)); }

 private:
  Json::Object members_;
  std::unordered_set<std::string> keys_;
};

// PM2 has no such key then, and its users ask whether there is one.
bool is_unset(const AppSpec& app, std::string_view key) {
  return (key == "cron_restart" && app.cron_restart.empty()) ||
         (key == "max_memory_restart" && app.max_memory_restart == 0) ||
         (key == "ignore_watch" && app.watch.ignore.empty());
}

// What the app was given, and of PM2's own what a program that reads the list asks for.
supervisor::Variables shown_variables(const WorkerRecord& record, const std::string& home) {
  supervisor::Variables variables = record.spec.env;
  for (const auto& [name, value] : {std::pair<const char*, std::string>{"PM2_HOME", home},
                                    {"PM2_USAGE", "CLI"},
                                    {"unique_id", record.unique_id}})
    if (!record.spec.own_env.contains(name)) variables[name] = value;
  if (base_name(record.spec.interpreter).starts_with("python"))
    variables.try_emplace("PYTHONUNBUFFERED", "1");
  return variables;
}

Json watched(const AppSpec& app) {
  return app.watch.on && !app.watch.paths.empty() ? words(app.watch.paths) : Json(app.watch.on);
}

Json or_null(const std::string& text) {
  if (text.empty()) return nullptr;
  return text;
}

}  // namespace

Json ProcessList::pm2_env(const Worker& worker, Detail detail) const {
  const WorkerRecord& record = worker.record();
  const AppSpec& app = record.spec;
  Members env({
      {"name", app.name},
      {"namespace", app.app_namespace},
      {"status", name_of(record.state)},
      {"pm_id", record.id.value},
      {"pm_uptime", record.started_ns / 1'000'000},
      {"created_at", record.created_ns / 1'000'000},
      {"restart_time", record.restarts},
      {"unstable_restarts", record.memory.unstable_ns.size()},
  });
  if (record.last_exit) {
    env.add("exit_code", code_of(*record.last_exit));
    env.add("exit_signal", signal_of(*record.last_exit));
  }
  env.add("pm_exec_path", app.script);
  env.add("pm_cwd", app.cwd);
  env.add("exec_interpreter", app.interpreter);
  env.add("exec_mode", app.exec_mode);
  env.add("instances", app.instances);
  env.add("args", words(app.args));
  env.add("node_args", words(app.interpreter_args));
  env.add("watch", watched(app));
  env.add("autorestart", app.autorestart);
  env.add("pm_out_log_path", record.logs.out.empty() ? "/dev/null" : record.logs.out);
  env.add("pm_err_log_path", record.logs.err.empty() ? "/dev/null" : record.logs.err);
  if (!record.logs.log.empty()) env.add("pm_log_path", record.logs.log);
  env.add("pm_pid_path", workers_.pid_file_of(record));
  env.add("merge_logs", app.merge_logs.value_or(!app.instances_given));
  env.add("version", app.version);
  env.add("node_version", nullptr);
  env.add("username", app.username);
  env.add("uid", or_null(app.uid));
  env.add("gid", or_null(app.gid));
  env.add("unique_id", record.unique_id);
  env.add(app.instance_var, record.instance);
  env.add("axm_actions", record.actions.is_array() ? record.actions : Json::array());
  env.add("axm_monitor", worker.monitor());
  for (const char* const key : {"axm_options", "axm_dynamic"}) env.add(key, Json::object());
  env.add("versioning", nullptr);
  for (const char* const key : {"vizion_running", "km_link", "_km_monitored", "pmx_module"})
    env.add(key, false);
  if (app.time) env.add("log_date_format", "YYYY-MM-DDTHH:mm:ss");
  env.add("kill_retry_time", 100);
  env.add("windowsHide", true);
  env.add("prev_restart_delay", record.memory.backoff_delay.count());
  if (detail != Detail::kDump) env.add("ship", ship_of(app));
  if (detail == Detail::kShort) return env.take();
  const Json canonical = codec_.to_json(app);
  for (const auto& [key, value] : canonical.members())
    if (key != "env" && key != "own_env" && !is_unset(app, key)) env.add(key, value);
  // PM2 shows the environment twice: flat, where a name of its own wins, and whole.
  if (detail == Detail::kDump) {
    for (const char* const key : {"env", "own_env"}) env.add(key, canonical[key]);
    return env.take();
  }
  Json::Object variables;
  const auto number = supervisor::incremented(app, app.env, record.instance);
  for (const auto& [key, value] : shown_variables(record, workers_.home())) {
    std::string_view shown = secret_variables_.contains(key) ? kHidden : value;
    if (key == app.increment_var && number) shown = *number;
    env.add(key, shown);
    variables.emplace_back(key, shown);
  }
  env.add("env", Json(std::move(variables)));
  return env.take();
}

Json ProcessList::element(const Worker& worker, const std::vector<LogStatus>& logs,
                          const std::vector<RunId>& open, Detail detail) {
  const WorkerRecord& record = worker.record();
  supervisor::Usage usage;
  if (record.pid > 0) usage = monitor_.sample(record.run, record.pid);
  std::string trouble = record.trouble;
  if (trouble.empty()) trouble = workers_.trouble();
  return Json::object({
      {"pid", record.pid},
      {"name", record.spec.name},
      {"pm2_env", pm2_env(worker, detail)},
      {"pm_id", record.id.value},
      {"monit", Json::object({{"memory", usage.memory_bytes}, {"cpu", usage.cpu_percent}})},
      {"pmx",
       Json::object({{"last_exit", last_exit(record, open)},
                     {"restarts_last_minute", worker.restarts_in_last_minute()},
                     {"trouble", trouble},
                     {"open_runs", open.size()},
                     {"failed_reload", record.failed_reload.value == 0
                                           ? Json(nullptr)
                                           : Json(std::to_string(record.failed_reload.value))},
                     {"port_sharing", workers_.port_sharing(record.spec)},
                     {"cron_due", record.cron_due_ns / 1'000'000},
                     {"limit_runs_ms", limit_runs_ms(record)},
                     {"logs", logs_of(record.logs, logs)}})},
  });
}

Json ProcessList::dump() const {
  Json list = Json::array();
  for (const Worker* worker : workers_.workers()) list.push_back(pm2_env(*worker, Detail::kDump));
  return list;
}

Json ProcessList::elements(const std::vector<const Worker*>& workers, Detail detail) {
  const std::vector<LogStatus> logs = pipeline_.status();
  // All workers have the variable that a sink's secret came from, if they are of one shell.
  secret_variables_.clear();
  for (const Worker* worker : workers_.workers())
    for (const SinkSpec& sink : worker->record().spec.ship)
      if (!sink.auth.secret_env.empty()) secret_variables_.insert(sink.auth.secret_env);
  std::map<WorkerId, std::vector<RunId>> open_runs = workers_.open_runs();
  Json list = Json::array();
  for (const Worker* worker : workers)
    list.push_back(element(*worker, logs, open_runs[worker->record().id], detail));
  return list;
}

Json ProcessList::jlist(Detail detail) {
  Json list = elements(workers_.workers(), detail);
  std::set<RunId> alive;
  for (const Worker* worker : workers_.workers()) alive.insert(worker->record().run);
  monitor_.keep_only(alive);
  return list;
}

Json ProcessList::named(std::string_view word) {
  std::vector<const Worker*> by_name, by_id;
  for (const Worker* worker : workers_.workers()) {
    const WorkerRecord& record = worker->record();
    if (record.spec.name == word) by_name.push_back(worker);
    if (std::to_string(record.id.value) == word) by_id.push_back(worker);
  }
  return elements(by_name.empty() ? by_id : by_name, Detail::kAll);
}

}  // namespace pmx::api
