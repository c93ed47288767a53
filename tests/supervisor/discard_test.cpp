#include "supervisor/discard.h"

#include <gtest/gtest.h>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

class DiscardTest : public ::testing::Test {
 protected:
  void write(const std::string& text) { ASSERT_TRUE(sys::write_all(pipe_.write_end.get(), text)); }
  std::string rest() {
    pipe_.write_end.reset();
    return *sys::read_all(pipe_.read_end.get(), 1U << 20U);
  }
  sys::Pipe pipe_ = *sys::pipe();
};

TEST_F(DiscardTest, CountsWholeLinesAndLeavesThemInThePipe) {
  write("one\ntwo\nhalf");
  const auto peeked = peek_lines(pipe_.read_end.get());
  ASSERT_TRUE(peeked);
  EXPECT_EQ(peeked->lines, 2U);
  EXPECT_EQ(peeked->bytes, 8U);
  EXPECT_EQ(rest(), "one\ntwo\nhalf");
}

TEST_F(DiscardTest, ThrowsAwayExactlyWhatItIsTold) {
  write("one\ntwo\nhalf");
  ASSERT_TRUE(discard(pipe_.read_end.get(), 8));
  EXPECT_EQ(rest(), "half");
}

TEST_F(DiscardTest, AnEmptyPipeHasNothingToDrop) {
  const auto peeked = peek_lines(pipe_.read_end.get());
  ASSERT_TRUE(peeked);
  EXPECT_EQ(peeked->bytes, 0U);
}

TEST_F(DiscardTest, APipeFullOfOneLineIsAllOfIt) {
  const std::size_t size = sys::set_pipe_size(pipe_.write_end.get(), 1U << 16U);
  write(std::string(size, 'x'));
  const auto peeked = peek_lines(pipe_.read_end.get());
  ASSERT_TRUE(peeked);
  EXPECT_EQ(peeked->lines, 0U);
  EXPECT_EQ(peeked->bytes, size);
}

}  // namespace
}  // namespace pmx::supervisor
