#include "cli/text_table.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

TEST(TextTableTest, CutsAndFillsByCharactersNotBytes) {
  EXPECT_EQ(display_width("añ…"), 3U);
  EXPECT_EQ(fitted("ab", 4), "ab  ");
  EXPECT_EQ(fitted("abcdef", 4), "abc…");
  EXPECT_EQ(fitted("äöüßx", 4), "äöü…");
  EXPECT_EQ(fitted("abc", 0), "");
}

TEST(TextTableTest, KnowsWhatTakesTwoColumnsAndWhatNone) {
  EXPECT_EQ(display_width("中文"), 4U);
  EXPECT_EQ(display_width("🚀"), 2U);
  EXPECT_EQ(display_width("e\u0301\n"), 1U);
  EXPECT_EQ(display_width("\xff\xc3"), 2U);  // No UTF-8: a mark for each.
  EXPECT_EQ(fitted("中文", 5), "中文 ");
  EXPECT_EQ(fitted("中文字", 5), "中文…");
  EXPECT_EQ(fitted("中文字", 4), "中… ");
}

TEST(TextTableTest, DrawsBoxes) {
  const Console console((Console::Options()));
  EXPECT_EQ(draw_table(console, {"id", "name"}, {4, 7}, {{{"0"}, {"web"}}}),
            "┌────┬───────┐\n"
            "│ id │ name  │\n"
            "├────┼───────┤\n"
            "│ 0  │ web   │\n"
            "└────┴───────┘\n");
  EXPECT_EQ(draw_table(console, {"id"}, {4}, {}), "┌────┐\n│ id │\n└────┘\n");
}

}  // namespace
}  // namespace pmx::cli
