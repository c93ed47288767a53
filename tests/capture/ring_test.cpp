#include "capture/ring.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "base/crash_point.h"
#include "base/sys.h"

namespace pmx::capture {
namespace {

constexpr std::uint64_t kCapacity = Ring::kCapacityBytes;

std::string pattern(std::uint64_t from, std::uint64_t size_bytes) {
  std::string bytes(size_bytes, '\0');
  for (std::uint64_t i = 0; i < size_bytes; ++i)
    bytes[i] = static_cast<char>((from + i) * 2654435761U >> 13U);
  return bytes;
}

class RingTest : public testing::Test {
 protected:
  RingTest() {
    pipe_ = std::move(sys::pipe().value());
    (void)sys::set_pipe_size(pipe_.read_end.get(), kCapacity);
    keeper_ = std::move(Ring::make().value());
  }

  // A daemon's ring: of the same open file description as the keeper's.
  Ring open(std::uint64_t tail) { return std::move(Ring::open(dup(), tail).value()); }
  Fd dup() { return std::move(sys::duplicate(keeper_.get()).value()); }

  void print(std::string_view bytes) {
    ASSERT_TRUE(sys::write_all(pipe_.write_end.get(), bytes));
    printed_ += bytes.size();
  }
  void print_pattern(std::uint64_t size_bytes) { print(pattern(printed_, size_bytes)); }
  std::size_t take(Ring& ring) { return ring.splice_from(pipe_.read_end.get()).value(); }
  // Moves the stream to `position` with an empty ring.
  void advance(Ring& ring, std::uint64_t position) {
    while (ring.head() < position) {
      print_pattern(std::min<std::uint64_t>(position - ring.head(), 64U << 10U));
      while (ring.head() < printed_) take(ring);
      ring.consume(ring.head());
    }
  }
  std::uint64_t offset() { return static_cast<std::uint64_t>(::lseek(keeper_.get(), 0, SEEK_CUR)); }
  std::uint64_t memory_bytes() {
    struct stat st {};
    EXPECT_EQ(::fstat(keeper_.get(), &st), 0);
    return static_cast<std::uint64_t>(st.st_blocks) * 512;
  }

  sys::Pipe pipe_;
  Fd keeper_;
  std::uint64_t printed_ = 0;
};

TEST_F(RingTest, KeepsEveryByteValueAndItsOrder) {
  Ring ring = open(0);
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  print(all);
  EXPECT_EQ(take(ring), 256U);
  EXPECT_EQ(ring.readable(0), all);
  EXPECT_EQ(ring.readable(200), all.substr(200));
}

TEST_F(RingTest, TellsAnEmptyPipeFromOneAtItsEnd) {
  Ring ring = open(0);
  EXPECT_EQ(ring.splice_from(pipe_.read_end.get()).error().code(), Errc::kUnavailable);
  pipe_.write_end.reset();
  EXPECT_EQ(take(ring), 0U);
  EXPECT_EQ(take(ring), 0U);
}

TEST_F(RingTest, IsNeverFilledToTheLastPage) {
  Ring ring = open(0);
  print_pattern(kCapacity);
  while (ring.free_bytes() > 0) take(ring);
  EXPECT_EQ(ring.head(), kCapacity - Ring::kPageBytes);
  EXPECT_EQ(ring.readable(0), pattern(0, kCapacity - Ring::kPageBytes));
}

TEST_F(RingTest, ShowsBytesAcrossTheWrapInOnePiece) {
  Ring ring = open(0);
  advance(ring, kCapacity - 100);
  print_pattern(300);
  EXPECT_EQ(take(ring), 100U) << "a splice stops at the ring's end";
  EXPECT_EQ(take(ring), 200U);
  EXPECT_EQ(ring.readable(kCapacity - 100), pattern(kCapacity - 100, 300));
}

TEST_F(RingTest, HasReadableBytesBehindEveryView) {
  Ring ring = open(0);
  advance(ring, kCapacity - 1);
  print_pattern(kCapacity - Ring::kPageBytes);
  while (ring.free_bytes() > 0) take(ring);
  const std::string_view all = ring.readable(ring.tail());
  volatile char sink = 0;
  for (std::size_t i = 0; i < Ring::kPageBytes - 1; ++i) sink = all.data()[all.size() + i];
  (void)sink;
}

TEST_F(RingTest, GoesBackToOffsetZeroAtItsEnd) {
  Ring ring = open(0);
  advance(ring, kCapacity);
  EXPECT_EQ(offset(), 0U);
  print("next");
  EXPECT_EQ(take(ring), 4U);
  EXPECT_EQ(ring.readable(kCapacity), "next");
}

TEST_F(RingTest, TheNextDaemonGoesOnAtTheExactByte) {
  for (const std::uint64_t start :
       {std::uint64_t{0}, std::uint64_t{1000}, kCapacity - 50, 2 * kCapacity, 5 * kCapacity - 7}) {
    Ring first = open(printed_);
    advance(first, start);
    print_pattern(77);
    while (first.head() < printed_) take(first);
    const Ring second = open(start);
    EXPECT_EQ(second.head(), first.head());
    EXPECT_EQ(second.readable(start), pattern(start, 77)) << "from position " << start;
  }
}

TEST_F(RingTest, TheNextDaemonKnowsAFullRingFromAnEmptyOne) {
  Ring first = open(0);
  advance(first, 12345);
  EXPECT_TRUE(open(12345).empty());
  print_pattern(kCapacity);
  while (first.free_bytes() > 0) take(first);
  const Ring second = open(12345);
  EXPECT_EQ(second.free_bytes(), 0U);
  EXPECT_EQ(second.readable(12345), first.readable(12345));
}

TEST_F(RingTest, TheNextDaemonFinishesASeekThatTheLastOneMissed) {
  {
    Ring first = open(0);
    advance(first, kCapacity);
  }
  ASSERT_EQ(::lseek(keeper_.get(), static_cast<off_t>(kCapacity), SEEK_SET),
            static_cast<off_t>(kCapacity));
  Ring second = open(kCapacity - 10);
  EXPECT_EQ(second.head(), kCapacity);
  EXPECT_EQ(offset(), 0U);
  print("more");
  EXPECT_EQ(take(second), 4U);
  EXPECT_EQ(second.readable(kCapacity), "more");
}

TEST_F(RingTest, ASpliceAtTheSealedEndFailsInsteadOfMovingIt) {
  Ring ring = open(0);
  ASSERT_GE(::lseek(keeper_.get(), static_cast<off_t>(kCapacity), SEEK_SET), 0);
  print("lost otherwise");
  const auto taken = ring.splice_from(pipe_.read_end.get());
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().sys_errno(), EPERM);
  EXPECT_EQ(ring.head(), 0U);
  EXPECT_EQ(sys::pipe_bytes_waiting(pipe_.read_end.get()).value(), 14U);
}

TEST_F(RingTest, RefusesATailThatCannotBeItsOwn) {
  Ring ring = open(0);
  advance(ring, 1000);
  const auto wrong = Ring::open(dup(), 1001);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Errc::kCorrupt);
}

