// Commands of PM2 that pmx does not have: what each is answered with, so that nobody has to guess
// whether it was misspelt.
#pragma once

#include <string_view>

namespace pmx::cli {

struct NotOffered {
  std::string_view names;  // Separated by spaces.
  std::string_view line;   // What pmx has instead.
  bool harmless = false;   // Scripts call it and go on only after exit code 0.
};

const NotOffered* find_not_offered(std::string_view name);

}  // namespace pmx::cli
