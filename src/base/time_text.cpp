#include "base/time_text.h"

#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>

#include "base/units.h"

namespace pmx {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::time_t seconds_of(std::int64_t time_ns) {
  return static_cast<std::time_t>(time_ns >= 0 ? time_ns / kNsPerSecond
                                               : (time_ns - kNsPerSecond + 1) / kNsPerSecond);
}
int millis_of(std::int64_t time_ns) {
  return static_cast<int>((time_ns - seconds_of(time_ns) * kNsPerSecond) / 1'000'000);
}

// Names are English: pmx keeps the C locale.
std::string utc_text(std::int64_t time_ns, const char* format) {
  const std::time_t seconds = seconds_of(time_ns);
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, format, &tm);
  return {text, size};
}

constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                "Thursday", "Friday", "Saturday"};

// Longest first: the scan takes the first that fits.
constexpr std::array<std::string_view, 28> kTokens{
    "YYYY", "MMMM", "dddd", "MMM", "ddd", "SSS", "YY", "MM", "DD", "dd", "HH", "hh", "mm", "ss",
    "ZZ",   "M",    "D",    "d",   "H",   "h",   "m",  "s",  "A",  "a",  "Z",  "X",  "x",  "Q"};

void append_number(std::string& out, long long number, int width) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*lld", width, number);
  out += text;
}

void append_offset(std::string& out, const std::tm& tm, bool colon) {
  const long minutes = tm.tm_gmtoff / 60;
  const long size = minutes < 0 ? -minutes : minutes;
  out += minutes < 0 ? '-' : '+';
  append_number(out, size / 60, 2);
  if (colon) out += ':';
  append_number(out, size % 60, 2);
}

void append_token(std::string& out, std::string_view token, const std::tm& tm,
                  std::int64_t time_ns) {
  const int hour12 = tm.tm_hour % 12 == 0 ? 12 : tm.tm_hour % 12;
  const auto month = static_cast<std::size_t>(tm.tm_mon);
  const auto day = static_cast<std::size_t>(tm.tm_wday);
  const int width = static_cast<int>(token.size());
  switch (token[0]) {
    case 'Y':
      return append_number(out, width == 4 ? tm.tm_year + 1900 : tm.tm_year % 100, width);
    case 'M':
      if (width <= 2) return append_number(out, tm.tm_mon + 1, width);
      out += width == 4 ? kMonths[month] : kMonths[month].substr(0, 3);
      return;
    case 'D':
      return append_number(out, tm.tm_mday, width);
    case 'd':
      if (width == 1) return append_number(out, tm.tm_wday, 1);
      out += width == 4 ? kDays[day] : kDays[day].substr(0, static_cast<std::size_t>(width));
      return;
    case 'H':
      return append_number(out, tm.tm_hour, width);
    case 'h':
      return append_number(out, hour12, width);
    case 'm':
      return append_number(out, tm.tm_min, width);
    case 's':
      return append_number(out, tm.tm_sec, width);
    case 'S':
      return append_number(out, millis_of(time_ns), 3);
    case 'A':
      out += tm.tm_hour < 12 ? "AM" : "PM";
      return;
    case 'a':
      out += tm.tm_hour < 12 ? "am" : "pm";
      return;
    case 'Z':
      return append_offset(out, tm, width == 1);
    case 'X':
      return append_number(out, seconds_of(time_ns), 1);
    case 'x':
      return append_number(out, time_ns / 1'000'000, 1);
    case 'Q':
      return append_number(out, tm.tm_mon / 3 + 1, 1);
    default:
      out += token;
  }
}

