#include "ship/internal/stream_shards.h"

#include <gtest/gtest.h>

namespace pmx::ship::internal {
namespace {

using namespace std::chrono_literals;

class StreamShardsTest : public ::testing::Test {
 protected:
  // Bytes a second, evenly, for so long.
  void flow(std::uint64_t rate, std::chrono::nanoseconds time) {
    const auto steps = time / 10ms;
    for (std::int64_t step = 0; step < steps; ++step) {
      now_ += 10ms;
      if (shards_.add(rate / 100)) shards_.look(now_);
    }
  }
  StreamShards shards_;
  std::chrono::nanoseconds now_{1h};
};

TEST_F(StreamShardsTest, AStreamBelowTheBoundIsNeverDivided) {
  flow(StreamShards::kShardBytes - 50'000, 60s);
  EXPECT_EQ(shards_.count(), 1U);
}

TEST_F(StreamShardsTest, AFastStreamIsDividedWithinASecondOfItsBeginning) {
  flow(5'000'000, 1s);
  EXPECT_EQ(shards_.count(), 8U);  // 5 MB/s in parts of at most 0.7.
  flow(5'000'000, 60s);
  EXPECT_EQ(shards_.count(), 8U);
}

TEST_F(StreamShardsTest, TheNumberHasABound) {
  flow(500'000'000, 2s);
  EXPECT_EQ(shards_.count(), StreamShards::kMaxShards);
}

TEST_F(StreamShardsTest, ABriefPauseChangesNothingAndALongOneHalves) {
  flow(5'000'000, 2s);
  flow(100'000, 30s);
  EXPECT_EQ(shards_.count(), 8U);
  flow(100'000, 45s);
  EXPECT_EQ(shards_.count(), 4U);
  flow(100'000, 200s);
  EXPECT_EQ(shards_.count(), 1U);
}

TEST_F(StreamShardsTest, TimeThatGoesBackStartsTheMeasureAgain) {
  flow(100'000, 5s);
  now_ -= 1h;
  flow(100'000, 60s);
  EXPECT_EQ(shards_.count(), 1U);
}

TEST_F(StreamShardsTest, ShortLivesOneAfterTheOtherMeasureAsOne) {
  for (int life = 0; life < 10; ++life) {
    flow(2'250'000, 300ms);
    const StreamShards::Measure measure = shards_.measure();
    EXPECT_TRUE(shards_.worth_keeping());
    shards_ = StreamShards();
    shards_.go_on_from(measure);
  }
  EXPECT_EQ(shards_.count(), 4U);
}

TEST_F(StreamShardsTest, AMeasureOfBeforeABootOrOfNobodyDoesNoHarm) {
  shards_.go_on_from({3, 0, now_});  // No power of two.
  shards_.go_on_from({64, 0, now_});
  EXPECT_EQ(shards_.count(), 1U);
  shards_.go_on_from({4, 1'000'000'000, now_ + 1h});
  flow(100'000, 5s);
  EXPECT_EQ(shards_.count(), 4U);
  flow(100'000, 200s);
  EXPECT_EQ(shards_.count(), 1U);
}

TEST_F(StreamShardsTest, ALinesShardFollowsFromItsNumber) {
  EXPECT_EQ(shards_.shard_of(123'456), 1U);
  flow(2'000'000, 2s);
  ASSERT_EQ(shards_.count(), 4U);
  EXPECT_EQ(shards_.shard_of(0), shards_.shard_of(StreamShards::kLinesInARow - 1));
  for (std::uint64_t row = 0; row < 9; ++row)
    EXPECT_EQ(shards_.shard_of(row * StreamShards::kLinesInARow), 4 + row % 4);
}

}  // namespace
}  // namespace pmx::ship::internal
