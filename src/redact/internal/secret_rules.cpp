#include "redact/internal/secret_rules.h"

#include <algorithm>
#include <array>

#include "redact/internal/card_number.h"
#include "redact/internal/secret_text.h"

namespace pmx::redact::internal {
namespace {

constexpr std::array<std::string_view, 9> kBuiltinKeys{
    "password", "passwd",        "secret", "token",      "api_key",
    "apikey",   "authorization", "cookie", "set-cookie",
};

bool is_separator(char c) { return c == '-' || c == '_'; }

// `text` begins with `key`; how long it is there, 0 where it does not.
std::size_t key_size(std::string_view text, std::string_view key) {
  std::size_t at = 0;
  for (const char c : key) {
    if (is_separator(c)) {
      at += at < text.size() && is_separator(text[at]) ? 1U : 0U;
      continue;
    }
    if (at == text.size() || to_lower(text[at]) != to_lower(c)) return 0;
    ++at;
  }
  return at;
}

}  // namespace

void SecretRules::use_builtin() {
  using Case = SecretScan::Case;
  builtin_ = true;
  scan_.add_prefix(0, {"a", "u", "t"}, Case::kAny);    // authorization
  scan_.add_prefix(1, {"b", "ea", "as"}, Case::kAny);  // bearer, basic
  scan_.add_prefix(2, {"A", "KS", "I"}, Case::kExact);
  scan_.add_prefix(3, {"e", "y", "J"}, Case::kExact);
  scan_.add_prefix(4, {"-", "B", "E"}, Case::kExact);
  scan_.add_prefix(5, {":", "/\\", "/"}, Case::kExact);  // PHP writes ":\/\/" in JSON.
  scan_.add_digits();
  for (const std::string_view key : kBuiltinKeys) add_key(key);
}

void SecretRules::add_key(std::string_view key) {
  if (key.empty() || std::find(keys_.begin(), keys_.end(), key) != keys_.end()) return;
  // Two groups, so that the first two letters of one key mix with those of fewer others.
  const std::size_t group = 6U + (keys_.size() & 1U);
  std::string second(key.substr(1, 1));
  if (!second.empty() && is_separator(second[0])) second = "-_" + std::string(key.substr(2, 1));
  if (is_separator(key[0])) second = "";  // May be missing: any letter.
  const std::string_view first = is_separator(key[0]) ? std::string_view() : key.substr(0, 1);
  scan_.add_prefix(group, {"\"", first, second}, SecretScan::Case::kAny);
  keys_.emplace_back(key);
}

void SecretRules::find(std::string_view text, std::vector<Secret>& found) {
  places_.clear();
  cards_until_ = values_until_ = parts_until_ = 0;
  scan_.find(text, places_);
  for (const std::uint32_t at : places_) check(text, at, found);
}

void SecretRules::check(std::string_view text, std::size_t at, std::vector<Secret>& found) {
  const char c = text[at];
  if (c == '"') return check_key(text, at, found);
  if (!builtin_) return;
  if (c >= '0' && c <= '9') return check_card(text, at, found);
  const auto once = [&](Part (*rule)(std::string_view, std::size_t)) {
    const Part found_part = at < parts_until_ ? Part() : rule(text, at);
    parts_until_ = std::max(parts_until_, found_part.end);
    return found_part;
  };
  Part part;
  switch (c) {
    case 'A':
      part = aws_key_at(text, at);
      [[fallthrough]];
    case 'a':
      if (part.empty()) part = once(authorization_at);
      break;
    case 'b':
    case 'B':
      part = bearer_at(text, at);
      if (part.empty()) part = basic_at(text, at);
      break;
    case 'e':
      part = jwt_at(text, at);
      break;
    case '-':
      part = once(private_key_at);
      break;
    case ':':
      part = url_password_at(text, at);
      break;
    default:
      break;
  }
  if (!part.empty()) found.push_back({part.begin, part.end});
}

// `at` is the quote before what may be a key. In a string of a JSON line there may be JSON again,
// whose quotes have backslashes: what holds for a quote holds for its backslashes and it together.
void SecretRules::check_key(std::string_view text, std::size_t at, std::vector<Secret>& found) {
  if (at < values_until_) return;
  const std::size_t level = backslashes_before(text, at);
  if (!is_quoting_level(level)) return;
  const std::string_view behind_quote = text.substr(at + 1);
  for (const std::string& key : keys_) {
    const std::size_t size = key_size(behind_quote, key);
    if (size == 0) continue;
    std::size_t next = at + 1 + size;
    if (!is_quote_of_level(text, next + level, level) || next + level >= text.size()) continue;
    next = skip_spaces(text, next + level + 1);
    if (next >= text.size() || text[next] != ':') continue;
    next = skip_spaces(text, next + 1);
    const std::size_t end = json_value_end(text, next, level);
    if (end > next) found.push_back({next, end, static_cast<std::uint32_t>(level)});
    values_until_ = end;
    return;
  }
}

void SecretRules::check_card(std::string_view text, std::size_t at, std::vector<Secret>& found) {
  if (at < cards_until_) return;
  const Part run = digit_run_around(text, at);
  cards_until_ = run.end;
  for (std::size_t from = run.begin; from < run.end;) {
    const Part card = card_number_in(text, from, run.end);
    if (card.empty()) return;
    found.push_back({card.begin, card.end});
    from = card.end;
  }
}

}  // namespace pmx::redact::internal
