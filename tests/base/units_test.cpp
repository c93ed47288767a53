#include "base/units.h"

#include <gtest/gtest.h>

namespace pmx {
namespace {

using std::chrono::milliseconds;

TEST(UnitsTest, ReadsSizesAsUsersWriteThem) {
  for (const std::string_view text :
       {"10M", "10MB", "10mb", "10MiB", "10m", "10 M", "10485760", "10240K", "10485760b"})
    EXPECT_EQ(parse_size(text).value(), 10_MiB) << text;
  EXPECT_EQ(parse_size("1.5G").value(), 1_GiB + 512_MiB);
  EXPECT_EQ(parse_size("0").value(), 0U);
  EXPECT_EQ(parse_size("2T").value(), 2048_GiB);
}

TEST(UnitsTest, RefusesWhatIsNoSizeAndSaysWhatOneLooksLike) {
  for (const std::string_view text :
       {"", "M", "-1", "10X", "10MM", "1e3", "nan", "inf", "0x10", "10 20", "99999999T"})
    EXPECT_FALSE(parse_size(text)) << text;
  EXPECT_EQ(parse_size("ten").error().message(), "\"ten\" is not a size like 10M, 512K or 1048576");
}

TEST(UnitsTest, ReadsDurations) {
  EXPECT_EQ(parse_duration("1600").value(), milliseconds(1600));
  EXPECT_EQ(parse_duration("10", std::chrono::seconds(1)).value(), milliseconds(10'000));
  EXPECT_EQ(parse_duration("250ms").value(), milliseconds(250));
  EXPECT_EQ(parse_duration("10s").value(), milliseconds(10'000));
  EXPECT_EQ(parse_duration("1.5h").value(), milliseconds(5'400'000));
  EXPECT_EQ(parse_duration("7d").value(), std::chrono::hours(7 * 24));
  for (const std::string_view text : {"", "s", "-5s", "5 parsecs", "1h30m"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(UnitsTest, PrintsSizesAsTheListDoes) {
  EXPECT_EQ(format_size(0), "0b");
  EXPECT_EQ(format_size(1023), "1023b");
  EXPECT_EQ(format_size(1024), "1.0kb");
  EXPECT_EQ(format_size(20_MiB + 600_KiB), "20.6mb");
  EXPECT_EQ(format_size(3_GiB), "3.0gb");
  EXPECT_EQ(format_size(5'000'000_GiB), "4882.8tb");
}

TEST(UnitsTest, AnIntegerIsTheWholeText) {
  EXPECT_EQ(parse_integer("-42").value(), -42);
  EXPECT_EQ(parse_integer("9223372036854775807").value(), INT64_MAX);
  for (const std::string_view text : {"", " 1", "1 ", "1x", "0x1", "1.0", "9223372036854775808"})
    EXPECT_FALSE(parse_integer(text)) << text;
}

}  // namespace
}  // namespace pmx
