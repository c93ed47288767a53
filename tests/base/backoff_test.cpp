#include "base/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace pmx {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

std::vector<milliseconds> waits(Backoff& backoff, std::size_t count) {
  std::vector<milliseconds> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(backoff.next());
  return all;
}

// The range of the n-th wait after a success, over many seeds.
struct Range {
  milliseconds least = hours(1), most{0};
};
Range range_of(std::size_t nth) {
  Range range;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Backoff backoff(milliseconds(500), milliseconds(30'000), seed);
    const milliseconds wait = waits(backoff, nth).back();
    range.least = std::min(range.least, wait);
    range.most = std::max(range.most, wait);
  }
  return range;
}

TEST(BackoffTest, EachFailureDoublesTheCeilingUpToTheMost) {
  const struct {
    std::size_t failure;
    int ceiling_ms;
  } rows[] = {{1, 1000},  {2, 2000},   {3, 4000},   {4, 8000},
              {5, 16000}, {6, 30'000}, {7, 30'000}, {100, 30'000}};
  for (const auto& row : rows) {
    const Range range = range_of(row.failure);
    const int spread = row.ceiling_ms - 500;
    EXPECT_GE(range.least.count(), 500) << "failure " << row.failure;
    EXPECT_LE(range.least.count(), 500 + spread / 50) << "failure " << row.failure;
    EXPECT_LE(range.most.count(), row.ceiling_ms) << "failure " << row.failure;
    EXPECT_GE(range.most.count(), row.ceiling_ms - spread / 50) << "failure " << row.failure;
  }
}

TEST(BackoffTest, WaitsAreSpreadEvenly) {
  Backoff backoff(milliseconds(500), milliseconds(30'000), 7);
  (void)waits(backoff, 6);
  int lower_half = 0;
  for (const milliseconds wait : waits(backoff, 10'000))
    if (wait < milliseconds(15'250)) ++lower_half;
  EXPECT_NEAR(lower_half, 5000, 200);
}

TEST(BackoffTest, TheSameSeedGivesTheSameWaitsAndAnotherOneOthers) {
  Backoff first(milliseconds(500), milliseconds(30'000), 1);
  Backoff same(milliseconds(500), milliseconds(30'000), 1);
  Backoff other(milliseconds(500), milliseconds(30'000), 2);
  const auto expected = waits(first, 20);
  EXPECT_EQ(waits(same, 20), expected);
  EXPECT_NE(waits(other, 20), expected);
}

TEST(BackoffTest, BeginsAnewAfterASuccess) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(milliseconds(500), milliseconds(30'000), seed);
    (void)waits(backoff, 10);
    EXPECT_EQ(backoff.failures(), 10U);
    backoff.reset();
    EXPECT_EQ(backoff.failures(), 0U);
    EXPECT_LE(backoff.next(), milliseconds(1000)) << "seed " << seed;
  }
}

TEST(BackoffTest, EqualBoundsAreAFixedWait) {
  Backoff backoff(milliseconds(20), milliseconds(20), 3);
  for (const milliseconds wait : waits(backoff, 50)) EXPECT_EQ(wait, milliseconds(20));
}

TEST(BackoffTest, BoundsNearTheEndOfTimeDoNotOverflow) {
  Backoff backoff(milliseconds(1), milliseconds::max() / 2, 3);
  for (const milliseconds wait : waits(backoff, 100)) {
    EXPECT_GE(wait, milliseconds(1));
    EXPECT_LE(wait, milliseconds::max() / 2);
  }
}

}  // namespace
}  // namespace pmx
