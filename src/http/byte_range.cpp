#include "http/byte_range.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace pmx::http {
namespace {

// Digits and nothing else; more than fit are as good as the end of any file.
std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end != text.data() + text.size()) return std::nullopt;
  return error == std::errc() ? value : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t file_size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const std::size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = number(header.substr(0, dash));
  const auto last = number(header.substr(dash + 1));
  const bool has_last = dash + 1 < header.size();
  if (dash == 0) {  // "-500": the last 500.
    if (!last) return std::nullopt;
    const std::uint64_t size = std::min(*last, file_size);
    return ByteRange{file_size - size, size};
  }
  if (!first || (has_last && (!last || *last < *first))) return std::nullopt;
  if (*first >= file_size) return ByteRange{};
  const std::uint64_t end = has_last && *last < file_size ? *last + 1 : file_size;
  return ByteRange{*first, end - *first};
}

}  // namespace pmx::http
