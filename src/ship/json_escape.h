// Text as a JSON string (RFC 8259 section 7), at memory speed.
//
// Escaped are what must be: the quote, the backslash, bytes below 0x20. All else is copied as it
// is, so valid UTF-8 stays so; the caller answers for that (clean_text.h).
// Thread: any; nothing is kept between calls.
#pragma once

#include <string>
#include <string_view>

namespace pmx::ship {

// Appends "text" with its quotes. Never allocates where `out` has room. `text` may not be in `out`.
void append_json_string(std::string& out, std::string_view text);
// The same without the quotes: for what is put together of several texts.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace pmx::ship
