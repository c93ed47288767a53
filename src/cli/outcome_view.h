// What PM2 prints of an action: to whom it is applied, then each worker that is done.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace pmx::cli {

// `word` is what the user typed: a name, an id, a namespace, all. `answer` has "ids" and "names".
std::string applied_line(std::string_view called, const std::string& word, const Json& answer);

// "[web](0) ✓"
std::vector<std::string> worker_lines(const Json& answer);

}  // namespace pmx::cli
