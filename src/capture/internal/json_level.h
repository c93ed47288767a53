// The level of one JSON line: a walk over the members of its top level, which ends at the first one
// that is a level. Members of nested objects never count, nor does what a string says.
#pragma once

#include <string_view>

#include "capture/fields.h"

namespace pmx::capture::internal {

// `line` begins with '{' and has kReadableBehindBytes behind it.
LineFields read_json(std::string_view line, Piece piece);

}  // namespace pmx::capture::internal
