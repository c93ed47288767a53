#include "ship/concurrency.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "support/fake_clock.h"

namespace pmx::ship {
namespace {

using std::chrono::milliseconds;
using Answer = ConcurrencyLimit::Answer;

class ConcurrencyLimitTest : public testing::Test {
 protected:
  // As many requests as the limit admits, or `count`, all answered after `rtt`.
  void round(milliseconds rtt, Answer answer = Answer::kGood, unsigned count = 1000) {
    std::vector<ConcurrencyLimit::TimePoint> sent;
    while (limit_.admits() && sent.size() < count) sent.push_back(limit_.started());
    clock_.advance(rtt);
    for (const auto at : sent) limit_.ended(at, answer);
  }
  // Round trips of about `rtt`, so that a deviation is known.
  void settle(milliseconds rtt, int rounds) {
    for (int i = 0; i < rounds; ++i) round(rtt + milliseconds(i * 7 % 11 - 5));
  }
  void grow_to(unsigned limit) {
    for (int i = 0; i < 1000 && limit_.limit() < limit; ++i) round(milliseconds(10));
    ASSERT_EQ(limit_.limit(), limit);
  }

  test::FakeClock clock_;
  ConcurrencyLimit limit_{clock_};
};

TEST_F(ConcurrencyLimitTest, AdmitsTwoRequestsAtFirst) {
  EXPECT_TRUE(limit_.admits());
  const auto first = limit_.started();
  EXPECT_TRUE(limit_.admits());
  (void)limit_.started();
  EXPECT_FALSE(limit_.admits());
  limit_.ended(first, Answer::kGood);
  EXPECT_TRUE(limit_.admits());
  EXPECT_EQ(limit_.in_flight(), 1U);
}

TEST_F(ConcurrencyLimitTest, GrowsByOneAMeanRoundTripWhileTheLimitIsReached) {
  round(milliseconds(10));  // Only teaches how long a round trip is.
  EXPECT_EQ(limit_.limit(), 2U);
  for (unsigned expected = 3; expected <= 20; ++expected) {
    round(milliseconds(10));
    EXPECT_EQ(limit_.limit(), expected);
  }
}

TEST_F(ConcurrencyLimitTest, ManyAnswersWithinARoundTripAreOneStep) {
  round(milliseconds(100));
  for (int i = 0; i < 9; ++i) round(milliseconds(10));
  EXPECT_EQ(limit_.limit(), 2U) << "90 ms of a mean of 100 ms";
  round(milliseconds(10));
  EXPECT_EQ(limit_.limit(), 3U);
}

TEST_F(ConcurrencyLimitTest, StaysWhereTheLimitIsNotReached) {
  for (int i = 0; i < 20; ++i) round(milliseconds(10), Answer::kGood, 1);
  EXPECT_EQ(limit_.limit(), 2U);
}

TEST_F(ConcurrencyLimitTest, NeverGrowsAboveItsMost) {
  for (int i = 0; i < 200; ++i) round(milliseconds(10));
  EXPECT_EQ(limit_.limit(), 64U);
}

TEST_F(ConcurrencyLimitTest, BackpressureTakesATenthAndAtLeastOne) {
  grow_to(64);
  for (const unsigned expected :
       {57, 51, 45, 40, 36, 32, 28, 25, 22, 19, 17, 15, 13, 11, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1}) {
    round(milliseconds(10), Answer::kBackpressure);
    EXPECT_EQ(limit_.limit(), expected);
  }
}

TEST_F(ConcurrencyLimitTest, OneOfManyAnswersWithBackpressureIsEnough) {
  grow_to(10);
  std::vector<ConcurrencyLimit::TimePoint> sent;
  while (limit_.admits()) sent.push_back(limit_.started());
  clock_.advance(milliseconds(9));
  limit_.ended(sent.back(), Answer::kBackpressure);
  sent.pop_back();
  clock_.advance(milliseconds(1));
  for (const auto at : sent) limit_.ended(at, Answer::kGood);
  EXPECT_EQ(limit_.limit(), 9U);
}

TEST_F(ConcurrencyLimitTest, BackpressureBeforeAnyGoodAnswerCountsAtOnce) {
  round(milliseconds(10), Answer::kBackpressure, 1);
  EXPECT_EQ(limit_.limit(), 1U);
  EXPECT_EQ(limit_.mean_rtt().count(), 0);
}

TEST_F(ConcurrencyLimitTest, RoundTripsThatBecomeClearlyLongerLowerIt) {
  settle(milliseconds(100), 20);
  const unsigned before = limit_.limit();
  round(milliseconds(200));
  EXPECT_LT(limit_.limit(), before);
}

TEST_F(ConcurrencyLimitTest, RoundTripsThatVaryAsEverDoNotLowerIt) {
  settle(milliseconds(100), 20);
  const unsigned before = limit_.limit();
  settle(milliseconds(100), 20);
  EXPECT_GT(limit_.limit(), before);
}

TEST_F(ConcurrencyLimitTest, ANewLevelOfRoundTripsBecomesTheMean) {
  settle(milliseconds(100), 20);
  for (int i = 0; i < 30; ++i) round(milliseconds(200));
  const unsigned before = limit_.limit();
  EXPECT_NEAR(std::chrono::duration<double>(limit_.mean_rtt()).count(), 0.2, 0.001);
  for (int i = 0; i < 40; ++i) round(milliseconds(199));
  EXPECT_GT(limit_.limit(), before);
}

TEST_F(ConcurrencyLimitTest, WhatSaysNothingAboutTheStoreChangesNothing) {
  grow_to(10);
  round(milliseconds(10), Answer::kGood, 1);  // The interval ends, and nothing is left of it.
  const unsigned before = limit_.limit();
  const auto mean = limit_.mean_rtt();
  for (int i = 0; i < 20; ++i) round(milliseconds(5000), Answer::kOther);
  EXPECT_EQ(limit_.limit(), before);
  EXPECT_EQ(limit_.mean_rtt(), mean);
  EXPECT_EQ(limit_.in_flight(), 0U);
}

TEST_F(ConcurrencyLimitTest, MoreMayBeInFlightThanALimitThatHasJustSunk) {
  grow_to(10);
  std::vector<ConcurrencyLimit::TimePoint> sent;
  while (limit_.admits()) sent.push_back(limit_.started());
  clock_.advance(milliseconds(10));
  limit_.ended(sent.back(), Answer::kBackpressure);
  EXPECT_EQ(limit_.limit(), 9U);
  EXPECT_EQ(limit_.in_flight(), 9U);
  EXPECT_FALSE(limit_.admits());
}

}  // namespace
}  // namespace pmx::ship
