// The app's own time as loggers write it, as ns since 1970.
//
//   numbers   seconds, milliseconds, microseconds or nanoseconds by their size, with or without a
//             fraction; from 1973 on, so that a duration or a count under such a key is no time
//   ISO 8601  2006-01-02T15:04:05.000Z, with a blank or '/' instead, a comma, zones +01:00, +0100,
//             UTC; without a zone: local time, as Python, log4j and winston write it
//   RFC 1123  Mon, 02 Jan 2006 15:04:05 GMT, and 02/Jan/2006:15:04:05 +0000 (access logs)
//   ctime     Mon Jan  2 15:04:05 2006, local time
//
// Times without a year (syslog's, klog's) are none: they would need to know when they are read.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pmx::ship::internal {

// What local time is away from UTC. mktime() looks at the zone's file each time, so the answer is
// kept for the quarter of an hour: no zone changes within one.
class LocalZone {
 public:
  std::int64_t utc_seconds(std::int64_t local_seconds);

 private:
  std::int64_t quarter_ = INT64_MIN;
  std::int64_t offset_ = 0;
};

std::optional<std::int64_t> time_of_number(std::string_view number);  // A JSON number, or a text's.
std::optional<std::int64_t> time_of_text(std::string_view text, LocalZone& zone);

}  // namespace pmx::ship::internal
