#include "base/time_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

namespace pmx {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
// 2026-11-23T10:05:09.123Z, a Monday.
constexpr std::int64_t kMoment = 1'795'428'309 * kSecond + 123'456'789;

// Local time is the user's; the tests bring their own.
class TimeTextTest : public testing::Test {
 protected:
  TimeTextTest() {
    if (const char* old = std::getenv("TZ")) old_zone_ = old;
    zone("UTC0");
  }
  ~TimeTextTest() override {
    old_zone_.empty() ? ::unsetenv("TZ") : ::setenv("TZ", old_zone_.c_str(), 1);
    ::tzset();
  }
  static void zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  static std::string format(std::string_view pattern) {
    return TimeFormat(pattern).format(kMoment);
  }
  static std::int64_t parse(std::string_view text) {
    return parse_time(text, kMoment).value_or(-1);
  }

  std::string old_zone_;
};

TEST_F(TimeTextTest, NamesOfFilesAreUtcAndSortByAge) {
  zone("XYZ-5");
  EXPECT_EQ(utc_file_stamp(kMoment), "2026-11-23T10-05-09Z");
  EXPECT_LT(utc_file_stamp(kMoment), utc_file_stamp(kMoment + kSecond));
}

TEST_F(TimeTextTest, IsoTimesAreJavaScripts) {
  EXPECT_EQ(iso_time(kMoment), "2026-11-23T10:05:09.123Z");
  EXPECT_EQ(iso_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(iso_time(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(http_date(kMoment), "Mon, 23 Nov 2026 10:05:09 GMT");
  EXPECT_EQ(http_date(784'111'777'000'000'000), "Sun, 06 Nov 1994 08:49:37 GMT");  // RFC 9110.
  EXPECT_EQ(access_log_time(kMoment), "23/Nov/2026:10:05:09 +0000");
}

TEST_F(TimeTextTest, FormatsAsDayjsDoes) {
  EXPECT_EQ(format("YYYY-MM-DD HH:mm:ss.SSS"), "2026-11-23 10:05:09.123");
  EXPECT_EQ(format("YY M D H h m s d"), "26 11 23 10 10 5 9 1");
  EXPECT_EQ(format("dddd ddd dd, MMMM MMM"), "Monday Mon Mo, November Nov");
  EXPECT_EQ(format("hh A a"), "10 AM am");
  EXPECT_EQ(format("X x"), "1795428309 1795428309123");
  EXPECT_EQ(format("[at] HH[:]mm [MM]"), "at 10:05 MM");
  EXPECT_EQ(format("YYYY-MM-DDTHH:mm:ss"), "2026-11-23T10:05:09");
  EXPECT_EQ(format("[unclosed"), "[unclo9e1") << "a bracket that nothing closes is text";
  EXPECT_EQ(format(""), "");
}

TEST_F(TimeTextTest, FormatsInLocalTimeWithItsOffset) {
  zone("XYZ-5:30");
  EXPECT_EQ(format("HH:mm Z ZZ"), "15:35 +05:30 +0530");
  zone("ABC3");
  EXPECT_EQ(format("HH:mm Z"), "07:05 -03:00");
}

TEST_F(TimeTextTest, NoonAndMidnightAreTwelve) {
  const std::int64_t midnight = kMoment - (10 * 3600 + 5 * 60 + 9) * kSecond;
  EXPECT_EQ(TimeFormat("h A").format(midnight), "12 AM");
  EXPECT_EQ(TimeFormat("h A").format(midnight + 12 * 3600 * kSecond), "12 PM");
}

TEST_F(TimeTextTest, ReadsHowLongAgo) {
  EXPECT_EQ(parse("10m"), kMoment - 600 * kSecond);
  EXPECT_EQ(parse("2h"), kMoment - 7200 * kSecond);
  EXPECT_EQ(parse("90"), kMoment - 90 * kSecond);
  EXPECT_EQ(parse("7d"), kMoment - 7 * 86400 * kSecond);
}

TEST_F(TimeTextTest, ReadsDates) {
  const std::int64_t ten = 1'795'428'000 * kSecond;
  EXPECT_EQ(parse("2026-11-23T10:00"), ten);
  EXPECT_EQ(parse("2026-11-23 10:00:00"), ten);
  EXPECT_EQ(parse("2026-11-23T10:00:00.250Z"), ten + kSecond / 4);
  EXPECT_EQ(parse("2026-11-23"), ten - 36'000 * kSecond);
  EXPECT_EQ(parse("1795428000"), ten);
  EXPECT_EQ(parse("1795428000000"), ten);
}

TEST_F(TimeTextTest, ADateIsLocalUnlessItSaysZ) {
  zone("XYZ-2");
  EXPECT_EQ(parse("2026-11-23T12:00"), 1'795'428'000 * kSecond);
  EXPECT_EQ(parse("2026-11-23T10:00Z"), 1'795'428'000 * kSecond);
}

TEST_F(TimeTextTest, ReadsBackItsOwnIsoTimes) {
  for (const std::int64_t ms :
       {std::int64_t{0}, std::int64_t{1'795'428'309'123}, std::int64_t{951'782'400'001}})
    EXPECT_EQ(parse(iso_time(ms * 1'000'000)), ms * 1'000'000);
}

TEST_F(TimeTextTest, RefusesWhatIsNoTime) {
  for (const std::string_view text :
       {"", "yesterday", "2026-13-01", "2026-00-10", "2026-11-23T25:00", "2026-11-23T10",
        "2026-11-23T10:00x", "2026-11-23T10:", "10 minutes", "-5m", "2026-1-2"})
    EXPECT_FALSE(parse_time(text, kMoment)) << text;
  EXPECT_EQ(parse_time("soon", kMoment).error().message(),
            "\"soon\" is not a time: use 10m, 2h, 2026-11-23 or 2026-11-23T10:00[:00][Z]");
}

}  // namespace
}  // namespace pmx
