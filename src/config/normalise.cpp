#include "config/normalise.h"

#include <algorithm>

#include "config/nearest.h"
#include "config/schema.h"

namespace pmx::config {
namespace {

bool truthy(const Json& value) {
  return !(value.is_null() || (value.is_bool() && !value.as_bool()) ||
           (value.is_number() && value.as_double() == 0) ||
           (value.is_string() && value.as_string().empty()));
}

// PM2: the canonical key wins, else the first of its other names that says anything. `group` is ""
// or "rotate.", "health.", which the written names of a group's members do not have.
const Json* chosen_value(const Json& written, const Setting& setting, std::string_view group) {
  const Json* chosen = nullptr;
  bool canonical = true;
  for (const std::string& name : names_of(setting)) {
    const Json& value = written[std::string_view(name).substr(group.size())];
    if (!value.is_null() && (canonical || truthy(value))) return &value;
    if (!value.is_null() && chosen == nullptr) chosen = &value;
    canonical = false;
  }
  return chosen;
}

void put(Json& app, const Setting& setting, const Json& written, std::string_view group = "") {
  if (app.find(setting.key) != nullptr) return;  // Another of its names has come before.
  if (const Json* const value = chosen_value(written, setting, group)) app.set(setting.key, *value);
}

void put_unknown(Normalised& out, const std::string& name, std::string_view key) {
  const std::vector<std::string_view> known = setting_names();
  out.warnings.push_back("app " + name + ": unknown key \"" + std::string(key) + "\" is ignored" +
                         suggestion(key, known));
}

void put_group(Normalised& out, const std::string& name, std::string_view group,
               const Json& value) {
  for (const auto& [key, member] : value.members()) {
    const std::string full = std::string(group) + key;
    const Setting* setting = find_setting(full);
    if (setting != nullptr)
      put(out.app, *setting, value, group);
    else
      put_unknown(out, name, full);
  }
}

void put_rotate(Normalised& out, const std::string& name, const Json& value) {
  if (!value.is_bool() || value.as_bool()) return put_group(out, name, "rotate.", value);
  out.app.set("rotate.max_size", 0);
  out.app.set("rotate.every", "");
}

// Variables of `more` over those of `env`; PM2 allows both to be "A=1 B=2".
void merge_env(Json& env, const Json& more) {
  if (more.is_string()) {
    for (const std::string& word : split_words(more.as_string())) {
      const std::size_t equals = word.find('=');
      if (equals != std::string::npos) env.set(word.substr(0, equals), word.substr(equals + 1));
    }
  }
  for (const auto& [name, value] : more.members()) env.set(name, value);
}

void choose_env(Normalised& out, const Json& written, const std::string& name,
                const std::string& env_name, const Json& deploy_env) {
  if (env_name.empty()) return;
  const Json* chosen = written.find("env_" + env_name);
  if (chosen == nullptr && deploy_env.is_null()) {
    out.warnings.push_back("app " + name + ": Environment [" + env_name +
                           "] is not defined in process file");
    return;
  }
  Json env = Json::object();
  merge_env(env, out.app["env"]);
  merge_env(env, deploy_env);
  if (chosen != nullptr) merge_env(env, *chosen);
  out.app.set("env", std::move(env));
}

}  // namespace

Normalised normalise_app(const Json& written, const std::string& env_name, const Json& deploy_env) {
  Normalised out;
  out.app = Json::object();
  const std::string name = written["name"].as_string_or(written["script"].as_string());
  std::string later;
  for (const auto& [key, value] : written.members()) {
    if (key == "rotate") {
      put_rotate(out, name, value);
    } else if (key == "health" && value.is_object()) {
      put_group(out, name, "health.", value);
    } else if (key == "health") {
      out.app.set("health.path", value);
    } else if (key == "redact") {
      out.app.set(key, value);  // app_from_json() refuses what is wrong in it.
    } else if (const Setting* setting = find_setting(key)) {
      const bool first = out.app.find(setting->key) == nullptr;
      put(out.app, *setting, written);
      if (first && setting->role == Role::kLater && truthy(out.app[setting->key]))
        later += (later.empty() ? "" : ", ") + std::string(setting->key);
    } else if (!key.starts_with("env_") && key != "$schema") {
      put_unknown(out, name, key);
    }
  }
  if (!later.empty()) out.warnings.push_back("app " + name + ": without effect here: " + later);
  choose_env(out, written, name, env_name, deploy_env);
  return out;
}

}  // namespace pmx::config
