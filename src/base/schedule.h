// When to rotate or restart by time: "hour", "day", "week" (Monday), PM2's and croner's cron patterns with
// five or six fields (seconds first), or "@hourly" and its siblings. Fields take *, ?, lists,
// ranges, steps and English names; the day of the month also L (its last); 7 is Sunday. Where both
// days are restricted, one that fits is enough, as in cron(8).
//
// Times are local. Where the clock goes forward, a time that does not exist is due at the first one
// that does. Where it goes back, a pattern with fixed hours is due once, one for every hour in both
// hours.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace pmx {

class Schedule {
 public:
  static Result<Schedule> parse(std::string_view every);

  // The first due time after `now_ns`; there always is one.
  std::int64_t next_after(std::int64_t now_ns) const;

 private:
  Schedule() = default;
  // Calendar seconds: what the clock on the wall shows, counted as if it were UTC.
  std::optional<std::int64_t> next_match(std::int64_t calendar) const;
  bool day_matches(std::int64_t day) const;
  std::optional<std::int64_t> next_second_of_day(std::int64_t second) const;
  std::int64_t next_in_every_hour(std::int64_t now) const;
  std::int64_t next_at_fixed_hours(std::int64_t now) const;

  std::bitset<60> seconds_, minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     // 1 to 31.
  std::bitset<13> months_;   // 1 to 12.
  std::bitset<7> weekdays_;  // 0 is Sunday.
  bool last_day_ = false;
  bool any_day_ = false, any_weekday_ = false;  // Written as *: the other field decides.
};

}  // namespace pmx
