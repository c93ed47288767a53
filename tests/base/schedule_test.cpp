#include "base/schedule.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace pmx {
namespace {

constexpr std::int64_t kNs = 1'000'000'000;

class ScheduleTest : public testing::Test {
 protected:
  void SetUp() override { zone("UTC"); }
  void TearDown() override { zone("UTC"); }
  static void zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  // "2026-11-23 10:00:00" in UTC.
  static std::int64_t utc(const char* text) {
    std::tm tm{};
    EXPECT_NE(::strptime(text, "%Y-%m-%d %H:%M:%S", &tm), nullptr) << text;
    return ::timegm(&tm) * kNs;
  }
  static std::string text_of(std::int64_t time_ns) {
    const std::time_t seconds = time_ns / kNs;
    std::tm tm{};
    ::gmtime_r(&seconds, &tm);
    char text[32];
    ::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    return text;
  }
  static std::vector<std::string> dues(const char* every, const char* from, int count) {
    std::vector<std::string> found;
    const auto schedule = Schedule::parse(every);
    EXPECT_TRUE(schedule) << schedule.error().message();
    if (!schedule) return found;
    std::int64_t at = utc(from);
    for (int i = 0; i < count; ++i) found.push_back(text_of(at = schedule->next_after(at)));
    return found;
  }
  static std::string next(const char* every, const char* from) { return dues(every, from, 1)[0]; }
  static std::string error(const char* every) {
    const auto schedule = Schedule::parse(every);
    return schedule ? "accepted" : schedule.error().message();
  }
};

TEST_F(ScheduleTest, KnowsTheWordsOfTheSetting) {
  EXPECT_EQ(next("hour", "2026-11-23 10:20:30"), "2026-11-23 11:00:00");
  EXPECT_EQ(next("day", "2026-11-23 10:20:30"), "2026-11-24 00:00:00");
  EXPECT_EQ(next("week", "2026-11-23 00:00:00"), "2026-11-30 00:00:00");
  EXPECT_EQ(next("@monthly", "2026-11-23 10:20:30"), "2026-12-01 00:00:00");
}

TEST_F(ScheduleTest, IsStrictlyAfterNow) {
  EXPECT_EQ(next("hour", "2026-11-23 10:00:00"), "2026-11-23 11:00:00");
  const auto schedule = Schedule::parse("hour");
  EXPECT_EQ(schedule->next_after(utc("2026-11-23 10:00:00") - 1), utc("2026-11-23 10:00:00"));
  EXPECT_EQ(schedule->next_after(-1), 0);
}

TEST_F(ScheduleTest, ReadsFiveFieldsAndSix) {
  EXPECT_EQ(next("30 4 * * *", "2026-11-23 10:00:00"), "2026-11-24 04:30:00");
  EXPECT_EQ(next("15 30 4 * * *", "2026-11-23 10:00:00"), "2026-11-24 04:30:15");
  EXPECT_EQ(next("  0\t0  1 1 * ", "2026-11-23 10:00:00"), "2027-01-01 00:00:00");
  EXPECT_EQ(next("*/20 * * * * *", "2026-11-23 10:00:41"), "2026-11-23 10:01:00");
}

TEST_F(ScheduleTest, ReadsListsRangesAndSteps) {
  EXPECT_EQ(
      dues("*/25 9-10 * * *", "2026-11-23 09:30:00", 5),
      (std::vector<std::string>{"2026-11-23 09:50:00", "2026-11-23 10:00:00", "2026-11-23 10:25:00",
                                "2026-11-23 10:50:00", "2026-11-24 09:00:00"}));
  EXPECT_EQ(dues("5,10-20/5 0 * * *", "2026-11-23 00:00:00", 4),
            (std::vector<std::string>{"2026-11-23 00:05:00", "2026-11-23 00:10:00",
                                      "2026-11-23 00:15:00", "2026-11-23 00:20:00"}));
  EXPECT_EQ(dues("40/10 * * * *", "2026-11-23 00:00:00", 3),
            (std::vector<std::string>{"2026-11-23 00:40:00", "2026-11-23 00:50:00",
                                      "2026-11-23 01:40:00"}));
}

TEST_F(ScheduleTest, ReadsNamesInAnyCase) {
  EXPECT_EQ(next("0 0 * JAN Mon-fri", "2026-11-23 00:00:00"), "2027-01-01 00:00:00");
  EXPECT_EQ(next("0 0 * * SUN", "2026-11-23 00:00:00"), "2026-11-29 00:00:00");
  EXPECT_EQ(next("0 0 * * 7", "2026-11-23 00:00:00"), "2026-11-29 00:00:00");
}

TEST_F(ScheduleTest, TakesEitherDayWhereBothAreRestricted) {
  EXPECT_EQ(dues("0 0 13 * 5", "2026-11-01 00:00:00", 3),
            (std::vector<std::string>{"2026-11-06 00:00:00", "2026-11-13 00:00:00",
                                      "2026-11-20 00:00:00"}));
  EXPECT_EQ(next("0 0 13 * *", "2026-11-01 00:00:00"), "2026-11-13 00:00:00");
  EXPECT_EQ(next("0 0 ? * 5", "2026-11-01 00:00:00"), "2026-11-06 00:00:00");
}

TEST_F(ScheduleTest, FindsRareDays) {
  EXPECT_EQ(next("0 0 29 2 *", "2096-03-01 00:00:00"), "2104-02-29 00:00:00");
  EXPECT_EQ(dues("0 0 L * *", "2027-01-31 12:00:00", 2),
            (std::vector<std::string>{"2027-02-28 00:00:00", "2027-03-31 00:00:00"}));
}

TEST_F(ScheduleTest, UsesLocalTime) {
  zone("Asia/Kathmandu");  // UTC+05:45
  EXPECT_EQ(next("day", "2026-11-23 10:00:00"), "2026-11-23 18:15:00");
  EXPECT_EQ(next("hour", "2026-11-23 10:00:00"), "2026-11-23 10:15:00");
}

// Berlin goes from 02:00 to 03:00 on 2026-03-29 (01:00 UTC), and from 03:00 to 02:00 on 2026-10-25
// (01:00 UTC).
TEST_F(ScheduleTest, IsDueAtTheFirstTimeThatExistsWhenTheClockGoesForward) {
  zone("Europe/Berlin");
  EXPECT_EQ(dues("30 2 * * *", "2026-03-28 00:00:00", 3),
            (std::vector<std::string>{"2026-03-28 01:30:00", "2026-03-29 01:00:00",
                                      "2026-03-30 00:30:00"}));
  EXPECT_EQ(dues("hour", "2026-03-28 23:30:00", 3),
            (std::vector<std::string>{"2026-03-29 00:00:00", "2026-03-29 01:00:00",
                                      "2026-03-29 02:00:00"}));
}

TEST_F(ScheduleTest, IsDueOnceAtAFixedHourWhenTheClockGoesBack) {
  zone("Europe/Berlin");
  EXPECT_EQ(dues("30 2 * * *", "2026-10-24 12:00:00", 2),
            (std::vector<std::string>{"2026-10-25 00:30:00", "2026-10-26 01:30:00"}));
  EXPECT_EQ(next("30 2 * * *", "2026-10-25 01:10:00"),
            "2026-10-26 01:30:00");  // In the second 02:10.
  EXPECT_EQ(next("0 3 * * *", "2026-10-25 00:59:59"), "2026-10-25 02:00:00");
}

TEST_F(ScheduleTest, IsDueInBothHoursWhenTheClockGoesBack) {
  zone("Europe/Berlin");
  EXPECT_EQ(dues("*/30 * * * *", "2026-10-24 23:50:00", 6),
            (std::vector<std::string>{"2026-10-25 00:00:00", "2026-10-25 00:30:00",
                                      "2026-10-25 01:00:00", "2026-10-25 01:30:00",
                                      "2026-10-25 02:00:00", "2026-10-25 02:30:00"}));
}

TEST_F(ScheduleTest, GoesForwardInEveryZoneAndMonth) {
  for (const char* name : {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                           "America/Sao_Paulo", "Asia/Tehran"})
    for (const char* every :
         {"hour", "day", "30 2 * * *", "0 0 1 * *", "59 59 23 * * *", "15 */3 * * SUN"}) {
      zone(name);
      const auto schedule = Schedule::parse(every);
      std::int64_t at = utc("2018-01-01 00:00:00");
      while (at < utc("2020-01-01 00:00:00")) {
        const std::int64_t due = schedule->next_after(at);
        ASSERT_GT(due, at) << name << " " << every;
        ASSERT_EQ(schedule->next_after(due - 1), due)
            << name << " " << every << " " << text_of(due);
        at = due;
      }
    }
}

TEST_F(ScheduleTest, SaysInOneLineWhatIsWrong) {
  EXPECT_EQ(error("61 * * * *"), "\"61 * * * *\" is not a schedule: minute \"61\" is not in 0-59");
  EXPECT_EQ(error("* * * FOO *"),
            "\"* * * FOO *\" is not a schedule: month \"foo\" is not a number");
  EXPECT_EQ(
      error("monthly"),
      "\"monthly\" is not a schedule: use hour, day, week or a cron pattern of five or six fields");
  EXPECT_EQ(error("0 0 30 2 *"), "\"0 0 30 2 *\" is not a schedule: no such day ever comes");
  EXPECT_EQ(error("*/0 * * * *"),
            "\"*/0 * * * *\" is not a schedule: minute \"*/0\" has a bad step");
  EXPECT_EQ(error("5-1 * * * *"),
            "\"5-1 * * * *\" is not a schedule: minute \"5-1\" ends before it begins");
  for (const char* bad :
       {"", " ", "* * * *", "* * * * * * *", ",", "1, * * * *", "-1 * * * *", "1--2 * * * *",
        "*/2/2 * * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "@reboot", "1-2-3 * * * *"})
    EXPECT_NE(error(bad), "accepted") << bad;
}

}  // namespace
}  // namespace pmx
