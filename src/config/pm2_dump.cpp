#include "config/pm2_dump.h"

#include <algorithm>
#include <array>

#include "config/app_config.h"
#include "config/schema.h"

namespace pmx::config {
namespace {

// PM2's names for what the table calls otherwise.
struct Renamed {
  std::string_view pm2, key;
};
constexpr std::array kRenamed{
    Renamed{"pm_exec_path", "script"},
    Renamed{"pm_cwd", "cwd"},
};
constexpr std::array kLogFiles{
    Renamed{"pm_out_log_path", "out_file"},
    Renamed{"pm_err_log_path", "error_file"},
    Renamed{"pm_log_path", "log_file"},
};
constexpr std::string_view kPm2FileServer = "/pm2/lib/API/Serve.js";
// Variables that PM2 puts into every environment by itself.
constexpr std::array<std::string_view, 4> kPm2Variables{"PM2_HOME", "PM2_USAGE", "unique_id",
                                                        "PM2_JSON_PROCESSING"};
// What PM2 has written of these is not what a user has said.
constexpr std::array<std::string_view, 6> kNotTaken{"env",      "script",   "cwd",
                                                    "out_file", "pid_file", "instances"};

template <std::size_t N>
bool holds(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// "web-out-3.log" → "web-out.log": the number belongs to the instance, not to the app.
std::string without_id(std::string path, const Json& entry) {
  if (entry["merge_logs"].as_bool()) return path;
  const std::size_t dot = path.rfind('.');
  const std::size_t dash = path.rfind('-', dot);
  const std::size_t slash = path.rfind('/');
  if (dot == std::string::npos || dash == std::string::npos || dash + 1 >= dot ||
      (slash != std::string::npos && dash < slash))
    return path;
  const bool number = std::all_of(path.begin() + static_cast<std::ptrdiff_t>(dash) + 1,
                                  path.begin() + static_cast<std::ptrdiff_t>(dot),
                                  [](char c) { return c >= '0' && c <= '9'; });
  return number ? path.erase(dash, dot - dash) : path;
}

void take_logs(Json& app, const Json& entry, const std::string& home) {
  for (const Renamed& row : kLogFiles) {
    const std::string path = without_id(entry[row.pm2].as_string(), entry);
    if (!path.empty() && !path.starts_with(home + "/logs/")) app.set(row.key, path);
  }
}

Json variables_of(const Json& entry) {
  Json env = Json::object();
  const std::string& name = entry["name"].as_string();
  for (const auto& [key, value] : entry["env"].members()) {
    if (holds(kPm2Variables, key)) continue;
    // PM2 adds the settings of its modules under the app's name.
    if (key == name && (value.is_object() || value == Json("{}"))) continue;
    env.set(key, value.is_string() ? value : Json(value.dump()));
  }
  return env;
}

Json canonical(const Json& entry, const std::string& home) {
  Json app = Json::object();
  for (const Setting& setting : settings()) {
    if (holds(kNotTaken, setting.key)) continue;
    const Json* const value = entry.find(setting.key);
    if (value != nullptr && !value->is_null()) app.set(setting.key, *value);
  }
  for (const Renamed& row : kRenamed)
    if (const Json* const value = entry.find(row.pm2)) app.set(row.key, *value);
  if (app["script"].as_string().ends_with(kPm2FileServer)) {
    app.set("script", kFileServerScript);
    app.set("exec_interpreter", "none");
  }
  take_logs(app, entry, home);
  app.set("env", variables_of(entry));
  app.set("instances_given", !entry["merge_logs"].as_bool());
  for (const char* const key : {"version", "username"})
    if (const Json* const value = entry.find(key)) app.set(key, *value);
  return app;
}

std::optional<std::int64_t> number_in(const Json& entry, std::string_view key) {
  const Json* const value = entry.find(key);
  if (value == nullptr || !value->is_integer() || value->as_int() < 0) return std::nullopt;
  return value->as_int();
}

}  // namespace

Result<DumpedApp> dumped_app(const Json& entry, const std::string& home) {
  if (!entry.is_object()) return invalid("dump: " + entry.dump() + " is no app");
  const std::string& name = entry["name"].as_string();
  const bool ours = entry.find("script") != nullptr;
  DumpedApp dumped;
  dumped.spec = PMX_TRY(app_from_json(ours ? entry : canonical(entry, home)));
  if (dumped.spec.name.empty() || dumped.spec.script.empty())
    return invalid("dump: an app without a name or a script: \"" + name + "\"");
  dumped.id = number_in(entry, "pm_id");
  dumped.instance = number_in(entry, dumped.spec.instance_var);
  const std::string& status = entry["status"].as_string();
  dumped.runs = status != "stopped" && status != "errored";
  return dumped;
}

}  // namespace pmx::config
