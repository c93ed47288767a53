// Secrets in text, each looked for at one place: the rules behind secret_rules.h.
#pragma once

#include <cstddef>
#include <string_view>

namespace pmx::redact::internal {

struct Part {
  std::size_t begin = 0, end = 0;
  bool empty() const { return begin == end; }
};

// What goes where a secret is known by the word at `at`; empty where there is none.
Part authorization_at(std::string_view text, std::size_t at);  // The header's value.
Part bearer_at(std::string_view text, std::size_t at);         // RFC 6750: the token.
Part basic_at(std::string_view text, std::size_t at);  // RFC 7617: base64 of "user:password".
Part aws_key_at(std::string_view text, std::size_t at);
Part jwt_at(std::string_view text, std::size_t at);           // RFC 7519, of JWS and JWE.
Part private_key_at(std::string_view text, std::size_t at);   // RFC 7468; `at`: the '-' of "-BE".
Part url_password_at(std::string_view text, std::size_t at);  // `at`: the ':' of "://".

inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
inline bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}
std::size_t skip_spaces(std::string_view text, std::size_t at);

// JSON in strings of JSON: a quote of level n has n backslashes before it, n + 1 a power of two.
std::size_t backslashes_before(std::string_view text, std::size_t at);
bool is_quoting_level(std::size_t backslashes);
// A quote at `at` begins or ends a string of the level, and is not escaped in it.
bool is_quote_of_level(std::string_view text, std::size_t at, std::size_t level);
// Behind the value of the level that begins at `at` (with its quote's backslashes). `at`: there is
// none. Never behind a quote of a lower level, which ends the string that the value is in.
std::size_t json_value_end(std::string_view text, std::size_t at, std::size_t level);

}  // namespace pmx::redact::internal
