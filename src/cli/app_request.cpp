#include "cli/app_request.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/sys.h"
#include "base/units.h"
#include "cli/pm2_variables.h"
#include "config/app_config.h"
#include "config/ecosystem.h"
#include "config/normalise.h"
#include "config/resolve_ship.h"
#include "config/schema.h"
#include "config/settings.h"

namespace pmx::cli {
namespace {

// CPUs that we may run on: fewer than the machine has in a container or under taskset.
std::int64_t usable_cpus() {
  cpu_set_t cpus;
  if (::sched_getaffinity(0, sizeof cpus, &cpus) == 0) return std::max(1, CPU_COUNT(&cpus));
  return std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
}

Json option_value(const config::Setting& setting, const std::vector<std::string>& values) {
  // `--no-autorestart` says false; a flag, and an option whose value was left out, say true.
  if (setting.options.find("--no-") != std::string_view::npos) return false;
  if (setting.value.empty()) return true;
  if (setting.value.front() == '[' && values.back().empty()) return true;
  const bool repeatable = setting.value.find("...") != std::string_view::npos;
  // PM2: a list, also of one, drops by a part of the name.
  if (setting.key == "filter_env") return Json::Array(values.begin(), values.end());
  // PM2: seconds, where a file has milliseconds.
  if (setting.key == "watch_delay" && parse_integer(values.back())) return values.back() + "s";
  if (!repeatable || values.size() == 1) {
    if (setting.key != "stop_exit_codes") return values.back();
    std::string codes = values.back();  // PM2: "0,1" and "0 1" alike.
    std::replace(codes.begin(), codes.end(), ',', ' ');
    return codes;
  }
  return Json::Array(values.begin(), values.end());
}

// PM2 applies only these options (and we what it does not have) to the apps of a file; the rest is
// the file's to say.
constexpr std::array<std::string_view, 9> kOptionsOverFile{
    "uid",        "gid", "cwd", "watch", "ship", "env_file", "redact.builtin", "redact.patterns",
    "redact.keys"};

void apply_options(Json& app, const Json& options) {
  for (const std::string_view key : kOptionsOverFile)
    if (const Json* value = options.find(key)) app.set(key, *value);
  if (app.find("namespace") == nullptr && options.find("namespace") != nullptr)
    app.set("namespace", options["namespace"]);
}

void warn_of_ignored(Session& session, const Json& options) {
  std::string ignored;
  for (const auto& [key, value] : options.members()) {
    const bool applied = std::find(kOptionsOverFile.begin(), kOptionsOverFile.end(), key) !=
                             kOptionsOverFile.end() ||
                         key == "namespace";
    if (!applied) ignored += (ignored.empty() ? "" : ", ") + key;
  }
  if (!ignored.empty())
    session.console.warn("the file says what its apps are: these options are ignored: " + ignored);
}

// Takes what the user said of sinks, secrets and all, out of an app and puts resolved sinks in.
Result<void> take_ship(Session& session, Json& app, const config::ResolveContext& context) {
  config::ResolvedShip ship = PMX_TRY(config::resolve_ship(app, context));
  for (const std::string& warning : ship.warnings) session.console.warn(warning);
  session.ship_secrets.merge(ship.secrets);
  return {};
}

Result<AppSpec> resolved(Session& session, Json& app, const config::ResolveContext& context) {
  PMX_TRY(take_ship(session, app, context));
  AppSpec spec = PMX_TRY(config::resolve_app(app, context));
  if (!spec.cron_restart.empty()) session.console.info("cron restart at " + spec.cron_restart);
  return spec;
}

// Where several apps are in a file, which of them.
std::string named(const Json& app, const std::string& mistake) {
  const std::string& name = app["name"].as_string();
  return name.empty() ? mistake : "app " + name + ": " + mistake;
}

// Each mistake has its line: the last of them is the error, which the caller prints.
Result<void> refuse(Session& session, const std::vector<std::string>& mistakes) {
  if (mistakes.empty()) return {};
  for (std::size_t i = 0; i + 1 < mistakes.size(); ++i) session.console.error(mistakes[i]);
  return invalid(mistakes.back());
}

// The same for `--ship` of an app that is listed already.
Result<void> change_ship(const Session& session, Json& changes, Json& body) {
  const Json* const written = changes.find("ship");
  if (written == nullptr || *written == Json("null")) return {};
  const config::ResolveContext context = PMX_TRY(resolve_context(session));
  const config::ResolvedShip ship = PMX_TRY(config::resolve_sinks(*written, context));
  Console console = session.console;
  for (const std::string& warning : ship.warnings) console.warn(warning);
  changes.set("ship", config::sinks_to_json(ship.specs));
  if (!ship.secrets.empty()) body.set("ship_secrets", config::secrets_to_json(ship.secrets));
  return {};
}

std::string absolute_file(const std::string& path, const std::string& cwd) {
  return (std::filesystem::path(cwd) / path).lexically_normal().string();
}

Json absolute_files(const Json& written, const std::string& cwd) {
  Json paths = Json::array();
  for (const Json& path : written.is_array() ? written.items() : Json::Array{written})
    paths.push_back(absolute_file(path.as_string(), cwd));
  return paths;
}

bool is_one_of(const Json& value, std::initializer_list<const char*> words) {
  return std::any_of(words.begin(), words.end(),
                     [&value](const char* word) { return value == Json(word); });
}

// PM2: the word null as an option's value takes the key back to its default.
Json nulls_for_words(const Json& changes) {
  Json out = Json::object();
  for (const auto& [key, value] : changes.members())
    out.set(key, value == Json("null") ? Json() : value);
  return out;
}

Json without_nulls(const Json& changes) {
  Json out = Json::object();
  for (const auto& [key, value] : changes.members())
    if (!(value == Json("null"))) out.set(key, value);
  return out;
}

void warn_of_wrong_variables(Session& session) {
  AppSpec unused;
  for (const std::string& line : apply_pm2_variables(session.env, unused))
    session.console.warn(line);
}

}  // namespace

Json app_of_options(const CommandLine& line) {
  Json app = Json::object();
  for (const config::Setting& setting : config::settings()) {
    if (setting.options.empty()) continue;
    const std::string_view name = long_name(setting.options);
    if (line.has(name)) app.set(setting.key, option_value(setting, line.values(name)));
  }
  return app;
}

Result<Json> stored_settings(const std::string& home) {
  const std::string path = home + "/state/settings.json";
  const Result<std::string> text = sys::read_file(path);
  if (!text && text.error().code() == Errc::kNotFound) return Json::object();
  if (!text) return text.error();
  return PMX_TRY_WITHIN(path, Json::parse(*text));
}

Result<config::ResolveContext> resolve_context(const Session& session) {
  const Json values = PMX_TRY(stored_settings(session.home));
  config::Settings settings = PMX_TRY(config::settings_from_json(values));
  config::ResolveContext context;
  context.cwd = session.cwd;
  context.home = session.home;
  context.env = session.env;
  context.cpus = usable_cpus();
  context.is_root = ::geteuid() == 0;
  context.env_name = session.line.value("env");
  context.defaults = std::move(settings.app_defaults);
  if (session.command == kForegroundCommand) {
    // Whoever started us is to see a crash; and docker stop's own SIGKILL comes after 10 s.
    if (!session.starts_in_foreground) context.defaults.autorestart = false;
    context.defaults.kill_timeout = kForegroundKillTimeout;
  }
  (void)apply_pm2_variables(session.env, context.defaults);
  return context;
}

Result<AppSpec> described_app(Session& session, const Json& written) {
  if (session.line.has("env"))
    session.console.warn("--env chooses env_" + session.line.value("env") +
                         " of an ecosystem file: it means nothing for a script");
  config::Normalised normalised = config::normalise_app(written, "");
  for (const std::string& warning : normalised.warnings) session.console.warn(warning);
  PMX_TRY(refuse(session, config::app_mistakes(normalised.app)));
  warn_of_wrong_variables(session);
  const config::ResolveContext context = PMX_TRY(resolve_context(session));
  return resolved(session, normalised.app, context);
}

Json written_app(const CommandLine& line, const std::string& script) {
  Json app = app_of_options(line);
  app.set("script", script);
  if (!line.app_args.empty())
    app.set("args", Json::Array(line.app_args.begin(), line.app_args.end()));
  return app;
}

Result<AppSpec> script_app(Session& session, const std::string& script) {
  return described_app(session, written_app(session.line, script));
}

Result<std::vector<AppSpec>> ecosystem_apps(Session& session, const std::string& file) {
  const bool from_stdin = file == "-";
  const std::string path = from_stdin || file.starts_with('/') ? file : session.cwd + "/" + file;
  const config::Ecosystem ecosystem = PMX_TRY(config::load_ecosystem(path));
  const std::vector<Json> chosen =
      PMX_TRY(config::only_apps(ecosystem.apps, session.line.value("only")));
  warn_of_wrong_variables(session);
  const config::ResolveContext context = PMX_TRY(resolve_context(session));
  const Json options = app_of_options(session.line);
  warn_of_ignored(session, options);
  const std::string shown = from_stdin ? "standard input" : file;
  std::vector<AppSpec> apps;
  std::vector<std::string> mistakes;
  for (const Json& written : chosen) {
    config::Normalised normalised =
        config::normalise_app(written, context.env_name, ecosystem.deploy[context.env_name]["env"]);
    for (const std::string& warning : normalised.warnings) session.console.warn(warning);
    apply_options(normalised.app, options);
    const std::vector<std::string> wrong = config::app_mistakes(normalised.app);
    for (const std::string& line : wrong) mistakes.push_back(shown + ": " + line);
    if (!wrong.empty()) continue;
    Result<AppSpec> app = resolved(session, normalised.app, context);
    if (app && !from_stdin) app->config = {path, ecosystem.hash, context.env_name, context.cwd};
    if (app)
      apps.push_back(std::move(*app));
    else
      mistakes.push_back(shown + ": " + named(written, app.error().message()));
  }
  if (!mistakes.empty() && chosen.size() > 1) mistakes.back() += "; no app of it was touched";
  PMX_TRY(refuse(session, mistakes));
  return apps;
}

Result<void> post_apps(Session& session, const std::vector<AppSpec>& apps) {
  Json list = Json::array();
  for (const AppSpec& app : apps) list.push_back(config::app_to_json(app));
  Json body = Json::object({{"apps", std::move(list)}, {"force", session.line.has("force")}});
  add_ship_secrets(session, body);
  const Json answer = PMX_TRY(session.client.post("/v1/start", body));
  print_messages(session, answer);
  return {};
}

void add_ship_secrets(const Session& session, Json& body) {
  if (!session.ship_secrets.empty())
    body.set("ship_secrets", config::secrets_to_json(session.ship_secrets));
}

Result<void> add_parallel(const Session& session, Json& body) {
  if (!session.line.has("parallel")) return {};
  const std::string text = session.line.value("parallel");
  const auto number = parse_integer(text);
  if (!number || *number < 1) return invalid("--parallel " + text + ": a number from 1 on");
  body.set("parallel", *number);
  return {};
}

Result<Json> changes_of_line(const Session& session, const std::string& target) {
  Json changes = app_of_options(session.line);
  if (const Json* const cron = changes.find("cron_restart"))
    Console(session.console)
        .info(*cron == Json("0") ? "disabling cron restart"
                                 : "cron restart at " + cron->as_string());
  changes.erase("instances");  // That is scaling, not a change of each.
  if (!session.line.app_args.empty())
    changes.set("args", Json::Array(session.line.app_args.begin(), session.line.app_args.end()));
  for (const std::string_view key : {"cwd", "out_file", "error_file", "log_file", "pid_file"}) {
    const Json* path = changes.find(key);
    if (path == nullptr) continue;
    if (path->is_bool()) {
      changes.set(key, session.home + "/logs/" + target + ".log");
    } else if (const std::string text = path->as_string(); text != "NULL" && text != "null") {
      changes.set(key, absolute_file(text, session.cwd));
    }
  }
  for (const std::string_view key : {"env_file", "watch"})
    if (const Json* const files = changes.find(key);
        files && !files->is_bool() && !is_one_of(*files, {"null", "true", "false"}))
      changes.set(key, absolute_files(*files, session.cwd));
  Json body = Json::object();
  PMX_TRY(change_ship(session, changes, body));
  PMX_TRY(config::app_from_json(without_nulls(changes)));
  if (!changes.members().empty()) body.set("changes", nulls_for_words(changes));
  if (session.line.has("update-env")) {
    Json::Object variables;
    for (const auto& [name, value] : session.env)
      if (!config::is_ship_variable(name)) variables.emplace_back(name, value);
    body.set("update_env", std::move(variables));
  }
  return body;
}

Json changes_of(const AppSpec& app) {
  Json changes = config::app_to_json(app);
  for (const char* key : {"instances", "instances_given", "exec_mode"}) changes.erase(key);
  // What the app no longer says goes; the keys with a field are all there.
  for (const config::Setting& setting : config::settings())
    if (setting.role != config::Role::kApp && changes.find(setting.key) == nullptr)
      changes.set(setting.key, Json());
  return changes;
}

void set_changes(Json& body, const AppSpec& app) {
  body.set("changes", changes_of(app));
  // A variable of an earlier shell that this file now leaves out must not come back.
  body.set("keep_shell_env", app.other["filter_env"].is_null());
}

}  // namespace pmx::cli
