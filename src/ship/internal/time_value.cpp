#include "ship/internal/time_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace pmx::ship::internal {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kMaxSeconds = INT64_MAX / kNsPerSecond - 1;  // The year 2262.

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Reads a text from its front; a step that does not fit leaves it where it is.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool at_end() const { return rest_.empty(); }
  bool next_is_digit() const { return !rest_.empty() && is_digit(rest_[0]); }
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool take_any(std::string_view of) {
    if (rest_.empty() || of.find(rest_[0]) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void take_blanks() {
    while (take(' ')) {
    }
  }
  bool take_number(std::size_t least, std::size_t most, std::int64_t& number) {
    std::size_t size = 0;
    std::uint64_t read = 0;  // 19 digits fit.
    for (; size < most && size < rest_.size() && is_digit(rest_[size]); ++size)
      read = read * 10 + static_cast<std::uint64_t>(rest_[size] - '0');
    if (size < least || read > INT64_MAX) return false;
    number = static_cast<std::int64_t>(read);
    rest_.remove_prefix(size);
    return true;
  }
  // Digits of a fraction, as billionths; more than nine are left out.
  bool take_fraction(std::int64_t& billionths) {
    std::size_t size = 0;
    for (billionths = 0; size < rest_.size() && is_digit(rest_[size]); ++size)
      if (size < 9) billionths = billionths * 10 + (rest_[size] - '0');
    for (std::size_t i = size; i < 9; ++i) billionths *= 10;
    rest_.remove_prefix(size);
    return size > 0;
  }
  bool take_month(std::int64_t& month) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::size_t at = kMonths.find(rest_.substr(0, 3));
    if (rest_.size() < 3 || at == std::string_view::npos || at % 3 != 0) return false;
    month = static_cast<std::int64_t>(at / 3 + 1);
    rest_.remove_prefix(3);
    return true;
  }
  void take_weekday() {
    for (const std::string_view day : {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"})
      if (take(day)) break;
    take(',');
    take_blanks();
  }

 private:
  std::string_view rest_;
};

struct Parts {
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ns = 0;
};

// Days since 1970 of a Gregorian date, by counting years from March on.
std::int64_t days_of(const Parts& parts) {
  const std::int64_t year = parts.year - (parts.month <= 2 ? 1 : 0);
  const std::int64_t month = (parts.month + 9) % 12;
  const std::int64_t day_of_year = (153 * month + 2) / 5 + parts.day - 1;
  return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719'468;
}

bool take_clock(Scanner& scan, Parts& parts) {
  if (!scan.take_number(2, 2, parts.hour) || !scan.take(':')) return false;
  if (!scan.take_number(2, 2, parts.minute)) return false;
  if (!scan.take(':')) return true;
  if (!scan.take_number(2, 2, parts.second)) return false;
  return !scan.take_any(".,") || scan.take_fraction(parts.ns);
}

// nullopt: there is none. False: what stands there is no zone.
bool take_zone(Scanner& scan, std::optional<std::int64_t>& offset_seconds) {
  scan.take_blanks();
  if (scan.at_end()) return true;
  if (scan.take("UTC") || scan.take("GMT") || scan.take_any("Zz")) {
    offset_seconds = 0;
    if (scan.at_end()) return true;
  }
  const bool west = scan.take('-');
  if (!west && !scan.take('+')) return false;
  std::int64_t hours = 0, minutes = 0;
  if (!scan.take_number(2, 2, hours)) return false;
  scan.take(':');
  if (!scan.at_end() && !scan.take_number(2, 2, minutes)) return false;
  if (hours > 24 || minutes > 59) return false;
  offset_seconds = (hours * 60 + minutes) * (west ? -60 : 60);
  return true;
}

bool take_iso(Scanner& scan, Parts& parts) {
  if (!scan.take_number(4, 4, parts.year) || !scan.take_any("-/")) return false;
  if (!scan.take_number(2, 2, parts.month) || !scan.take_any("-/")) return false;
  return scan.take_number(2, 2, parts.day) && scan.take_any("Tt ") && take_clock(scan, parts);
}

bool take_rfc1123_or_access_log(Scanner& scan, Parts& parts) {
  if (!scan.take_number(1, 2, parts.day) || !scan.take_any(" /-")) return false;
  if (!scan.take_month(parts.month) || !scan.take_any(" /-")) return false;
  return scan.take_number(4, 4, parts.year) && scan.take_any(" :") && take_clock(scan, parts);
}

bool take_ctime(Scanner& scan, Parts& parts) {
  if (!scan.take_month(parts.month)) return false;
  scan.take_blanks();
  if (!scan.take_number(1, 2, parts.day) || !scan.take(' ')) return false;
  return take_clock(scan, parts) && scan.take(' ') && scan.take_number(4, 4, parts.year);
}

bool take_date_and_clock(std::string_view text, Scanner& scan, Parts& parts) {
  if (text.size() > 4 && (text[4] == '-' || text[4] == '/')) return take_iso(scan, parts);
  scan.take_weekday();
  return scan.next_is_digit() ? take_rfc1123_or_access_log(scan, parts) : take_ctime(scan, parts);
}

// "1.7e9"
bool take_floating(std::string_view number, std::int64_t& whole, std::int64_t& billionths) {
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return false;
  if (!(value >= 0 && value < 9e18)) return false;
  whole = static_cast<std::int64_t>(value);
  billionths = static_cast<std::int64_t>((value - static_cast<double>(whole)) * 1e9);
  return true;
}

}  // namespace

std::int64_t LocalZone::utc_seconds(std::int64_t local_seconds) {
  const std::int64_t quarter = local_seconds / 900;
  if (quarter != quarter_) {
    const std::time_t seconds = local_seconds;
    std::tm tm{};
    ::gmtime_r(&seconds, &tm);
    tm.tm_isdst = -1;
    offset_ = ::mktime(&tm) - local_seconds;
    quarter_ = quarter;
  }
  return local_seconds + offset_;
}

std::optional<std::int64_t> time_of_number(std::string_view number) {
  std::int64_t whole = 0, billionths = 0;
  Scanner scan(number);
  if (!scan.take_number(1, 19, whole)) return std::nullopt;
  if (scan.take('.') && !scan.take_fraction(billionths)) return std::nullopt;
  if (!scan.at_end() && !take_floating(number, whole, billionths)) return std::nullopt;
  // 1e8 s is in 1973. Each unit ends where its next smaller one begins, or in the year 2262.
  constexpr std::int64_t kLeast = 100'000'000, kMost = 100'000'000'000;
  if (whole < kLeast) return std::nullopt;
  if (whole < kMost)
    return whole > kMaxSeconds ? std::nullopt : std::optional(whole * kNsPerSecond + billionths);
  if (whole < kMost * 1000)
    return whole > kMaxSeconds * 1000 ? std::nullopt
                                      : std::optional(whole * 1'000'000 + billionths / 1000);
  if (whole < kMost * 1'000'000)
    return whole > kMaxSeconds * 1'000'000 ? std::nullopt
                                           : std::optional(whole * 1000 + billionths / 1'000'000);
  return whole;
}

std::optional<std::int64_t> time_of_text(std::string_view text, LocalZone& zone) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.size() >= 9 && std::all_of(text.begin(), text.begin() + 9, is_digit))
    return time_of_number(text);
  Scanner scan(text);
  Parts parts;
  std::optional<std::int64_t> offset_seconds;
  if (!take_date_and_clock(text, scan, parts) || !take_zone(scan, offset_seconds) || !scan.at_end())
    return std::nullopt;
  constexpr std::array<std::int64_t, 12> kDays{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (parts.year < 1971 || parts.year > 2261 || parts.month < 1 || parts.month > 12 ||
      parts.day < 1 || parts.day > kDays[static_cast<std::size_t>(parts.month - 1)] ||
      parts.hour > 23 || parts.minute > 59 || parts.second > 60)
    return std::nullopt;
  const std::int64_t local =
      days_of(parts) * 86'400 + parts.hour * 3600 + parts.minute * 60 + parts.second;
  const std::int64_t utc = offset_seconds ? local - *offset_seconds : zone.utc_seconds(local);
  return utc * kNsPerSecond + parts.ns;
}

}  // namespace pmx::ship::internal