TEST_F(RingTest, RefusesAMemfdOfAnotherSize) {
  const auto wrong = Ring::open(std::move(sys::memfd("other", 4096).value()), 0);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), Errc::kCorrupt);
}

TEST_F(RingTest, GivesBackPagesOnceItHasCarriedEnough) {
  Ring ring = open(0);
  print_pattern(Ring::kGiveBackBytes);
  take(ring);
  ring.consume(ring.head());
  EXPECT_FALSE(ring.give_back_pages());
  advance(ring, kCapacity + 5000);
  EXPECT_GE(memory_bytes(), kCapacity);
  EXPECT_TRUE(ring.give_back_pages());
  EXPECT_LE(memory_bytes(), Ring::kPageBytes);
  EXPECT_FALSE(ring.give_back_pages()) << "nothing came since";
}

TEST_F(RingTest, GivingBackPagesTakesNoUnconsumedByte) {
  for (const std::uint64_t start :
       {std::uint64_t{1} << 17U, kCapacity - 300, 2 * kCapacity + 4096, 4 * kCapacity - 70'000}) {
    Ring ring = open(printed_);
    advance(ring, start);
    print_pattern(100'000);
    while (ring.head() < printed_) take(ring);
    EXPECT_TRUE(ring.give_back_pages());
    EXPECT_EQ(ring.readable(start), pattern(start, 100'000));
    ring.consume(ring.head());
  }
}

// Runs until it is killed at `point`, in a child, as a daemon would.
void die_at(const std::string& point, Fd memfd, std::uint64_t tail, int pipe_fd) {
  const pid_t child = ::fork();
  if (child == 0) {
    crash_points::arm(point, 0);
    auto ring = Ring::open(std::move(memfd), tail);
    while (ring) {
      const auto taken = ring->splice_from(pipe_fd);
      if (!taken) ::_exit(1);
    }
    ::_exit(2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << point << " was never passed";
}

TEST_F(RingTest, NoKillBetweenSpliceAndSeekLosesOrRepeatsAByte) {
  for (const std::string point :
       {"after_splice:1", "ring_end_before_seek:1", "ring_end_after_seek:1"}) {
    Ring first = open(printed_);
    const std::uint64_t start = (printed_ / kCapacity + 1) * kCapacity - 40;
    advance(first, start);
    print_pattern(100);
    die_at(point, dup(), start, pipe_.read_end.get());
    Ring second = open(start);
    while (second.head() < printed_) ASSERT_GT(take(second), 0U);
    EXPECT_EQ(second.readable(start), pattern(start, 100)) << point;
  }
}

TEST_F(RingTest, AKillWhileRecoveringFromAMissedSeekIsHarmless) {
  Ring first = open(0);
  advance(first, kCapacity - 40);
  print_pattern(100);
  die_at("ring_end_before_seek:1", dup(), kCapacity - 40, pipe_.read_end.get());
  die_at("recover_seek:1", dup(), kCapacity - 40, pipe_.read_end.get());
  Ring third = open(kCapacity - 40);
  while (third.head() < printed_) ASSERT_GT(take(third), 0U);
  EXPECT_EQ(third.readable(kCapacity - 40), pattern(kCapacity - 40, 100));
}

TEST_F(RingTest, SurvivesOneByteWritesOverSeveralTurns) {
  Ring ring = open(0);
  advance(ring, kCapacity - 500);
  std::string got;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t from = ring.head();
    print_pattern(1);
    ASSERT_EQ(take(ring), 1U);
    got += ring.readable(from);
    ring.consume(ring.head());
  }
  EXPECT_EQ(got, pattern(kCapacity - 500, 1000));
}

}  // namespace
}  // namespace pmx::capture
