#include "capture/pipe_drain.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/sys.h"

namespace pmx::capture {
namespace {

constexpr std::size_t kKiB = 1024;

class PipeDrainTest : public testing::Test {
 protected:
  PipeDrainTest() {
    sys::Pipe pipe = std::move(sys::pipe().value());
    writer_ = std::move(pipe.write_end);
    drain_ = std::make_unique<PipeDrain>(std::move(pipe.read_end));
    ring_ = std::make_unique<Ring>(Ring::open(Ring::make().value_or(Fd()), 0).value());
  }
  void print(std::size_t size_bytes) {
    ASSERT_TRUE(sys::write_all(writer_.get(), std::string(size_bytes, 'x')));
  }
  Drained drain() { return drain_->drain(*ring_).value(); }

  Fd writer_;
  std::unique_ptr<PipeDrain> drain_;
  std::unique_ptr<Ring> ring_;
};

TEST_F(PipeDrainTest, AnEmptyPipeIsNothingAndNoError) {
  const Drained drained = drain();
  EXPECT_EQ(drained.bytes, 0U);
  EXPECT_FALSE(drained.end || drained.again || drained.ring_full || drained.over_half_full);
}

TEST_F(PipeDrainTest, ASmallTakeEndsTheTurn) {
  print(100);
  const Drained drained = drain();
  EXPECT_EQ(drained.bytes, 100U);
  EXPECT_FALSE(drained.again);
  EXPECT_FALSE(drained.end);
}

TEST_F(PipeDrainTest, SeesTheEndAfterTheLastWords) {
  print(5);
  writer_.reset();
  EXPECT_EQ(drain().bytes, 5U);
  EXPECT_TRUE(drain().end);
  EXPECT_TRUE(drain().end);
}

TEST_F(PipeDrainTest, SeesTheEndInTheTurnOfABigTake) {
  print(64 * kKiB);
  writer_.reset();
  const Drained drained = drain();
  EXPECT_EQ(drained.bytes, 64 * kKiB);
  EXPECT_TRUE(drained.end);
}

TEST_F(PipeDrainTest, GoesOnBehindTheRingsEnd) {
  while (ring_->head() < Ring::kCapacityBytes - 10) {
    print(std::min<std::uint64_t>(64 * kKiB, Ring::kCapacityBytes - 10 - ring_->head()));
    drain();
    ring_->consume(ring_->head());
  }
  print(30);
  EXPECT_EQ(drain().bytes, 30U);
}

TEST_F(PipeDrainTest, TakesAtMostHalfARingATurnAndSaysThatMoreIsThere) {
  if (drain_->resize(1024 * kKiB) < 1024 * kKiB) GTEST_SKIP() << "no budget for a 1 MiB pipe";
  print(1024 * kKiB);
  const Drained drained = drain();
  EXPECT_EQ(drained.bytes, 512 * kKiB);
  EXPECT_TRUE(drained.again);
  EXPECT_FALSE(drained.over_half_full) << "exactly half is left";
}

TEST_F(PipeDrainTest, SaysWhenABigTakeLeavesThePipeOverHalfFull) {
  if (drain_->resize(1024 * kKiB) < 1024 * kKiB) GTEST_SKIP() << "no budget for a 1 MiB pipe";
  print(1000 * kKiB);
  const Drained first = drain();
  EXPECT_FALSE(first.over_half_full);
  print(300 * kKiB);
  const Drained full = drain();
  EXPECT_EQ(full.bytes, Ring::kUsableBytes - 512 * kKiB);
  EXPECT_TRUE(full.ring_full);
  EXPECT_FALSE(full.over_half_full);
  print(600 * kKiB);
  EXPECT_TRUE(drain().over_half_full) << "a ring without space leaves the pipe to fill up";
}

TEST_F(PipeDrainTest, AFullRingTakesNothingAndLosesNothing) {
  while (ring_->free_bytes() > 0) {
    print(4 * kKiB);
    drain();
  }
  print(10);
  const Drained drained = drain();
  EXPECT_EQ(drained.bytes, 0U);
  EXPECT_TRUE(drained.ring_full);
  EXPECT_FALSE(drained.end) << "an end must not be made up from no space";
  EXPECT_EQ(drain_->waiting_bytes(), 10U);
  ring_->consume(ring_->head());
  EXPECT_EQ(drain().bytes, 10U);
}

TEST_F(PipeDrainTest, SaysWhatIsWrongWithADescriptorThatIsNoPipe) {
  PipeDrain wrong(std::move(sys::memfd_of("no pipe", "text").value()));
  const auto drained = wrong.drain(*ring_);
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().message(), "splice pipe to ring: Invalid argument");
}

TEST_F(PipeDrainTest, KnowsItsSizeAfterAResize) {
  EXPECT_EQ(drain_->capacity_bytes(), 64 * kKiB);
  EXPECT_EQ(drain_->resize(128 * kKiB), 128 * kKiB);
  EXPECT_EQ(drain_->capacity_bytes(), 128 * kKiB);
}

}  // namespace
}  // namespace pmx::capture
