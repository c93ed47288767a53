#include "config/app_config.h"

#include "config/schema.h"

namespace pmx::config {
namespace {

constexpr std::string_view kRotatePrefix = "rotate.";

// Keys of AppSpec that no user writes: they are set while the app is resolved and must survive the
// way through the API and the roster.
Result<void> set_internal(AppSpec& app, std::string_view key, const Json& value) {
  if (key == "instances_given") app.instances_given = value.as_bool();
  if (key == "ship_from_home") app.ship_from_home = value.as_bool();
  if (key == "version") app.version = value.as_string_or(app.version);
  if (key == "username") app.username = value.as_string();
  return {};
}

Result<void> set_one(AppSpec& app, std::string_view key, const Json& value) {
  if (value.is_null()) return {};
  if (key == "rotate" && value.is_object()) {
    for (const auto& [name, member] : value.members())
      PMX_TRY(set_one(app, std::string(kRotatePrefix) + name, member));
    return {};
  }
  const Setting* setting = find_setting(key);
  if (setting == nullptr) return set_internal(app, key, value);
  if (setting->key == "ship") app.ship_from_home = false;
  if (setting->role == Role::kApp) return set_value(*setting, app, value);
  if (setting->role == Role::kLater) app.other.set(setting->key, value);
  return {};
}

}  // namespace

Result<AppSpec> app_from_json(const Json& json, const AppSpec& defaults) {
  if (!json.is_object()) return invalid("an app is an object with a script, not " + json.dump());
  AppSpec app = defaults;
  const std::string name = json["name"].as_string_or(json["script"].as_string());
  for (const auto& [key, value] : json.members()) {
    auto set = set_one(app, key, value);
    if (!set) return std::move(set).error().within("app " + name);
  }
  return app;
}

Json app_to_json(const AppSpec& app) {
  Json json = Json::object();
  for (const Setting& setting : settings()) {
    if (setting.role != Role::kApp) continue;
    Json value = get_value(setting, app);
    if (value.is_null()) continue;
    if (setting.key.starts_with(kRotatePrefix)) {
      Json rotate = json["rotate"];
      rotate.set(setting.key.substr(kRotatePrefix.size()), std::move(value));
      json.set("rotate", std::move(rotate));
    } else {
      json.set(setting.key, std::move(value));
    }
  }
  json.set("instances_given", app.instances_given);
  json.set("ship_from_home", app.ship_from_home);
  json.set("version", app.version);
  json.set("username", app.username);
  for (const auto& [key, value] : app.other.members()) json.set(key, value);
  return json;
}

supervisor::AppCodec app_codec() {
  return {[](const AppSpec& app) { return app_to_json(app); },
          [](const Json& json) { return app_from_json(json); }};
}

}  // namespace pmx::config
