// AppSpec from and to PM2's config keys, through the table in schema.cpp.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "model/app_spec.h"
#include "supervisor/roster.h"

namespace pmx::config {

// `json` has canonical keys only (aliases are resolved by the loader); missing keys take
// `defaults`. The error names the key, the value and what is allowed. All or nothing.
Result<AppSpec> app_from_json(const Json& json, const AppSpec& defaults = {});
// Everything that app_from_json() would refuse, one line each.
std::vector<std::string> app_mistakes(const Json& json);
Json app_to_json(const AppSpec& app);
supervisor::AppCodec app_codec();  // Both, for the layer that may not see the table.

}  // namespace pmx::config
