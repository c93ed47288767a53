#include "supervisor/cron_timer.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace pmx::supervisor {
namespace {

using namespace std::chrono_literals;
constexpr std::int64_t kMinuteNs = 60'000'000'000;

// The clock begins at ten o'clock, full.
class CronTimerTest : public ::testing::Test {
 protected:
  test::FakeClock clock_;
  int called_ = 0;
  CronTimer timer_{clock_, clock_, [this] { ++called_; }};
};

TEST_F(CronTimerTest, CallsOnceForEachTime) {
  timer_.set("*/5 * * * *", 0);
  EXPECT_EQ(timer_.due_ns(), test::FakeClock::kStartNs + 5 * kMinuteNs);
  clock_.advance(299s);
  EXPECT_EQ(called_, 0);
  clock_.advance(1s);
  EXPECT_EQ(called_, 1);
  clock_.advance(1h);
  EXPECT_EQ(called_, 13);
}

TEST_F(CronTimerTest, FollowsAClockThatIsSet) {
  timer_.set("0 12 * * *", 0);
  clock_.advance(1min);
  clock_.step_wall(2h);
  clock_.advance(1min);
  EXPECT_EQ(called_, 1);
  clock_.step_wall(-1h);  // Noon is passed again, and was called for already.
  clock_.advance(2h);
  EXPECT_EQ(called_, 1);
}

TEST_F(CronTimerTest, WhatFellDueWhileNobodyLivedIsCalledForIfItIsFresh) {
  timer_.set("0 * * * *", test::FakeClock::kStartNs - kMinuteNs / 2);
  clock_.run_due();
  EXPECT_EQ(called_, 1);
  CronTimer late(clock_, clock_, [this] { ++called_; });
  late.set("0 * * * *", test::FakeClock::kStartNs - 2 * kMinuteNs);
  clock_.run_due();
  EXPECT_EQ(called_, 1);
  EXPECT_EQ(late.due_ns(), test::FakeClock::kStartNs + 60 * kMinuteNs);
}

TEST_F(CronTimerTest, TheSamePatternAgainKeepsItsTimeAndNoneEndsIt) {
  timer_.set("* * * * *", 0);
  clock_.advance(59s);
  timer_.set("* * * * *", 0);
  clock_.advance(1s);
  EXPECT_EQ(called_, 1);
  timer_.set("", 0);
  EXPECT_EQ(timer_.due_ns(), 0);
  clock_.advance(1h);
  EXPECT_EQ(called_, 1);
  timer_.set("no pattern", 0);
  EXPECT_EQ(timer_.due_ns(), 0);
}

}  // namespace
}  // namespace pmx::supervisor
