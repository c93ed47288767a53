// The search works on calendar seconds, in which every day has 86,400 of them, and turns what it
// finds into real time. The two differ by an offset that changes a few times a year; around such a
// change the same calendar second may be there twice, or never.
#include "base/schedule.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <span>
#include <string>
#include <vector>

#include "base/units.h"

namespace pmx {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kSearchDays = 9 * 366;  // 29 February is up to eight years away.

struct Field {
  const char* name;
  int low, high;
  std::span<const std::string_view> words;  // The first one means `low`.
};
constexpr std::array<std::string_view, 12> kMonthWords{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDayWords{"sun", "mon", "tue", "wed",
                                                    "thu", "fri", "sat"};
constexpr std::array kFields{
    Field{"second", 0, 59, {}},         Field{"minute", 0, 59, {}},
    Field{"hour", 0, 23, {}},           Field{"day of the month", 1, 31, {}},
    Field{"month", 1, 12, kMonthWords}, Field{"day of the week", 0, 7, kDayWords},
};

struct Nickname {
  std::string_view name, pattern;
};
constexpr std::array kNicknames{
    Nickname{"hour", "0 * * * *"},    Nickname{"day", "0 0 * * *"},
    Nickname{"week", "0 0 * * 1"},    Nickname{"@hourly", "0 * * * *"},
    Nickname{"@daily", "0 0 * * *"},  Nickname{"@midnight", "0 0 * * *"},
    Nickname{"@weekly", "0 0 * * 0"}, Nickname{"@monthly", "0 0 1 * *"},
    Nickname{"@yearly", "0 0 1 1 *"}, Nickname{"@annually", "0 0 1 1 *"},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find_first_of(separators);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Result<int> parse_value(std::string_view text, const Field& field) {
  for (std::size_t i = 0; i < field.words.size(); ++i)
    if (text == field.words[i]) return field.low + static_cast<int>(i);
  const auto number = parse_integer(text);
  const std::string what = std::string(field.name) + " \"" + std::string(text) + "\"";
  if (!number || text[0] == '-' || text[0] == '+') return invalid(what + " is not a number");
  if (*number < field.low || *number > field.high)
    return invalid(what + " is not in " + std::to_string(field.low) + "-" +
                   std::to_string(field.high));
  return static_cast<int>(*number);
}

// Sets bits for one item of a list: "*", "5", "1-5", "*/10", "1-30/2", "5/10" (from 5 on).
template <std::size_t N>
Result<void> parse_item(std::string_view item, const Field& field, std::bitset<N>& bits) {
  const std::vector<std::string_view> step_parts = split(item, "/");
  const std::string_view range = step_parts[0];
  int step = 1;
  if (step_parts.size() > 1) {
    const auto number = parse_integer(step_parts[1]);
    if (step_parts.size() > 2 || !number || *number < 1 || *number > field.high)
      return invalid(std::string(field.name) + " \"" + std::string(item) + "\" has a bad step");
    step = static_cast<int>(*number);
  }
  int low = field.low, high = field.high;
  if (range != "*" && range != "?") {
    const std::vector<std::string_view> ends = split(range, "-");
    if (ends.size() > 2)
      return invalid(std::string(field.name) + " \"" + std::string(item) + "\" is not a range");
    low = PMX_TRY(parse_value(ends[0], field));
    if (ends.size() == 2)
      high = PMX_TRY(parse_value(ends[1], field));
    else if (step_parts.size() == 1)
      high = low;
    if (low > high)
      return invalid(std::string(field.name) + " \"" + std::string(item) +
                     "\" ends before it begins");
  }
  for (int value = low; value <= high; value += step) bits.set(static_cast<std::size_t>(value));
  return {};
}

template <std::size_t N>
Result<void> parse_field(std::string_view text, const Field& field, std::bitset<N>& bits) {
  for (const std::string_view item : split(text, ",")) PMX_TRY(parse_item(item, field, bits));
  return {};
}

bool is_any(std::string_view text) { return text == "*" || text == "?"; }

std::int64_t offset_at(std::int64_t real) {
  const auto seconds = static_cast<std::time_t>(real);
  std::tm tm{};
  ::localtime_r(&seconds, &tm);
  return tm.tm_gmtoff;
}

// The first second of (`before`, `after`] with another offset than `before` has; `after` must have
// one.
std::int64_t change_between(std::int64_t before, std::int64_t after) {
  const std::int64_t offset = offset_at(before);
  while (after - before > 1) {
    const std::int64_t middle = before + (after - before) / 2;
    (offset_at(middle) == offset ? before : after) = middle;
  }
  return after;
}

// The first real time at which the clock shows `calendar`, or goes over it.
std::int64_t real_time_of(std::int64_t calendar) {
  const std::int64_t before = offset_at(calendar - kDay), after = offset_at(calendar + kDay);
  for (const std::int64_t offset : {std::max(before, after), std::min(before, after)})
    if (offset_at(calendar - offset) == offset) return calendar - offset;
  return change_between(calendar - kDay - before, calendar + kDay - after);
}

}  // namespace

Result<Schedule> Schedule::parse(std::string_view every) {
  std::string pattern = lower(every);
  for (const Nickname& nickname : kNicknames)
    if (pattern == nickname.name) pattern = nickname.pattern;
  std::vector<std::string_view> parts = split(pattern, " \t");
  std::erase(parts, std::string_view());
  const std::string shown = "\"" + std::string(every) + "\" is not a schedule";
  if (parts.size() != 5 && parts.size() != 6)
    return invalid(shown + ": use hour, day, week or a cron pattern of five or six fields");
  if (parts.size() == 5) parts.insert(parts.begin(), "0");
  Schedule schedule;
  std::bitset<8> weekdays;
  PMX_TRY_WITHIN(shown, parse_field(parts[0], kFields[0], schedule.seconds_));
  PMX_TRY_WITHIN(shown, parse_field(parts[1], kFields[1], schedule.minutes_));
  PMX_TRY_WITHIN(shown, parse_field(parts[2], kFields[2], schedule.hours_));
  schedule.last_day_ = parts[3] == "l";
  if (!schedule.last_day_) PMX_TRY_WITHIN(shown, parse_field(parts[3], kFields[3], schedule.days_));
  PMX_TRY_WITHIN(shown, parse_field(parts[4], kFields[4], schedule.months_));
  PMX_TRY_WITHIN(shown, parse_field(parts[5], kFields[5], weekdays));
  for (std::size_t day = 0; day <= 7; ++day)
    if (weekdays[day]) schedule.weekdays_.set(day % 7);
  schedule.any_day_ = is_any(parts[3]);
  schedule.any_weekday_ = is_any(parts[5]);
  if (!schedule.next_match(0)) return invalid(shown + ": no such day ever comes");
  return schedule;
}

std::int64_t Schedule::next_after(std::int64_t now_ns) const {
  const std::int64_t now = now_ns / kNsPerSecond - (now_ns % kNsPerSecond < 0 ? 1 : 0);
  return (hours_.all() ? next_in_every_hour(now) : next_at_fixed_hours(now)) * kNsPerSecond;
}

// Goes through real time, one stretch of equal offset after the other.
std::int64_t Schedule::next_in_every_hour(std::int64_t now) const {
  std::int64_t from = now + 1;
  for (;;) {
    const std::int64_t offset = offset_at(from);
    const std::int64_t due = next_match(from + offset).value_or(from + offset) - offset;
    if (offset_at(due) == offset) return due;
    from = change_between(from, due);
  }
}

std::int64_t Schedule::next_at_fixed_hours(std::int64_t now) const {
  // Near a change the calendar may have been shown before: begin early and leave out what is past.
  const bool change_is_near = offset_at(now - kDay) != offset_at(now + kDay);
  std::int64_t calendar = now + offset_at(now) + 1 - (change_is_near ? kDay / 4 : 0);
  for (;;) {
    calendar = next_match(calendar).value_or(calendar);
    const std::int64_t due = real_time_of(calendar);
    if (due > now) return due;
    ++calendar;
  }
}

std::optional<std::int64_t> Schedule::next_match(std::int64_t calendar) const {
  std::int64_t day = calendar / kDay - (calendar % kDay < 0 ? 1 : 0);
  std::int64_t second = calendar - day * kDay;
  for (const std::int64_t end = day + kSearchDays; day < end; ++day, second = 0) {
    if (!day_matches(day)) continue;
    if (const auto found = next_second_of_day(second)) return day * kDay + *found;
  }
  return std::nullopt;
}

bool Schedule::day_matches(std::int64_t day) const {
  const std::chrono::sys_days date{std::chrono::days(day)};
  const std::chrono::year_month_day ymd(date);
  if (!months_[static_cast<unsigned>(ymd.month())]) return false;
  const std::chrono::year_month_day_last end(ymd.year(), std::chrono::month_day_last(ymd.month()));
  const bool in_month =
      last_day_ ? ymd.day() == end.day() : days_[static_cast<unsigned>(ymd.day())];
  const bool in_week = weekdays_[std::chrono::weekday(date).c_encoding()];
  return any_day_ || any_weekday_ ? in_month && in_week : in_month || in_week;
}

std::optional<std::int64_t> Schedule::next_second_of_day(std::int64_t second) const {
  for (std::int64_t hour = second / 3600; hour < 24; ++hour) {
    if (!hours_[static_cast<std::size_t>(hour)]) continue;
    for (std::int64_t minute = std::max<std::int64_t>(second - hour * 3600, 0) / 60; minute < 60;
         ++minute) {
      if (!minutes_[static_cast<std::size_t>(minute)]) continue;
      const std::int64_t begin = hour * 3600 + minute * 60;
      for (std::int64_t at = std::max<std::int64_t>(second - begin, 0); at < 60; ++at)
        if (seconds_[static_cast<std::size_t>(at)]) return begin + at;
    }
  }
  return std::nullopt;
}

}  // namespace pmx
