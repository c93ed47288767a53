// Sizes and durations as users write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx {

constexpr std::uint64_t operator""_KiB(unsigned long long n) { return n << 10U; }
constexpr std::uint64_t operator""_MiB(unsigned long long n) { return n << 20U; }
constexpr std::uint64_t operator""_GiB(unsigned long long n) { return n << 30U; }

// "10M", "10MB", "10mb", "10MiB", "1.5G" and plain bytes; powers of 1024 throughout, as PM2 reads them.
Result<std::uint64_t> parse_size(std::string_view text);
// "1600" (in `bare_unit`), "10s", "1m", "1.5h", "7d", "250ms".
Result<std::chrono::milliseconds> parse_duration(
    std::string_view text, std::chrono::milliseconds bare_unit = std::chrono::milliseconds(1));
std::string format_size(std::uint64_t size_bytes);  // "20.6mb", "512b": PM2's list, one decimal.

// A whole decimal number and nothing else.
Result<std::int64_t> parse_integer(std::string_view text);

}  // namespace pmx
