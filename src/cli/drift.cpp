#include "cli/drift.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "cli/app_request.h"
#include "config/app_config.h"
#include "config/ecosystem.h"
#include "config/normalise.h"
#include "config/resolve_app.h"
#include "config/resolve_ship.h"
#include "supervisor/release.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kMostNames = 8;

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNames); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMostNames)
    text += " and " + std::to_string(names.size() - kMostNames) + " more";
  return text;
}

std::string value_in(const Environment& env, const std::string& name) {
  const auto found = env.find(name);
  return found == env.end() ? "" : found->second;
}

void differing_keys(const Json& one, const Json& other, const std::string& prefix,
                    std::vector<std::string>& names) {
  // Settled while the app was resolved, or said below.
  constexpr std::array<std::string_view, 7> kNotSettings{
      "env", "own_env", "config", "version", "username", "instances_given", "source_map_support"};
  const auto skip = [&](const std::string& key) {
    return prefix.empty() &&
           std::find(kNotSettings.begin(), kNotSettings.end(), key) != kNotSettings.end();
  };
  for (const auto& [key, value] : other.members()) {
    if (skip(key) || one[key] == value) continue;
    if (value.is_object() && one[key].is_object())
      differing_keys(one[key], value, prefix + key + ".", names);
    else
      names.push_back(prefix + key);
  }
  for (const auto& [key, value] : one.members())
    if (!skip(key) && other.find(key) == nullptr) names.push_back(prefix + key);
}

// What the files say now, each read once for all its apps. Only data is read: no program runs
// because an app is restarted by its name.
class ConfigFiles {
 public:
  explicit ConfigFiles(const Session& session) : session_(session) {}

  // One line where the file has changed in what it says of this app, or may have; "" else.
  std::string line_of(const AppSpec& running) {
    const ConfigSource& source = running.config;
    if (source.path.empty()) return "";
    const Apps* const apps = changed(source);
    if (apps == nullptr) return "";
    std::string line = source.path + " has changed since it was read";
    const auto now = apps->find(running.name);
    if (now != apps->end()) {
      const std::string names = listed(spec_difference(running, now->second));
      if (names.empty()) return "";  // In other apps, or in a comment.
      line += " (" + names + ")";
    }
    return line + ": `pmx restart " + source.path +
           (source.env_name.empty() ? "" : " --env " + source.env_name) + "` takes it over";
  }

 private:
  using Apps = std::map<std::string, AppSpec>;

  // nullptr: it is as it was. Empty where it is no data, or wrong.
  const Apps* changed(const ConfigSource& source) {
    const auto [known, first] =
        files_.try_emplace({source.path, source.hash, source.env_name, source.cwd});
    if (first) {
      const Result<std::string> hash = config::config_hash(source.path);
      if (hash && *hash != source.hash) known->second = read(source);
    }
    return known->second ? &*known->second : nullptr;
  }

  Apps read(const ConfigSource& source) const {
    Apps apps;
    Result<config::ResolveContext> context = resolve_context(session_);
    const Result<config::Ecosystem> file =
        config::load_ecosystem(source.path, config::RunJavaScript::kNo);
    if (!context || !file) return apps;
    context->cwd = source.cwd;
    context->env_name = source.env_name;
    for (const Json& written : file->apps) {
      config::Normalised app =
          config::normalise_app(written, source.env_name, file->deploy[source.env_name]["env"]);
      if (!config::app_mistakes(app.app).empty()) continue;
      if (!config::resolve_ship(app.app, *context)) continue;
      Result<AppSpec> resolved = config::resolve_app(app.app, *context);
      if (resolved) apps.emplace(resolved->name, *resolved);
    }
    return apps;
  }

  const Session& session_;
  std::map<std::vector<std::string>, std::optional<Apps>> files_;
};

std::string env_line(const Session& session, const AppSpec& running) {
  if (session.line.has("update-env") || !running.other["filter_env"].is_null()) return "";
  const std::string names = text_of(env_difference(running.env, running.own_env, session.env));
  return names.empty()
             ? ""
             : "this shell's variables differ (" + names + "): --update-env takes them over";
}

}  // namespace

EnvDifference env_difference(const Environment& app, const std::set<std::string>& own,
                             const Environment& shell) {
  EnvDifference difference;
  for (const auto& [name, value] : shell) {
    if (own.contains(name) || supervisor::is_of_the_shell(name)) continue;
    if (!app.contains(name))
      difference.added.push_back(name);
    else if (value_in(app, name) != value)
      difference.changed.push_back(name);
  }
  for (const auto& [name, value] : app)
    if (!own.contains(name) && !supervisor::is_of_the_shell(name) && !shell.contains(name))
      difference.gone.push_back(name);
  return difference;
}

std::string text_of(const EnvDifference& difference) {
  std::string text = listed(difference.changed);
  for (const auto& [word, names] :
       {std::pair{"new: ", &difference.added}, std::pair{"gone: ", &difference.gone}})
    if (!names->empty()) text += (text.empty() ? "" : ", ") + std::string(word) + listed(*names);
  return text;
}

std::vector<std::string> spec_difference(const AppSpec& running, const AppSpec& file) {
  std::vector<std::string> names;
  differing_keys(config::app_to_json(running), config::app_to_json(file), "", names);
  std::set<std::string> variables = running.own_env;
  variables.insert(file.own_env.begin(), file.own_env.end());
  for (const std::string& name : variables)
    if (running.own_env.contains(name) != file.own_env.contains(name) ||
        value_in(running.env, name) != value_in(file.env, name))
      names.push_back("env." + name);
  return names;
}

void say_what_differs(Session& session, const std::string& target) {
  const Result<Json> answer =
      session.client.post("/v1/specs", Json::object({{"target", target}, {"cwd", session.cwd}}));
  if (!answer) return;
  // Line by line the apps that it is true of, each once for all its instances.
  std::map<std::string, std::vector<std::string>> lines;
  std::set<std::string> seen;
  ConfigFiles files(session);
  for (const Json& element : answer->items()) {
    const Result<AppSpec> running = config::app_from_json(element["spec"]);
    if (!running || !seen.insert(running->name).second) continue;
    for (const std::string& line : {files.line_of(*running), env_line(session, *running)})
      if (!line.empty()) lines[line].push_back(running->name);
  }
  for (const auto& [line, apps] : lines) session.console.info(listed(apps) + ": " + line);
}

}  // namespace pmx::cli
