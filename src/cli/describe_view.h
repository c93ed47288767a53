// `pmx describe`, `pmx env`: one worker, everything that is known of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "cli/console.h"
#include "cli/home.h"
#include "cli/shown_value.h"

namespace pmx::cli {

struct DescribeOptions {
  Reveal reveal = Reveal::kNo;
  Environment shell;  // What the app's environment is compared with.
};
std::string describe_table(const Console& console, const Json& element, std::int64_t now_ms,
                           const DescribeOptions& options);
// `name: value` a line: the worker's environment and PM2's keys.
std::string env_lines(const Console& console, const Json& element, Reveal reveal);

}  // namespace pmx::cli
