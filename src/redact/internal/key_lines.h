// A private key as it is mostly printed, over several lines (RFC 7468, OpenPGP's armor): what its
// lines look like. Around them there may be what loggers and languages put around a text's lines:
// blanks, quotes, `\n' +` at the end.
#pragma once

#include <cstddef>
#include <string_view>

namespace pmx::redact::internal {

// Begins a key, which does not end in this line.
bool opens_key(std::string_view line);
// Goes on with one: base64, a header of it, or nothing.
bool is_key_body(std::string_view line);
// Behind what ends one in this line; npos where nothing does.
std::size_t key_end(std::string_view line);

}  // namespace pmx::redact::internal
