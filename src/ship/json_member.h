// A member of a JSON object that is known to be valid, as views into its text.
#pragma once

#include <cstdint>
#include <string_view>

namespace pmx::ship {

enum class JsonKind : std::uint8_t { kString, kNumber, kLiteral, kObject, kArray };

struct JsonMember {
  std::string_view key;    // As written, without quotes.
  std::string_view value;  // As written; of a string without its quotes.
  JsonKind kind = JsonKind::kLiteral;
  bool key_escaped = false, value_escaped = false;  // Has a backslash.
  std::uint32_t token = 0;                          // Where its value begins: JsonWalk's own.
};

}  // namespace pmx::ship
