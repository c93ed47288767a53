// What of a folder a request asks for: its target, decoded once and strictly.
//
// Errors:  kInvalidArgument for what no browser sends: a percent sign without two hexadecimal
//          digits, control characters and NUL, dots as segments (RFC 3986, 5.2.4: the client
//          resolves them).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx::http {

struct RequestPath {
  std::string path;       // "assets/app.js", below the folder; "" is the folder itself.
  std::string query;      // With its "?", as it came.
  bool folder = false;    // Ends in a slash.
  bool dotfile = false;   // A name in it begins with a dot, /.well-known (RFC 8615) excepted.
  bool nameless = false;  // A name in it has an encoded slash: no file is called so.
};

// "/a/b?c", or the same behind "http://host" (RFC 9112, 3.2.2).
Result<RequestPath> parse_target(std::string_view target);

std::string_view last_name(std::string_view path);  // "assets/app.js" → "app.js"
// As one segment of a URL.
std::string percent_encoded(std::string_view name);

}  // namespace pmx::http
