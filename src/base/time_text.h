// Times as text: names of sealed files, dates before lines, what a user types for --since.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx {

// "2026-11-23T10-00-00Z": UTC, sorts by age, safe in a file name.
std::string utc_file_stamp(std::int64_t time_ns);
// "2026-11-23T10:00:00.123Z", as Date.toISOString.
std::string iso_time(std::int64_t time_ns);
// "Mon, 23 Nov 2026 10:00:00 GMT": IMF-fixdate (RFC 9110, 5.6.7).
std::string http_date(std::int64_t time_ns);
// "23/Nov/2026:10:00:00 +0000", as in web servers' access logs.
std::string access_log_time(std::int64_t time_ns);

// A dayjs pattern (PM2's log_date_format), compiled once: YYYY YY MMMM MMM MM M DD D dddd ddd HH H
// hh h mm m ss s SSS A a Z ZZ X x and [escaped text], in local time. Unknown letters stand for
// themselves.
class TimeFormat {
 public:
  explicit TimeFormat(std::string_view pattern);
  const std::string& pattern() const { return pattern_; }
  void append(std::string& out, std::int64_t time_ns) const;
  std::string format(std::int64_t time_ns) const {
    std::string text;
    append(text, time_ns);
    return text;
  }

 private:
  std::string pattern_;
};

// "10m", "2h" (before now), "2026-11-23", "2026-11-23T10:00[:00[.123]][Z]", "2026-11-23 10:00", or
// seconds or milliseconds since 1970. Without Z: local time.
Result<std::int64_t> parse_time(std::string_view text, std::int64_t now_ns);

}  // namespace pmx
