// The part of a file that a request asks for (RFC 9110, 14).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pmx::http {

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // 0: nothing of the file is in it (416).
};

// nullopt: all of the file. Several ranges, other units and what is no range are answered so too,
// as the RFC allows.
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t file_size);

}  // namespace pmx::http
