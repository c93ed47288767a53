// `pmx start`, by PM2's rules for what a word means: a file of apps, something that is listed
// already, or a script.
#include <algorithm>

#include "base/units.h"
#include "cli/acts.h"
#include "cli/app_request.h"
#include "cli/drift.h"
#include "cli/handlers.h"
#include "cli/logs.h"
#include "cli/session.h"
#include "config/app_config.h"
#include "config/ecosystem.h"

namespace pmx::cli {
namespace {

bool is_listed(const Json& list, const std::string& word) {
  return word == "all" || std::any_of(list.items().begin(), list.items().end(), [&](const Json& e) {
           return e["name"].as_string() == word || e["pm2_env"]["namespace"].as_string() == word ||
                  e["pm_id"].dump() == word;
         });
}

bool file_exists(const Session& session, const std::string& word) {
  return RealFs().info(word.starts_with('/') ? word : session.cwd + "/" + word).has_value();
}

std::string instances_text(const AppSpec& app) {
  return std::to_string(app.instances) + (app.instances > 1 ? " instances)" : " instance)");
}

Result<void> start_listed(Session& session, const std::string& word) {
  Json body = PMX_TRY(changes_of_line(session, word));
  say_what_differs(session, word);
  body.set("action", "start");
  body.set("target", word);
  body.set("cwd", session.cwd);
  const Json answer = PMX_TRY(session.client.post("/v1/act", body));
  print_outcome(session, kRestart, word, answer);
  session.console.info("Process successfully started");
  return {};
}

// PM2: a script that is listed under this name and does not run is started as it was.
bool is_stopped_one(const Json& list, const AppSpec& app) {
  bool found = false;
  for (const Json& element : list.items()) {
    if (element["name"].as_string() != app.name) continue;
    const Json& env = element["pm2_env"];
    const std::string& status = env["status"].as_string();
    if (env["pm_exec_path"].as_string() != app.script) return false;
    if (status != "stopped" && status != "errored" && status != "stopping") return false;
    found = true;
  }
  return found;
}

// `-w`: what the line says, as a file that can be started. PM2 overwrites what is there.
Result<void> write_app_file(Session& session, const std::string& script, const AppSpec& app) {
  const std::string path = session.cwd + "/" + app.name + "-pm2.json";
  Json written = written_app(session.line, script);
  written.set("name", app.name);
  Json apps = Json::array();
  apps.push_back(std::move(written));
  const std::string text = Json::object({{"apps", std::move(apps)}}).dump(2) + "\n";
  RealFs files;
  const auto there = files.read_file(path);
  const bool is_another = there ? *there != text : there.error().code() != Errc::kNotFound;
  if (is_another && !session.line.has("force"))
    return Error(Errc::kExists, path + " is there already: add -f to replace it");
  PMX_TRY(files.replace_file(path, text, 0644));
  session.console.info("Writing configuration to " + path);
  return {};
}

Result<void> start_script(Session& session, const std::string& script) {
  const AppSpec app = PMX_TRY(script_app(session, script));
  if (session.line.has("write")) PMX_TRY(write_app_file(session, script, app));
  if (!session.line.has("force") && is_stopped_one(PMX_TRY(session.short_list()), app))
    return start_listed(session, app.name);
  session.console.info("Starting " + app.script + " in " + app.exec_mode + " (" +
                       instances_text(app));
  PMX_TRY(post_apps(session, {app}));
  session.console.info("Done.");
  return {};
}

Result<void> start_word(Session& session, const std::string& word) {
  if (word == "-" || config::is_config_file(word)) return bring_up_file(session, kRestart, word);
  const bool number = parse_integer(word).has_value();
  const bool plain = word.find('/') == std::string::npos && word.find(' ') == std::string::npos;
  // A name with a dot is a script for PM2, even where there is no such file and an app is called
  // so.
  if (plain && (number || word.find('.') == std::string::npos || !file_exists(session, word))) {
    const Json list = PMX_TRY(session.short_list());
    if (is_listed(list, word)) return start_listed(session, word);
    if (number && !file_exists(session, word))
      return Error(Errc::kNotFound, word + " : id unknown");
  }
  return start_script(session, word);
}

// The file that PM2 looks for when no word says what to start.
Result<std::string> default_file(const Session& session) {
  for (const char* name : {"ecosystem.config.js", "ecosystem.config.cjs", "ecosystem.config.mjs",
                           "ecosystem.json", "ecosystem.yaml", "ecosystem.yml"})
    if (file_exists(session, name)) return std::string(name);
  return Error(Errc::kNotFound, "File ecosystem.config.js not found");
}

Result<void> start_missing(Session& session, const std::vector<AppSpec>& apps) {
  std::string names;
  for (const AppSpec& app : apps) names += (names.empty() ? "" : ", ") + app.name;
  session.console.warn("Applications " + names + " not running, starting...");
  for (const AppSpec& app : apps)
    if (app.wait_ready && app.script != kFileServerScript)
      session.console.warn("App " + app.name +
                           " has option 'wait_ready' set, waiting for app to be ready...");
  PMX_TRY(post_apps(session, apps));
  for (const AppSpec& app : apps)
    session.console.info("App [" + app.name + "] launched (" + std::to_string(app.instances) +
                         " instances)");
  return {};
}

// How many there are, and of which kind, is not changed by a restart, as in PM2.
void say_what_is_not_taken_over(Session& session, const Json& list, const AppSpec& app) {
  std::int64_t count = 0;
  std::string mode;
  for (const Json& element : list.items()) {
    if (element["name"].as_string() != app.name) continue;
    ++count;
    mode = element["pm2_env"]["exec_mode"].as_string();
  }
  if (mode != app.exec_mode)
    session.console.warn(app.name + " stays in " + mode + ", and " + app.config.path + " says " +
                         app.exec_mode + ": pmx delete " + app.name + ", then start the file");
  else if (count != app.instances && app.instances_given)
    session.console.warn(app.name + " has " + std::to_string(count) + " instances, and " +
                         app.config.path + " says " + std::to_string(app.instances) +
                         ": pmx scale " + app.name + " " + std::to_string(app.instances));
}

}  // namespace

Result<void> bring_up_file(Session& session, const Act& act, const std::string& file) {
  const std::vector<AppSpec> apps = PMX_TRY(ecosystem_apps(session, file));
  const Json list = PMX_TRY(session.short_list());
  std::vector<AppSpec> missing;
  for (const AppSpec& app : apps) {
    const bool listed = std::any_of(list.items().begin(), list.items().end(), [&](const Json& e) {
      return e["name"].as_string() == app.name;
    });
    if (!listed || session.line.has("force")) {
      missing.push_back(app);
      continue;
    }
    Json changes = Json::object();
    set_changes(changes, app);
    add_ship_secrets(session, changes);
    const Json answer = PMX_TRY(ask(session, act.action, app.name, changes));
    print_outcome(session, act, app.name, answer);
    say_what_is_not_taken_over(session, list, app);
  }
  return missing.empty() ? Result<void>() : start_missing(session, missing);
}

int run_start(Session& session) {
  std::vector<std::string> words = session.line.words;
  if (words.empty()) {
    const Result<std::string> file = default_file(session);
    if (!file) return failed(session, file.error());
    words.push_back(*file);
  }
  for (const std::string& word : words) {
    const Result<void> started = start_word(session, word);
    if (!started) return failed(session, started.error());
  }
  if (session.line.has("attach")) {
    LogsOptions options;
    options.home = session.home;
    if (words.size() == 1 && session.line.has("name")) options.target = session.line.value("name");
    return run_logs(options, 1, 2);
  }
  return print_list(session);
}

}  // namespace pmx::cli
