#include "redact/internal/secret_text.h"

#include <algorithm>

#include "base/base64.h"

namespace pmx::redact::internal {
namespace {

bool is_token68(char c) {  // RFC 9110, section 11.2, without its '='.
  return is_alnum(c) || std::string_view("-._~+/").find(c) != std::string_view::npos;
}
bool is_base64(char c) { return is_alnum(c) || c == '+' || c == '/'; }
bool is_base64url(char c) { return is_alnum(c) || c == '-' || c == '_'; }

// The word, in any case, as a word of its own.
bool is_word_at(std::string_view text, std::size_t at, std::string_view lower) {
  if (text.size() - at < lower.size() || (at > 0 && is_alnum(text[at - 1]))) return false;
  for (std::size_t i = 0; i < lower.size(); ++i)
    if (to_lower(text[at + i]) != lower[i]) return false;
  return true;
}

template <class Test>
std::size_t skip_while(std::string_view text, std::size_t at, Test test) {
  while (at < text.size() && test(text[at])) ++at;
  return at;
}

bool ends_word(char c) {
  return static_cast<unsigned char>(c) <= ' ' ||
         std::string_view("\"'\\,;").find(c) != std::string_view::npos;
}

// Where the line ends, or the string that it is in. Quotes behind '=' belong to the parameters of a
// scheme: Digest username="Mufasa", response="6629".
std::size_t end_of_parameters(std::string_view text, std::size_t at) {
  bool inside = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n' || c == '\r') return at;
    if (c == '\\') {
      if (at + 1 < text.size() && (text[at + 1] == 'n' || text[at + 1] == 'r')) return at;
      ++at;
    } else if (c == '"') {
      if (!inside && text[at - 1] != '=') return at;
      inside = !inside;
    } else if (c == '\'' && !inside) {
      return at;
    }
  }
  return std::min(at, text.size());
}

// The word is "name=value", or "name=" before a quoted value. An '=' at a word's end is else base64's
// padding, also where the string that it is in ends behind it.
bool begins_parameters(std::string_view text, std::size_t begin, std::size_t end) {
  const std::string_view word = text.substr(begin, end - begin);
  const std::size_t equals = word.find('=');
  if (equals == word.npos) return false;
  if (word.find_first_not_of('=', equals) != word.npos) return true;
  const std::size_t quote = skip_while(text, end, [](char c) { return c == '\\'; });
  return quote + 1 < text.size() && text[quote] == '"' && is_alnum(text[quote + 1]);
}

// "Bearer abc", "abc", "Digest username=…, realm=…".
std::size_t credentials_end(std::string_view text, std::size_t at) {
  const auto in_word = [](char c) { return !ends_word(c); };
  const std::size_t first = skip_while(text, at, in_word);
  const std::size_t begin = skip_while(text, first, [](char c) { return c == ' '; });
  if (first == at || begin == first) return first;
  const std::size_t second = skip_while(text, begin, in_word);
  if (second == begin) return first;
  return begins_parameters(text, begin, second) ? end_of_parameters(text, second) : second;
}

}  // namespace

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  return skip_while(text, at,
                    [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
}

std::size_t backslashes_before(std::string_view text, std::size_t at) {
  std::size_t count = 0;
  while (count < at && text[at - 1 - count] == '\\') ++count;
  return count;
}

bool is_quoting_level(std::size_t backslashes) { return (backslashes & (backslashes + 1)) == 0; }

bool is_quote_of_level(std::string_view text, std::size_t at, std::size_t level) {
  return at < text.size() && text[at] == '"' &&
         backslashes_before(text, at) % (2 * (level + 1)) == level;
}

namespace {

// The quote at `at` ends a string that the level's strings are in. Not told by fewer backslashes:
// an escaped backslash before a quote of level 0 makes two of them.
bool is_quote_below(std::string_view text, std::size_t at, std::size_t level) {
  return backslashes_before(text, at) % (level + 1) != level;
}

// `at`: the string's own quote. Behind its closing one; at the backslashes of a quote of a lower
// level, or at the text's end, where there is none.
std::size_t string_end(std::string_view text, std::size_t at, std::size_t level) {
  for (at = text.find('"', at + 1); at != text.npos; at = text.find('"', at + 1)) {
    if (is_quote_of_level(text, at, level)) return at + 1;
    if (is_quote_below(text, at, level)) return at - backslashes_before(text, at);
  }
  return text.size();
}

}  // namespace

std::size_t json_value_end(std::string_view text, std::size_t at, std::size_t level) {
  if (at >= text.size()) return at;
  const std::size_t quote = skip_while(text, at, [](char c) { return c == '\\'; });
  if (quote < text.size() && text[quote] == '"')
    return quote - at == level ? string_end(text, quote, level) : at;
  if (text[at] != '{' && text[at] != '[')
    return skip_while(text, at, [](char c) {
      return static_cast<unsigned char>(c) > ' ' &&
             std::string_view(",}]\"\\").find(c) == std::string_view::npos;
    });
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      if (is_quote_below(text, at, level)) return at - backslashes_before(text, at);
      at = string_end(text, at, level);
      if (at < text.size() && text[at - 1] != '"') return at;
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return text.size();
}

Part authorization_at(std::string_view text, std::size_t at) {
  constexpr std::string_view kWord = "authorization";
  if (!is_word_at(text, at, kWord)) return {};
  const auto is_quote = [](char c) { return c == '\\' || c == '"' || c == '\''; };
  at = skip_while(text, at + kWord.size(), is_quote);
  at = skip_while(text, at, [](char c) { return c == ' '; });
  if (at == text.size() || (text[at] != ':' && text[at] != '=')) return {};
  at = skip_while(text, at + 1, [](char c) { return c == ' ' || c == '\t'; });
  const std::size_t quote = skip_while(text, at, [](char c) { return c == '\\'; });
  if (quote < text.size() && text[quote] == '"') {
    const std::size_t level = quote - at;
    std::size_t end = string_end(text, quote, level);
    if (is_quote_of_level(text, end - 1, level) && end > quote + 1) end -= level + 1;
    return {quote + 1, std::max(quote + 1, end)};
  }
  if (quote < text.size() && text[quote] == '\'')
    return {quote + 1,
            skip_while(text, quote + 1, [](char c) { return c != '\'' && c != '\n' && c != '"'; })};
  return {at, credentials_end(text, at)};
}

Part bearer_at(std::string_view text, std::size_t at) {
  constexpr std::string_view kWord = "bearer";
  if (!is_word_at(text, at, kWord)) return {};
  const std::size_t begin = skip_while(text, at + kWord.size(), [](char c) { return c == ' '; });
  if (begin == at + kWord.size()) return {};
  const std::size_t end = skip_while(text, begin, is_token68);
  // "Bearer token expired" is no secret; what has eight letters or a digit may be one.
  const std::string_view token = text.substr(begin, end - begin);
  if (token.size() < 8 && token.find_first_of("0123456789") == std::string_view::npos) return {};
  return {begin, skip_while(text, end, [](char c) { return c == '='; })};
}

Part basic_at(std::string_view text, std::size_t at) {
  constexpr std::string_view kWord = "basic";
  if (!is_word_at(text, at, kWord)) return {};
  const std::size_t begin = skip_while(text, at + kWord.size(), [](char c) { return c == ' '; });
  if (begin == at + kWord.size()) return {};
  std::size_t end = skip_while(text, begin, is_base64);
  end = skip_while(text, end, [](char c) { return c == '='; });
  // "Basic authentication" is no secret: what decodes to something with a colon is.
  const auto decoded = base64_decode(text.substr(begin, end - begin));
  if (!decoded || decoded->find(':') == std::string::npos) return {};
  return {begin, end};
}

Part aws_key_at(std::string_view text, std::size_t at) {
  constexpr std::size_t kPrefixBytes = 4, kKeyBytes = 20;
  const std::string_view prefix = text.substr(at, kPrefixBytes);
  if ((prefix != "AKIA" && prefix != "ASIA") || (at > 0 && is_alnum(text[at - 1]))) return {};
  const std::size_t end = skip_while(text, at, is_alnum);
  const bool lower = std::any_of(text.begin() + static_cast<std::ptrdiff_t>(at),
                                 text.begin() + static_cast<std::ptrdiff_t>(end),
                                 [](char c) { return c >= 'a' && c <= 'z'; });
  if (end - at != kKeyBytes || lower) return {};
  return {at, end};
}

Part jwt_at(std::string_view text, std::size_t at) {
  // "eyJ" is base64 of '{"', which a header begins with; the shortest header has 20 bytes.
  constexpr std::size_t kMinHeaderBytes = 16;
  if (text.substr(at, 3) != "eyJ" || (at > 0 && is_base64url(text[at - 1]))) return {};
  std::size_t end = skip_while(text, at, is_base64url);
  if (end - at < kMinHeaderBytes) return {};
  std::size_t dots = 0;
  for (; end < text.size() && text[end] == '.' && dots < 4; ++dots)
    end = skip_while(text, end + 1, is_base64url);
  if (dots < 2) return {};
  if (text[end - 1] == '.') --end;  // "…sig." at a sentence's end; or an unsigned token's last dot.
  return {at, end};
}

Part private_key_at(std::string_view text, std::size_t at) {
  constexpr std::string_view kBegin = "-----BEGIN ", kDashes = "-----", kEnd = "-----END ";
  constexpr std::size_t kMaxLabelBytes = 40;
  if (at < 4 || text.substr(at - 4, kBegin.size()) != kBegin) return {};
  const std::size_t begin = at - 4;
  const std::size_t label = begin + kBegin.size();
  const std::size_t label_end = text.find(kDashes, label);
  if (label_end == text.npos || label_end - label > kMaxLabelBytes ||
      text.substr(label, label_end - label).find("PRIVATE KEY") == text.npos)
    return {};
  // No quote is in a key: one ends the string that a key without its end is in.
  const std::size_t limit = std::min(text.find('"', label_end), text.size());
  const std::size_t last = text.substr(0, limit).find(kEnd, label_end);
  if (last == text.npos) return {begin, limit - backslashes_before(text, limit)};
  const std::size_t dashes = text.substr(0, limit).find(kDashes, last + kEnd.size());
  return {begin,
          dashes == text.npos ? limit - backslashes_before(text, limit) : dashes + kDashes.size()};
}

Part url_password_at(std::string_view text, std::size_t at) {
  if (at == 0 || !is_alnum(text[at - 1])) return {};
  const std::string_view rest = text.substr(at);
  const std::size_t authority = at + (rest.starts_with("://")       ? 3U
                                      : rest.starts_with(":\\/\\/") ? 5U
                                                                    : 0U);
  constexpr std::size_t kMaxUserBytes = 1024;
  if (authority == at || text.substr(authority, kMaxUserBytes).find('@') == text.npos) return {};
  const std::size_t end = skip_while(text, authority, [](char c) {
    return static_cast<unsigned char>(c) > ' ' &&
           std::string_view("/?#\"'<>\\`").find(c) == std::string_view::npos;
  });
  // The last '@': passwords have some that nobody wrote as %40.
  const std::string_view found = text.substr(authority, end - authority);
  const std::size_t host = found.rfind('@');
  const std::size_t colon = found.find(':');
  if (host == found.npos || colon == found.npos || colon + 1 >= host) return {};
  return {authority + colon + 1, authority + host};
}

}  // namespace pmx::redact::internal
