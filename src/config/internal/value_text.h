// Values of settings as text: what schema_values.cpp reads and schema_text.cpp prints.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "config/schema.h"

namespace pmx::config {

std::string scalar_text(const Json& value);   // A string as it is, the rest as JSON; null is "".
std::string size_text(std::uint64_t size_bytes);            // "10M", "1536"
std::string duration_text(std::chrono::milliseconds time);  // "7d", "1600ms"

// A value that may come from JSON, YAML, a URL or the command line; nullopt where it is another
// kind.
std::optional<bool> as_bool(const Json& value);
std::optional<std::int64_t> as_number(const Json& value);
// A list, a string of words, or one scalar.
std::optional<std::vector<std::string>> as_words(const Json& value);
bool within(const Bounds& bounds, std::int64_t number);
bool has_word(std::string_view words, std::string_view word);  // Separated by spaces.
std::string listed(std::string_view words);                    // "a b" → "a, b"
// "a size from 1K to 1T", and ", or 0 (off)" where 0 has a word.
std::string between(std::string_view what, const std::string& min, const std::string& max,
                    std::string_view zero_word);

}  // namespace pmx::config
