#include "http/basic_auth.h"

#include <strings.h>

#include "base/base64.h"

namespace pmx::http {

bool equal_in_constant_time(std::string_view given, std::string_view secret) {
  // volatile: what has been found so far must not end the loop.
  volatile unsigned char differs = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char wanted = secret.empty() ? '\0' : secret[i % secret.size()];
    differs = static_cast<unsigned char>(differs | (given[i] ^ wanted));
  }
  return differs == 0;
}

bool is_authorised(std::string_view header, const std::string& user, const std::string& password) {
  constexpr std::string_view kScheme = "Basic ";
  if (header.size() < kScheme.size() ||
      ::strncasecmp(header.data(), kScheme.data(), kScheme.size()) != 0)
    return false;
  const std::size_t begin = header.find_first_not_of(' ', kScheme.size());
  if (begin == std::string_view::npos) return false;
  const auto given = base64_decode(header.substr(begin));
  // Compared whole: a user has no colon, so the first one is where the password begins.
  return given && equal_in_constant_time(*given, user + ":" + password);
}

}  // namespace pmx::http
