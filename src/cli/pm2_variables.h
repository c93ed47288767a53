// PM2's environment variables that say for all apps what a key says for one, as it reads them from
// its daemon's environment. Here they count where an app is started: in the command's.
//
// Errors:  a value that the key does not allow is a line to be shown, and counts as none.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "model/app_spec.h"

namespace pmx::cli {

std::vector<std::string> apply_pm2_variables(const std::map<std::string, std::string>& env,
                                             AppSpec& defaults);

}  // namespace pmx::cli
