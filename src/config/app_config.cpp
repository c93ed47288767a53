#include "config/app_config.h"

#include <algorithm>
#include <array>

#include "config/internal/value_text.h"
#include "config/nearest.h"
#include "config/schema.h"

namespace pmx::config {
namespace {

// Objects in an app; a row of the table has the dotted key of a member.
constexpr std::array<std::string_view, 3> kGroups{"rotate", "redact", "health"};

std::string_view group_of(std::string_view key) { return key.substr(0, key.find('.')); }

// Of what keeps secrets from the disk nothing is passed over as unknown.
Error unknown_redact(std::string_view key, const Json& value) {
  if (key == "redact")
    return invalid("redact: " + value.dump() +
                   " is not allowed: true, or an object of builtin, patterns and keys");
  const std::vector<std::string_view> known = setting_names();
  return invalid("\"" + std::string(key) + "\" is no setting" + suggestion(key, known));
}

// Keys of AppSpec that no user writes: they are set while the app is resolved and must survive the
// way through the API and the roster.
Result<void> set_internal(AppSpec& app, std::string_view key, const Json& value) {
  if (key == "instances_given") app.instances_given = value.as_bool();
  if (key == "ship_from_home") app.ship_from_home = value.as_bool();
  if (key == "version") app.version = value.as_string_or(app.version);
  if (key == "own_env")
    for (const Json& name : value.items()) app.own_env.insert(name.as_string());
  if (key == "pinned")
    for (const auto& [path, led] : value.members()) app.pinned[path] = led.as_string();
  if (key == "config")
    app.config = {value["path"].as_string(), value["hash"].as_string(), value["env"].as_string(),
                  value["cwd"].as_string()};
  return {};
}

Result<void> set_one(AppSpec& app, std::string_view key, const Json& value) {
  if (value.is_null()) return {};
  const bool group = std::find(kGroups.begin(), kGroups.end(), key) != kGroups.end();
  if (group && value.is_object()) {
    for (const auto& [name, member] : value.members())
      PMX_TRY(set_one(app, std::string(key) + "." + name, member));
    return {};
  }
  if (key == "redact" && as_bool(value)) return set_one(app, "redact.builtin", value);
  if (key == "health") return set_one(app, "health.path", value);
  const Setting* setting = find_setting(key);
  if (setting == nullptr && group_of(key) == "redact") return unknown_redact(key, value);
  if (setting == nullptr) return set_internal(app, key, value);
  if (setting->key == "ship") app.ship_from_home = false;
  if (!std::holds_alternative<std::monostate>(setting->field))
    PMX_TRY(set_value(*setting, app, value));
  if (setting->role != Role::kApp) app.other.set(setting->key, value);
  return {};
}

// Sets what can be set; what cannot be is named.
std::vector<Error> set_all(AppSpec& app, const Json& json) {
  std::vector<Error> mistakes;
  const std::string name = json["name"].as_string_or(json["script"].as_string());
  for (const auto& [key, value] : json.members()) {
    auto set = set_one(app, key, value);
    if (!set) mistakes.push_back(std::move(set).error().within("app " + name));
  }
  return mistakes;
}

}  // namespace

Result<AppSpec> app_from_json(const Json& json, const AppSpec& defaults) {
  if (!json.is_object()) return invalid("an app is an object with a script, not " + json.dump());
  AppSpec app = defaults;
  std::vector<Error> mistakes = set_all(app, json);
  if (!mistakes.empty()) return std::move(mistakes.front());
  return app;
}

std::vector<std::string> app_mistakes(const Json& json) {
  std::vector<std::string> lines;
  AppSpec scratch;
  Json settled = json;
  settled.erase("ship");  // With secrets that have no place in an app: resolve_ship() looks at it.
  for (const Error& mistake : set_all(scratch, settled)) lines.push_back(mistake.message());
  return lines;
}

Json app_to_json(const AppSpec& app) {
  Json json = Json::object();
  for (const Setting& setting : settings()) {
    if (setting.role != Role::kApp) continue;
    Json value = get_value(setting, app);
    if (value.is_null()) continue;
    const std::string_view name = group_of(setting.key);
    if (name.size() < setting.key.size()) {
      if (json.find(name) == nullptr) json.set(name, Json::object());
      json.find(name)->set(setting.key.substr(name.size() + 1), std::move(value));
    } else {
      json.set(setting.key, std::move(value));
    }
  }
  json.set("instances_given", app.instances_given);
  json.set("ship_from_home", app.ship_from_home);
  json.set("version", app.version);
  json.set("own_env", Json::Array(app.own_env.begin(), app.own_env.end()));
  if (!app.pinned.empty()) {
    Json pinned = Json::object();
    for (const auto& [path, led] : app.pinned) pinned.set(path, led);
    json.set("pinned", std::move(pinned));
  }
  if (!app.config.path.empty())
    json.set("config", Json::object({{"path", app.config.path},
                                     {"hash", app.config.hash},
                                     {"env", app.config.env_name},
                                     {"cwd", app.config.cwd}}));
  for (const auto& [key, value] : app.other.members()) json.set(key, value);
  return json;
}

supervisor::AppCodec app_codec() {
  return {[](const AppSpec& app) { return app_to_json(app); },
          [](const Json& json) { return app_from_json(json); }};
}

}  // namespace pmx::config
