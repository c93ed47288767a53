// The story of one process, as `pmx why` tells it: what it does, how its last run ended and by
// whom, what pmx did, and what to try.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

namespace pmx::cli {

// `element` is one of jlist's.
std::string why_text(const Json& element, std::int64_t now_ms);

}  // namespace pmx::cli
