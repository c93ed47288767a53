#include "rotate/internal/line_joiner.h"

#include <gtest/gtest.h>

namespace pmx::rotate {
namespace {

class LineJoinerTest : public ::testing::Test {
 protected:
  static LineJoiner::Piece piece(std::string_view text, bool continues, bool goes_on,
                                 std::uint64_t stream = 1) {
    LineJoiner::Piece piece;
    piece.line.text = text;
    piece.stream = {stream};
    piece.continues = continues;
    piece.goes_on = goes_on;
    return piece;
  }
  // What the piece brings out, each line with '|' behind it.
  std::string add(const LineJoiner::Piece& piece) {
    std::string given;
    while (const auto line = joiner_.before(piece)) given += std::string(line->text) + '|';
    if (const auto line = joiner_.add(piece)) given += std::string(line->text) + '|';
    return given;
  }

  LineJoiner joiner_;
};

TEST_F(LineJoinerTest, PassesWholeLinesThrough) { EXPECT_EQ(add(piece("a", false, false)), "a|"); }

TEST_F(LineJoinerTest, KeepsTheStreamsApart) {
  EXPECT_EQ(add(piece("a1", false, true, 1)), "");
  EXPECT_EQ(add(piece("b1", false, true, 2)), "");
  EXPECT_EQ(add(piece("a2", true, false, 1)), "a1a2|");
  EXPECT_EQ(add(piece("b2", true, false, 2)), "b1b2|");
  EXPECT_FALSE(joiner_.has_unfinished());
}

TEST_F(LineJoinerTest, GivesALineWhoseEndNeverCameBeforeTheNextOne) {
  EXPECT_EQ(add(piece("half", false, true)), "");
  EXPECT_EQ(add(piece("next", false, false)), "half|next|");
}

TEST_F(LineJoinerTest, HidesPiecesWithoutBeginningOnlyWhereAsked) {
  EXPECT_EQ(add(piece("rest", true, false)), "rest|");
  joiner_.reset(LineJoiner::Unbegun::kHide);
  EXPECT_EQ(add(piece("more", true, true)), "");
  EXPECT_EQ(add(piece("rest", true, false)), "");
  EXPECT_EQ(add(piece("whole", false, false)), "whole|");
}

TEST_F(LineJoinerTest, ShowsWhatContinuesAPieceThatWasGivenAlready) {
  joiner_.reset(LineJoiner::Unbegun::kHide);
  EXPECT_EQ(add(piece("Name: ", false, true)), "");
  EXPECT_EQ(joiner_.take_unfinished()->text, "Name: ");
  EXPECT_FALSE(joiner_.take_unfinished().has_value());
  EXPECT_EQ(add(piece("Bob", true, false)), "Bob|");
}

TEST_F(LineJoinerTest, LetsThePiecesThatStandAloneStandAlone) {
  joiner_.reset(LineJoiner::Unbegun::kHide);
  auto first = piece("10:00: a", false, false);
  first.alone = true;
  EXPECT_EQ(add(first), "10:00: a|");
  EXPECT_EQ(add(piece("10:01: b", true, false)), "10:01: b|");
}

TEST_F(LineJoinerTest, GivesPiecesAtTheBoundAndNoEmptyLineAtTheEnd) {
  const std::string big(kMaxJoinedBytes - 1, 'x');
  EXPECT_EQ(add(piece(big, false, true)), "");
  EXPECT_EQ(add(piece("yz", true, true)), big + "|");
  EXPECT_EQ(joiner_.end_stream({1})->text, "yz");
  EXPECT_FALSE(joiner_.end_stream({1}).has_value());
}

}  // namespace
}  // namespace pmx::rotate
