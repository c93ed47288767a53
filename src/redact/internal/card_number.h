// Payment card numbers: known by the issuer's first digits, the length that goes with them and the
// check digit (ISO/IEC 7812-1). One in ten numbers has a right check digit by chance, so the other
// two keep order numbers, times and ids readable.
#pragma once

#include <string_view>

#include "redact/internal/secret_text.h"

namespace pmx::redact::internal {

// Digits, with single blanks or hyphens between, around the digit at `at`.
Part digit_run_around(std::string_view text, std::size_t at);
// The first card number in the part of a run; empty where there is none.
Part card_number_in(std::string_view text, std::size_t begin, std::size_t end);

}  // namespace pmx::redact::internal
