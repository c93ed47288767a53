// Home-wide settings (`pmx set`): defaults for new apps, and what holds for the home: max_disk,
// autosave, and `ship` for all apps that name no store. Kept in state/settings.json as one flat
// object of what was set, with canonical keys: {"rotate.max_size":"20M","max_disk":"4G"}. It has no
// secrets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "model/app_spec.h"

namespace pmx::config {

struct Settings {
  AppSpec app_defaults;              // For app_from_json's second argument.
  std::uint64_t max_disk_bytes = 0;  // 0: 10% of the file system, at most 4 GiB.
  bool autosave = true;              // false: PM2's rule, only what `save` has written comes back.
};

// From the file's object; null is none set. Unknown keys are an error that names them.
Result<Settings> settings_from_json(const Json& values);

// The file's object after {"set":{key:value},"unset":[key]} (POST /v1/settings): canonical,
// checked, all or nothing.
Result<Json> change_settings(const Json& values, const Json& change);

// What a user calls a setting: "pm2-logrotate:max_size", "pm2-logrotate.retain" and
// "rotate.max_size" alike. `key` is "" where pmx has no use for it, and `note` says why.
struct SettingName {
  std::string key;
  std::string note;
};
Result<SettingName> setting_name(std::string_view written);

// The value in effect, as `pmx get` prints it and `pmx set` takes it.
Result<std::string> setting_text(const Json& values, std::string_view key);

}  // namespace pmx::config
