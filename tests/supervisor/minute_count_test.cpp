#include "supervisor/minute_count.h"

#include <gtest/gtest.h>

namespace pmx::supervisor {
namespace {

using namespace std::chrono_literals;
using Time = std::chrono::steady_clock::time_point;

TEST(MinuteCountTest, CountsWhatIsNotOlderThanAMinute) {
  MinuteCount count;
  EXPECT_EQ(count.sum(Time(0s)), 0);
  for (int second = 0; second < 300; ++second) {
    count.add(Time(std::chrono::seconds(second)));
    count.add(Time(std::chrono::seconds(second) + 999ms));
    EXPECT_EQ(count.sum(Time(std::chrono::seconds(second))), 2 * std::min(second + 1, 60));
  }
  EXPECT_EQ(count.sum(Time(299s + 30s)), 60);
  EXPECT_EQ(count.sum(Time(299s + 60s)), 0);
}

TEST(MinuteCountTest, AnOldSecondIsNotCountedWithANewOne) {
  MinuteCount count;
  count.add(Time(5s));
  count.add(Time(125s));
  EXPECT_EQ(count.sum(Time(125s)), 1);
}

}  // namespace
}  // namespace pmx::supervisor
