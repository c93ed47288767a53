#include "http/request_path.h"

#include <algorithm>
#include <cctype>

namespace pmx::http {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

int hex_value(char c) {
  const std::size_t at =
      kHexDigits.find(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

Result<std::string> decoded(std::string_view segment) {
  std::string name;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '%') {
      name += segment[i];
      continue;
    }
    const int high = i + 2 < segment.size() ? hex_value(segment[i + 1]) : -1;
    const int low = i + 2 < segment.size() ? hex_value(segment[i + 2]) : -1;
    if (high < 0 || low < 0) return invalid("a % without two hexadecimal digits behind it");
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (std::any_of(name.begin(), name.end(), is_control)) return invalid("a control character");
  if (name == "." || name == "..") return invalid("a path with dots to resolve");
  return name;
}

// Without scheme and authority, where it has them.
Result<std::string_view> origin_form(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const std::size_t path = target.find_first_of("/?", scheme.size());
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  if (!target.starts_with('/')) return invalid("a target that is no path");
  return target;
}

}  // namespace

Result<RequestPath> parse_target(std::string_view target) {
  std::string_view rest = PMX_TRY(origin_form(target));
  RequestPath out;
  const std::size_t question = std::min(rest.find('?'), rest.size());
  out.query = rest.substr(question);
  rest = rest.substr(0, question);
  out.folder = rest.ends_with('/');
  while (!rest.empty()) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string name = PMX_TRY(decoded(rest.substr(0, slash)));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (name.empty()) continue;  // "//" is "/".
    out.dotfile |= name.front() == '.' && !(out.path.empty() && name == ".well-known");
    out.nameless |= name.find('/') != std::string::npos;
    out.path += (out.path.empty() ? "" : "/") + name;
  }
  return out;
}

std::string_view last_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string percent_encoded(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte < 0x80 && (std::isalnum(byte) != 0 ||
                                       std::string_view("-._~").find(c) != std::string_view::npos);
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHexDigits[byte >> 4U];
      out += kHexDigits[byte & 15U];
    }
  }
  return out;
}

}  // namespace pmx::http
