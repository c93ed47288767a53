#include "config/settings.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/units.h"
#include "config/internal/value_text.h"
#include "config/nearest.h"
#include "config/schema.h"
#include "config/sink_config.h"

namespace pmx::config {
namespace {

constexpr std::string_view kMaxDisk = "max_disk";
constexpr std::string_view kShip = "ship";
constexpr std::string_view kAutosave = "autosave";
constexpr std::uint64_t kLeastDiskBytes = 1_MiB;

// Settings of an app that make sense as a default for all of them.
constexpr std::array<std::string_view, 21> kDefaultable{"rotate.max_size",
                                                        "rotate.every",
                                                        "rotate.retain",
                                                        "rotate.max_age",
                                                        "rotate.max_total_size",
                                                        "rotate.compress",
                                                        "rotate.level",
                                                        "when_full",
                                                        "sync",
                                                        "log_date_format",
                                                        "time",
                                                        "log_type",
                                                        "redact.builtin",
                                                        "max_restarts",
                                                        "min_uptime",
                                                        "restart_delay",
                                                        "exp_backoff_restart_delay",
                                                        "exp_backoff_max_delay",
                                                        "kill_signal",
                                                        "kill_timeout",
                                                        kShip};

struct LogrotateName {
  std::string_view name;  // pm2-logrotate's.
  std::string_view key;   // Ours, or "".
  std::string_view note;
};
constexpr std::array kLogrotateNames{
    LogrotateName{"max_size", "rotate.max_size", ""},
    LogrotateName{"retain", "rotate.retain", ""},
    LogrotateName{"compress", "rotate.compress", ""},
    LogrotateName{"rotateInterval", "rotate.every", ""},
    LogrotateName{"dateFormat", "", "names of rotated files have one form, which sorts by age"},
    LogrotateName{"TZ", "", "names of rotated files are in UTC"},
    LogrotateName{"workerInterval", "", "sizes are known at each write, nothing is polled"},
    LogrotateName{"rotateModule", "", "there are no modules whose logs could be left out"},
};

bool is_defaultable(std::string_view key) {
  return std::find(kDefaultable.begin(), kDefaultable.end(), key) != kDefaultable.end();
}

Error unknown(std::string_view written) {
  std::vector<std::string_view> known(kDefaultable.begin(), kDefaultable.end());
  known.insert(known.end(), {kMaxDisk, kAutosave});
  return invalid("\"" + std::string(written) + "\" is not a setting" + suggestion(written, known) +
                 "; docs/SETTINGS.md lists them");
}

Result<void> apply(Settings& settings, std::string_view key, const Json& value) {
  if (key == kMaxDisk) {
    const Result<std::uint64_t> size = parse_size(scalar_text(value));
    if (!size || (*size != 0 && *size < kLeastDiskBytes))
      return invalid("max_disk: " + value.dump() +
                     " is not allowed: a size from 1M, or 0 (10% of the disk, at most 4G)");
    settings.max_disk_bytes = *size;
    return {};
  }
  if (key == kAutosave) {
    const auto flag = as_bool(value);
    if (!flag) return invalid("autosave: " + value.dump() + " is not allowed: true or false");
    settings.autosave = *flag;
    return {};
  }
  const Setting* setting = is_defaultable(key) ? find_setting(key) : nullptr;
  if (setting == nullptr) return unknown(key);
  return set_value(*setting, settings.app_defaults, value);
}

}  // namespace

Result<Settings> settings_from_json(const Json& values) {
  Settings settings;
  for (const auto& [key, value] : values.members()) PMX_TRY(apply(settings, key, value));
  return settings;
}

Result<Json> change_settings(const Json& values, const Json& change) {
  Json changed = values.is_object() ? values : Json::object();
  for (const auto& [written, value] : change["set"].members()) {
    const SettingName name = PMX_TRY(setting_name(written));
    if (!name.key.empty()) changed.set(name.key, value);
  }
  for (const Json& written : change["unset"].items()) {
    const SettingName name = PMX_TRY(setting_name(written.as_string()));
    changed.erase(name.key);
  }
  const Settings settings = PMX_TRY(settings_from_json(changed));
  if (changed.find(kShip)) changed.set(kShip, sinks_to_json(settings.app_defaults.ship));
  return changed;
}

Result<SettingName> setting_name(std::string_view written) {
  constexpr std::string_view kModule = "pm2-logrotate";
  if (written.starts_with(kModule) && written.size() > kModule.size() &&
      (written[kModule.size()] == ':' || written[kModule.size()] == '.')) {
    const std::string_view name = written.substr(kModule.size() + 1);
    for (const LogrotateName& row : kLogrotateNames)
      if (row.name == name) return SettingName{std::string(row.key), std::string(row.note)};
    return invalid("\"" + std::string(name) + "\" is not a setting of pm2-logrotate");
  }
  if (written == "pm2:autodump") return SettingName{std::string(kAutosave), ""};
  if (written.starts_with("pm2:") || written.starts_with("pm2."))
    return SettingName{"", "it is a setting of PM2's daemon"};
  std::string key(written);
  std::replace(key.begin(), key.end(), ':', '.');
  if (const Setting* setting = find_setting(key)) key = setting->key;
  if (key != kMaxDisk && key != kAutosave && !is_defaultable(key)) return unknown(written);
  return SettingName{std::move(key), ""};
}

Result<std::string> setting_text(const Json& values, std::string_view key) {
  if (key == kShip) {
    const Settings settings = PMX_TRY(settings_from_json(values));
    return sinks_text(settings.app_defaults.ship);
  }
  if (const Json* value = values.find(key)) return scalar_text(*value);
  if (key == kMaxDisk) return std::string("10% of the disk, at most 4G");
  if (key == kAutosave) return std::string("true");
  const Setting* setting = find_setting(key);
  if (setting == nullptr) return unknown(key);
  return default_text(*setting);
}

}  // namespace pmx::config
