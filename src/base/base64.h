// Base64 (RFC 4648) in its two alphabets.
//
// Thread: any; nothing is kept between calls.
// Errors: never repeat the text: what is decoded here may be a secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx {

enum class Base64 : std::uint8_t {
  kStandard,  // Section 4: '+', '/', padded.
  kUrlSafe,   // Section 5: '-', '_', without padding, as in tokens and file names.
};

std::string base64_encode(std::string_view bytes, Base64 alphabet = Base64::kStandard);
void base64_append(std::string& out, std::string_view bytes, Base64 alphabet = Base64::kStandard);
constexpr std::size_t base64_size(std::size_t size_bytes) { return (size_bytes + 2) / 3 * 4; }

// Padding may be missing, in both alphabets; where it is there it must be right. What no encoder
// makes is refused: other letters, white space, bits behind the last byte.
Result<std::string> base64_decode(std::string_view text, Base64 alphabet = Base64::kStandard);

}  // namespace pmx
