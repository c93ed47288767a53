// `pmx balance`: which worker has how many of an app's connections and requests, for people.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "cli/console.h"

namespace pmx::cli {

// `workers` as POST /v1/traffic has them. A number that is not known is shown as "-".
std::string balance_table(const Console& console, const Json& workers);
// A line for each app whose workers have uneven shares: the fullest has more than 1.3 times the
// mean, by more than chance makes of so few. Only with balance: slots, whose shares are meant to be
// even, and of what all of its workers know.
std::vector<std::string> uneven_lines(const Json& workers);

}  // namespace pmx::cli
