#include "config/internal/text_checks.h"

#include <algorithm>
#include <cctype>

#include "base/units.h"
#include "config/internal/pattern.h"

namespace pmx::config {
namespace {

constexpr std::size_t kLongestAsked = 1024;

}  // namespace

bool is_request_path(std::string_view text) {
  return text.starts_with('/') && text.size() <= kLongestAsked &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_expected_answer(std::string_view text) {
  if (text.empty() || text.size() > kLongestAsked) return false;
  if (const auto status = parse_integer(text)) return *status >= 100 && *status <= 599;
  const bool pattern = text.size() > 2 && text.starts_with('/') && text.ends_with('/');
  return !pattern || !pattern_error(text.substr(1, text.size() - 2));
}

std::string as_signal_name(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text.starts_with("SIG") ? text : "SIG" + text;
}

}  // namespace pmx::config
