// Values of settings as text: what schema_values.cpp reads and schema_text.cpp prints.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace pmx::config {

std::string scalar_text(const Json& value);   // A string as it is, the rest as JSON; null is "".
bool looks_like_cron(std::string_view text);  // Five or six fields of cron's characters.
std::string size_text(std::uint64_t size_bytes);            // "10M", "1536"
std::string duration_text(std::chrono::milliseconds time);  // "7d", "1600ms"

}  // namespace pmx::config
