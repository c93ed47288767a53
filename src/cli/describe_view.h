// `pmx describe`, `pmx env`: one worker, everything that is known of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "cli/console.h"

namespace pmx::cli {

std::string describe_table(const Console& console, const Json& element, std::int64_t now_ms);
// `name: value` a line: the worker's environment and PM2's keys.
std::string env_lines(const Console& console, const Json& element);

}  // namespace pmx::cli
