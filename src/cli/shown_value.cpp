#include "cli/shown_value.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace pmx::cli {
namespace {

constexpr std::string_view kHidden = "[secret]";

// Anywhere in a name: DBPASSWORD, authToken, MY_SECRETS.
constexpr std::array<std::string_view, 8> kParts{
    "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "PRIVATEKEY"};
// As a word of it: DB_PASS, STRIPE_KEY, apiKey, SENTRY_DSN; not KEYBOARD, COMPASS.
constexpr std::array<std::string_view, 9> kWords{"KEY",  "KEYS", "PASS",   "PWD", "DSN",
                                                 "AUTH", "JWT",  "COOKIE", "SALT"};
// Words of these names say something else.
constexpr std::array<std::string_view, 3> kPlain{"PWD", "OLDPWD", "SSH_AUTH_SOCK"};

char upper(char c) { return static_cast<char>(std::toupper(static_cast<unsigned char>(c))); }

bool is_letter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

// In capitals; a new word begins after what is no letter, and where capitals begin.
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words{""};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool hump = i > 0 && std::isupper(static_cast<unsigned char>(name[i])) != 0 &&
                      std::islower(static_cast<unsigned char>(name[i - 1])) != 0;
    if (!is_letter(name[i]) || hump) words.emplace_back();
    if (is_letter(name[i])) words.back() += upper(name[i]);
  }
  return words;
}

// Where the password of a URL is in `value`: {0, 0} where there is none.
std::pair<std::size_t, std::size_t> password_in(std::string_view value) {
  const std::size_t scheme = value.find("://");
  if (scheme == std::string_view::npos) return {0, 0};
  const std::size_t begin = scheme + 3;
  const std::size_t end = std::min(value.find_first_of("/?# ", begin), value.size());
  // The last one: a password may hold an @ that nobody has encoded.
  const std::size_t at = value.substr(0, end).rfind('@');
  const std::size_t colon = value.find(':', begin);
  if (at == std::string_view::npos || at < begin || colon == std::string_view::npos || colon > at)
    return {0, 0};
  return {colon + 1, at};
}

}  // namespace

bool looks_secret(std::string_view name) {
  if (std::find(kPlain.begin(), kPlain.end(), name) != kPlain.end()) return false;
  const std::vector<std::string> words = words_of(name);
  std::string joined;
  for (const std::string& word : words) joined += word;
  return std::any_of(
             kParts.begin(), kParts.end(),
             [&](std::string_view part) { return joined.find(part) != std::string::npos; }) ||
         std::any_of(kWords.begin(), kWords.end(), [&](std::string_view word) {
           return std::find(words.begin(), words.end(), word) != words.end();
         });
}

std::string shown_value(std::string_view name, std::string_view value, Reveal reveal) {
  std::string shown(value);
  if (reveal == Reveal::kYes || value.empty()) return shown;
  if (looks_secret(name) || value.find("-----BEGIN ") != std::string_view::npos)
    return std::string(kHidden);
  if (const auto [begin, end] = password_in(value); end > begin)
    shown.replace(begin, end - begin, kHidden);
  return shown;
}

}  // namespace pmx::cli
