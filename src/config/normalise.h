// One app as a user wrote it, turned into canonical keys: aliases resolved, env_<name> chosen, keys
// that nobody knows left out and named in a warning.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace pmx::config {

struct Normalised {
  Json app;                           // Canonical keys; `rotate` as dotted keys, `redact` as it is.
  std::vector<std::string> warnings;  // One line each.
};

// `env_name` is --env's; "" for none. `deploy_env` is deploy.<env_name>.env of the file, or null:
// it stands between the app's env and its env_<name>, as in PM2.
Normalised normalise_app(const Json& written, const std::string& env_name,
                         const Json& deploy_env = {});

}  // namespace pmx::config
