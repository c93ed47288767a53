#include "redact/internal/key_lines.h"

#include <algorithm>
#include <array>

#include "redact/internal/secret_text.h"

namespace pmx::redact::internal {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ", kEnd = "-----END ", kDashes = "-----";
constexpr std::size_t kLongestLabelBytes = 40;
constexpr std::array<std::string_view, 5> kHeaders{
    "Proc-Type: ", "DEK-Info: ", "Version: ", "Comment: ", "Hash: "};

std::string_view without_indent(std::string_view line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t'\"`|>"), line.size()));
  return line;
}

bool is_decoration(std::string_view rest) {
  return rest.find_first_not_of(" \t\r\"'`\\n+,;)") == std::string_view::npos;
}

}  // namespace

bool opens_key(std::string_view line) {
  const std::size_t begin = line.find(kBegin);
  if (begin == line.npos) return false;
  const std::size_t label = begin + kBegin.size();
  const std::size_t end = line.find(kDashes, label);
  if (end == line.npos || end - label > kLongestLabelBytes) return false;
  return line.substr(label, end - label).find("PRIVATE KEY") != line.npos &&
         is_decoration(line.substr(end + kDashes.size()));
}

bool is_key_body(std::string_view line) {
  line = without_indent(line);
  const auto in_base64 = [line](std::size_t at) {  // '=' at its end, or before OpenPGP's checksum.
    return at < line.size() &&
           (is_alnum(line[at]) || line[at] == '+' || line[at] == '/' || line[at] == '=');
  };
  std::size_t size = 0;
  while (in_base64(size)) ++size;
  if (is_decoration(line.substr(size))) return true;
  return std::any_of(kHeaders.begin(), kHeaders.end(),
                     [line](std::string_view header) { return line.starts_with(header); });
}

std::size_t key_end(std::string_view line) {
  const std::size_t begin = line.find(kEnd);
  if (begin == line.npos) return line.npos;
  const std::size_t dashes = line.find(kDashes, begin + kEnd.size());
  return dashes == line.npos ? line.size() : dashes + kDashes.size();
}

}  // namespace pmx::redact::internal
