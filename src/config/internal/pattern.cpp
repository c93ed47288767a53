#include "config/internal/pattern.h"

#include <re2/re2.h>

namespace pmx::config {

std::optional<std::string> pattern_error(std::string_view pattern) {
  const RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), RE2::Quiet);
  if (compiled.ok()) return std::nullopt;
  return compiled.error();
}

}  // namespace pmx::config
