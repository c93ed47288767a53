// Numbers and strings as Node's util.inspect writes them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pmx::cli {

std::string js_number(double number);  // Number.prototype.toString, and "-0".

// In quotes: single ones, or those that the text does not contain. `text` is UTF-8.
std::string js_string(std::string_view text);

// JavaScript's `length`: UTF-16 units, two for what is beyond U+FFFF.
std::size_t js_length(std::string_view text);

// The first `units` UTF-16 units. Of a character that is cut in two, its first half stays, as three
// bytes that are no UTF-8; js_string() writes it as Node does, "\ud83d".
std::string js_prefix(std::string_view text, std::size_t units);

}  // namespace pmx::cli
