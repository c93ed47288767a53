// From what a user asked for to what can be started: PM2's rules for script, interpreter, mode,
// instances and environment (docs/PM2.md lists the differences), applied in the user's shell, by
// the CLI.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "model/app_spec.h"

namespace pmx::config {

struct ResolveContext {
  std::string cwd;                         // The shell's.
  std::string home;                        // pmx's, absolute: where logs/ is.
  std::map<std::string, std::string> env;  // The shell's.
  std::int64_t cpus = 1;
  bool is_root = false;
  std::string env_name;  // --env
  AppSpec defaults;      // From Settings.
};

// `app` has canonical keys (normalise_app). The result is complete: absolute script, cwd and log
// paths, the worker's whole environment, instances of 1 and more. Errors use PM2's words where PM2
// has some.
Result<AppSpec> resolve_app(const Json& app, const ResolveContext& context);

// Of the nearest package.json above the script; "N/A" where there is none.
std::string package_version(std::string_view script);

}  // namespace pmx::config
