// Whether RE2 takes a pattern. The daemon compiles it again; here it is only to be said early.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pmx::config {

std::optional<std::string> pattern_error(std::string_view pattern);  // RE2's own words.

}  // namespace pmx::config
