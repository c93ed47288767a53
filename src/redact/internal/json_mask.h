// Keeps a JSON line valid when parts of it go: strings stay strings, numbers become strings, keys
// and punctuation stay.
//
// Thread: any; nothing is kept between calls.
#pragma once

#include <string_view>
#include <vector>

#include "redact/internal/secret_rules.h"

namespace pmx::redact::internal {

// Replaces the kText parts of `secrets` by those of the line's values that they touch, where `line`
// is a JSON object or array; else they stay as they are. A part that is inside of one key goes from
// that key.
void fit_to_json(std::string_view line, std::vector<Secret>& secrets);

}  // namespace pmx::redact::internal
