// YAML as JSON: the only includer of yaml-cpp. `<<` merges are resolved, plain scalars are typed as
// YAML 1.2's core schema (and js-yaml) types them.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace pmx::config {

Result<Json> yaml_value(const std::string& text);

}  // namespace pmx::config