// Digits at `at`, `width` of them; -1 where they are not.
int digits(std::string_view text, std::size_t at, std::size_t width) {
  int number = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (i >= text.size() || !std::isdigit(static_cast<unsigned char>(text[i]))) return -1;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

bool starts_like_a_date(std::string_view text) {
  return text.size() >= 10 && text[4] == '-' && text[7] == '-' && digits(text, 0, 4) >= 0;
}

Result<std::int64_t> parse_date(std::string_view text) {
  const auto bad = [&] {
    return invalid("\"" + std::string(text) +
                   "\" is not a time: use 10m, 2h, 2026-11-23 or 2026-11-23T10:00[:00][Z]");
  };
  std::tm tm{};
  tm.tm_year = digits(text, 0, 4) - 1900;
  tm.tm_mon = digits(text, 5, 2) - 1;
  tm.tm_mday = digits(text, 8, 2);
  tm.tm_isdst = -1;
  std::size_t at = 10;
  int millis = 0;
  if (at < text.size() && (text[at] == 'T' || text[at] == ' ')) {
    tm.tm_hour = digits(text, at + 1, 2);
    tm.tm_min = digits(text, at + 4, 2);
    if (at + 3 >= text.size() || text[at + 3] != ':') return bad();
    at += 6;
    if (at < text.size() && text[at] == ':') {
      tm.tm_sec = digits(text, at + 1, 2);
      at += 3;
    }
    if (at < text.size() && text[at] == '.') {
      millis = digits(text, at + 1, 3);
      at += 4;
    }
  }
  if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
      tm.tm_hour > 24 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60 ||
      millis < 0)
    return bad();
  const bool utc = at < text.size() && text[at] == 'Z';
  if (at + (utc ? 1 : 0) != text.size()) return bad();
  const std::time_t seconds = utc ? ::timegm(&tm) : ::mktime(&tm);
  return seconds * kNsPerSecond + millis * 1'000'000LL;
}

}  // namespace

std::string utc_file_stamp(std::int64_t time_ns) { return utc_text(time_ns, "%Y-%m-%dT%H-%M-%SZ"); }

std::string iso_time(std::int64_t time_ns) {
  char millis[16];
  std::snprintf(millis, sizeof millis, ".%03dZ", millis_of(time_ns));
  return utc_text(time_ns, "%Y-%m-%dT%H:%M:%S") + millis;
}

std::string http_date(std::int64_t time_ns) {
  return utc_text(time_ns, "%a, %d %b %Y %H:%M:%S GMT");
}

std::string access_log_time(std::int64_t time_ns) {
  return utc_text(time_ns, "%d/%b/%Y:%H:%M:%S +0000");
}

TimeFormat::TimeFormat(std::string_view pattern) : pattern_(pattern) {}

void TimeFormat::append(std::string& out, std::int64_t time_ns) const {
  const std::time_t seconds = seconds_of(time_ns);
  std::tm tm{};
  ::localtime_r(&seconds, &tm);
  std::string_view rest = pattern_;
  while (!rest.empty()) {
    if (rest[0] == '[') {
      const std::size_t end = rest.find(']');
      if (end != std::string_view::npos) {
        out += rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        continue;
      }
    }
    std::string_view token;
    for (const std::string_view candidate : kTokens)
      if (rest.starts_with(candidate)) {
        token = candidate;
        break;
      }
    if (token.empty()) {
      out += rest[0];
      rest.remove_prefix(1);
    } else {
      append_token(out, token, tm, time_ns);
      rest.remove_prefix(token.size());
    }
  }
}

Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_ns) {
  if (starts_like_a_date(text)) return parse_date(text);
  if (text.size() >= 10 && parse_integer(text)) {
    const std::int64_t number = *parse_integer(text);
    return text.size() >= 13 ? number * 1'000'000 : number * kNsPerSecond;
  }
  const auto ago = parse_duration(text, std::chrono::seconds(1));
  if (!ago)
    return invalid("\"" + std::string(text) +
                   "\" is not a time: use 10m, 2h, 2026-11-23 or 2026-11-23T10:00[:00][Z]");
  return now_ns - std::chrono::duration_cast<std::chrono::nanoseconds>(*ago).count();
}

}  // namespace pmx
