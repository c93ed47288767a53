// The one line that a user reads about a pattern of his that RE2 does not take.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx {

inline Error pattern_error(std::string_view setting, std::string_view pattern,
                           std::string_view why) {
  std::string text = std::string(setting) + ": \"" + std::string(pattern) +
                     "\" is no pattern (RE2 syntax): " + std::string(why);
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';  // It stays one line.
  return invalid(std::move(text));
}

}  // namespace pmx
