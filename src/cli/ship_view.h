// `pmx ship status`: what the daemon says of its sinks, for people.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "cli/console.h"

namespace pmx::cli {

// `status` is GET /v1/ship. A row a sink; below the table a line for each last error in the store's
// own words, and for lines that a store has refused.
std::string ship_table(const Console& console, const Json& status, std::int64_t now_ms);
std::string how_to_ship();  // For whom nothing is shipped yet.

}  // namespace pmx::cli
