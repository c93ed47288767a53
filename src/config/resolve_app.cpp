#include "config/resolve_app.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "base/path.h"
#include "base/sys.h"
#include "base/units.h"
#include "config/app_config.h"
#include "config/internal/interpreter.h"
#include "config/internal/path_lookup.h"
#include "config/internal/value_text.h"
#include "config/node_version.h"
#include "config/resolve_ship.h"
#include "config/schema.h"
#include "supervisor/env_files.h"
#include "supervisor/listen_spec.h"

namespace pmx::config {
namespace {

std::string value_of(const std::map<std::string, std::string>& env, const std::string& name) {
  const auto found = env.find(name);
  return found == env.end() ? "" : found->second;
}

bool flag(const Json& value) { return as_bool(value).value_or(false); }

// PM2: one name drops that variable, a list drops every variable whose name contains an entry.
// `true` drops all in PM2's documentation (and nothing in its code).
std::map<std::string, std::string> shell_environment(const Json& app,
                                                     const ResolveContext& context) {
  const Json& filter = app["filter_env"];
  if (flag(filter)) return {};
  std::map<std::string, std::string> env = context.env;
  std::erase_if(env, [](const auto& variable) { return is_ship_variable(variable.first); });
  if (filter.is_string()) env.erase(filter.as_string());
  for (const Json& part : filter.items())
    std::erase_if(env, [&](const auto& variable) {
      return !part.as_string().empty() &&
             variable.first.find(part.as_string()) != std::string::npos;
    });
  return env;
}

void resolve_environment(AppSpec& app, const Json& json, const ResolveContext& context) {
  std::map<std::string, std::string> env = shell_environment(json, context);
  if (!json["port"].is_null()) app.env["PORT"] = scalar_text(json["port"]);
  env["PWD"] = app.cwd;
  app.own_env.clear();
  for (auto& [name, value] : app.env) {
    app.own_env.insert(name);
    env[name] = std::move(value);
  }
  app.env = std::move(env);
}

std::string default_name(std::string_view script) {
  std::string_view name = base_name(script);
  const std::string_view ending = extension(script);
  name.remove_suffix(ending.size());
  return std::string(name);
}

// True when the script was a shell line, which is now the argument of a shell.
bool resolve_shell_line(AppSpec& app) {
  if (app.script.find(' ') == std::string::npos) return false;
  if (is_file(absolute_path(app.cwd, app.script))) return false;
  const std::string path = value_of(app.env, "PATH");
  auto shell = find_in_path("bash", path);
  if (!shell) shell = find_in_path("sh", path);
  std::vector<std::string> args{"-c", app.script};
  if (!app.args.empty()) {
    args.emplace_back("sh");  // $0; the app's own arguments are $1 and so on.
    args.insert(args.end(), app.args.begin(), app.args.end());
  }
  app.args = std::move(args);
  app.script = shell.value_or("/bin/sh");
  app.interpreter = "none";
  return true;
}

Result<void> resolve_script(AppSpec& app, bool interpreter_given, const std::string& home) {
  if (resolve_shell_line(app)) return {};
  const std::string path = absolute_path(app.cwd, app.script, value_of(app.env, "HOME"));
  if (is_file(path)) {
    app.script = path;
  } else if (const auto program = find_in_path(app.script, value_of(app.env, "PATH"))) {
    app.script = absolute_path(app.cwd, *program);
  } else {
    return Error(Errc::kNotFound, "Script not found: " + path);
  }
  return choose_interpreter(app, interpreter_given, node_version_cache(home));
}

// It says when it listens, so that a port that somebody else has is an error of the command.
void resolve_file_server(AppSpec& app, const Json& json) {
  app.interpreter = "none";
  app.interpreter_args.clear();
  if (json.find("wait_ready") == nullptr) app.wait_ready = true;
}

void resolve_mode(AppSpec& app, const Json& json, const ResolveContext& context) {
  app.instances_given = json.find("instances") != nullptr;
  // As PM2: `-i max` alone leaves the files of all instances one, `-i 4` does not.
  const bool max_alone = app.instances == 0 && json.find("exec_mode") == nullptr;
  if (max_alone && !app.merge_logs) app.merge_logs = true;
  if (app.instances <= 0) app.instances += context.cpus;
  app.instances = std::max<std::int64_t>(app.instances, 1);
  const std::string_view program = base_name(app.interpreter);
  if (flag(json["execute_command"]) || app.script == kFileServerScript)
    app.exec_mode = "fork_mode";
  else if (json.find("exec_mode") == nullptr)
    app.exec_mode = app.instances_given && (program.ends_with("node") || program.ends_with("bun"))
                        ? "cluster_mode"
                        : "fork_mode";
}

void resolve_files(AppSpec& app, const ResolveContext& context) {
  const std::string user_home = value_of(app.env, "HOME");
  for (std::string* file : {&app.out_file, &app.error_file, &app.log_file, &app.pid_file}) {
    if (file == &app.log_file && *file == "true") {
      std::string safe = app.name;
      for (char& c : safe)
        if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-')) c = '-';
      *file = context.home + "/logs/" + safe + ".log";
    }
    if (!file->empty() && *file != "NULL") *file = absolute_path(app.cwd, *file, user_home);
  }
  for (std::string& path : app.watch.paths) path = absolute_path(app.cwd, path, user_home);
  for (std::string& entry : app.listen)
    entry = supervisor::absolute_entry(entry, app.cwd, user_home);
}

// A file that is not there, or is wrong, is said before anything is started. Its variables are not
// kept.
Result<void> resolve_env_files(AppSpec& app) {
  for (std::string& file : app.env_file)
    file = absolute_path(app.cwd, file, value_of(app.env, "HOME"));
  std::map<std::string, std::string> env = app.env;
  for (auto& [name, value] : PMX_TRY(supervisor::read_env_files(app, std::nullopt)))
    if (!app.own_env.contains(name)) env[name] = std::move(value);
  if (!app.increment_var.empty()) PMX_TRY(supervisor::incremented(app, env, 0));
  return {};
}

// The flag is given only where there is something to map: it costs time at each stack trace and
// shows in the process's command line. Node has it from 12.12 on.
void resolve_source_maps(AppSpec& app, const Json& json, const std::string& home) {
  if (flag(json["disable_source_map_support"])) app.source_map_support = false;
  if (app.source_map_support || !is_file(app.script + ".map")) return;
  const auto version = interpreter_version(app.interpreter, value_of(app.env, "PATH"), app.cwd,
                                           node_version_cache(home));
  if (version && is_at_least(*version, 12, 12)) app.source_map_support = true;
}

Result<void> resolve_user(AppSpec& app, const ResolveContext& context) {
  if (!app.gid.empty()) {
    if (!context.is_root) return invalid("gid: only root can set it");
    if (!parse_integer(app.gid) && ::getgrnam(app.gid.c_str()) == nullptr)
      return invalid("gid: this machine has no group \"" + app.gid + "\"");
  }
  uid_t uid = ::getuid();
  if (!app.uid.empty()) {
    if (!context.is_root) return invalid("uid: only root can set it");
    const Result<std::int64_t> number = parse_integer(app.uid);
    if (number) {
      uid = static_cast<uid_t>(*number);
    } else {
      const passwd* user = ::getpwnam(app.uid.c_str());
      if (user == nullptr) return invalid("uid: this machine has no user \"" + app.uid + "\"");
      uid = user->pw_uid;
    }
  }
  const passwd* user = ::getpwuid(uid);
  if (app.username.empty()) app.username = user != nullptr ? user->pw_name : std::to_string(uid);
  return {};
}

}  // namespace

std::string package_version(std::string_view script) {
  for (std::string_view folder = directory_of(script);; folder = directory_of(folder)) {
    const std::string file = std::string(folder) + "/package.json";
    if (is_file(file)) {
      const Result<std::string> text = sys::read_file(file, 1U << 20U);
      const Result<Json> package = text ? Json::parse(*text) : Result<Json>(Json());
      return package ? (*package)["version"].as_string_or("N/A") : "N/A";
    }
    if (folder == "/" || folder == ".") return "N/A";
  }
}

Result<AppSpec> resolve_app(const Json& json, const ResolveContext& context) {
  AppSpec app = PMX_TRY(app_from_json(json, context.defaults));
  if (app.script.empty()) return invalid("No script path - aborting");
  if (app.name.empty()) app.name = default_name(app.script);
  if (app.name.empty()) return invalid("the app needs a name");
  if (const std::string prefix = json["name_prefix"].as_string(); !prefix.empty())
    app.name = prefix + ":" + app.name;
  if (flag(json["append_env_to_name"]) && !context.env_name.empty())
    app.name += "-" + context.env_name;

  app.cwd = absolute_path(context.cwd, app.cwd.empty() ? context.cwd : app.cwd,
                          value_of(context.env, "HOME"));
  if (!is_directory(app.cwd)) return invalid("cwd: no directory " + app.cwd);
  resolve_environment(app, json, context);
  if (app.script == kFileServerScript)
    resolve_file_server(app, json);
  else
    PMX_TRY(resolve_script(app, json.find("exec_interpreter") != nullptr, context.home));
  PMX_TRY(resolve_env_files(app));
  resolve_source_maps(app, json, context.home);
  resolve_mode(app, json, context);
  resolve_files(app, context);
  PMX_TRY_WITHIN("listen", supervisor::listen_specs_of(app.listen));
  PMX_TRY(resolve_user(app, context));
  if (app.script != kFileServerScript) app.version = package_version(app.script);
  return app;
}

}  // namespace pmx::config
