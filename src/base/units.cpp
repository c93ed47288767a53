#include "base/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>

namespace pmx {
namespace {

struct Quantity {
  double number;
  std::string unit;  // Lower case.
};

Result<Quantity> split(std::string_view text, std::string_view what) {
  const auto bad = [&] {
    return invalid("\"" + std::string(text) + "\" is not " + std::string(what));
  };
  double number = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (parsed.ec != std::errc() || number < 0 || !std::isfinite(number)) return bad();
  std::string unit(parsed.ptr, text.data() + text.size());
  while (!unit.empty() && unit.front() == ' ') unit.erase(0, 1);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return Quantity{number, std::move(unit)};
}

struct Unit {
  std::string_view name;
  double factor;
};

Result<double> scaled(std::string_view text, std::string_view what, std::span<const Unit> units) {
  const Quantity quantity = PMX_TRY(split(text, what));
  for (const Unit& unit : units)
    if (unit.name == quantity.unit) return quantity.number * unit.factor;
  return invalid("\"" + std::string(text) + "\" is not " + std::string(what));
}

constexpr double kKib = 1024.0;
constexpr std::array kSizeUnits{
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"k", kKib},
    Unit{"kb", kKib},
    Unit{"kib", kKib},
    Unit{"m", kKib* kKib},
    Unit{"mb", kKib* kKib},
    Unit{"mib", kKib* kKib},
    Unit{"g", kKib* kKib* kKib},
    Unit{"gb", kKib* kKib* kKib},
    Unit{"gib", kKib* kKib* kKib},
    Unit{"t", kKib* kKib* kKib* kKib},
    Unit{"tb", kKib* kKib* kKib* kKib},
    Unit{"tib", kKib* kKib* kKib* kKib},
};

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  const double bytes = PMX_TRY(scaled(text, "a size like 10M, 512K or 1048576", kSizeUnits));
  if (bytes > 9e18) return invalid("\"" + std::string(text) + "\" is too large a size");
  return static_cast<std::uint64_t>(bytes);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text,
                                                 std::chrono::milliseconds bare_unit) {
  const std::array units{
      Unit{"", static_cast<double>(bare_unit.count())},
      Unit{"ms", 1},
      Unit{"s", 1e3},
      Unit{"m", 60e3},
      Unit{"min", 60e3},
      Unit{"h", 3600e3},
      Unit{"d", 86400e3},
      Unit{"w", 7 * 86400e3},
  };
  const double ms = PMX_TRY(scaled(text, "a duration like 500ms, 10s, 5m, 1h or 7d", units));
  if (ms > 9e15) return invalid("\"" + std::string(text) + "\" is too long a duration");
  return std::chrono::milliseconds(static_cast<std::int64_t>(ms));
}

std::string format_size(std::uint64_t size_bytes) {
  constexpr std::array<const char*, 4> kNames{"kb", "mb", "gb", "tb"};
  char text[32];
  if (size_bytes < 1024) {
    std::snprintf(text, sizeof text, "%llub", static_cast<unsigned long long>(size_bytes));
    return text;
  }
  double value = static_cast<double>(size_bytes) / kKib;
  std::size_t unit = 0;
  for (; value >= kKib && unit + 1 < kNames.size(); ++unit) value /= kKib;
  std::snprintf(text, sizeof text, "%.1f%s", value, kNames[unit]);
  return text;
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || text.empty())
    return invalid("\"" + std::string(text) + "\" is not a whole number");
  return number;
}

}  // namespace pmx
