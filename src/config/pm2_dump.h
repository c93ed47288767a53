// dump.pm2: the list of apps that `pmx save` writes and `pmx resurrect` reads. It is PM2's file,
// and PM2's own is read as well: an array of what PM2 calls pm2_env objects.
//
// Ours has every key of the table (schema.h), PM2's the ones that it has itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "model/app_spec.h"

namespace pmx::config {

struct DumpedApp {
  AppSpec spec;  // One instance.
  std::optional<std::int64_t> id, instance;
  bool runs = true;  // It was not stopped when it was saved.
};

// `home`: where the dump lies; files at their default place in it get the default of the home in
// which the app is brought back. The error names the app.
Result<DumpedApp> dumped_app(const Json& entry, const std::string& home);

}  // namespace pmx::config
