// `pmx list`: what the daemon's list (PM2's jlist elements) looks like to people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/console.h"

namespace pmx::cli {

// The table as wide as the terminal allows, then a line for each trouble.
std::string list_table(const Console& console, const Json& list, std::int64_t now_ms);
std::string mini_list(const Json& list, std::int64_t now_ms);

// "memory:desc"; "" is by name. Errors name the fields there are.
Result<Json> sorted_list(const Json& list, const std::string& sort);

// It ends again and again, and has just been started once more (pmx's own "restarts_last_minute").
bool in_crash_loop(const Json& element, std::int64_t now_ms);
// What is wrong with a worker or its logs.
std::vector<std::string> troubles_of(const Json& element, std::int64_t now_ms);

// PM2's: the largest unit of which there is more than one. "90s", "2m", "3D".
// What of a dump (PM2's, an array of pm2_env) is otherwise in the list: "app web differs"; "" if
// nothing is.
std::string dump_difference(const Json& dump, const Json& list);
bool is_watched(const Json& pm2_env);  // Its `watch` is true, or paths.
std::string uptime_text(std::int64_t duration_ms);

}  // namespace pmx::cli
