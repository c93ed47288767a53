#include "cli/logs_format.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace pmx::cli {
namespace {

std::string on_terminal(std::string_view text) {
  std::string out;
  append_for_terminal(out, text);
  return out;
}

class LogsFormatTest : public ::testing::Test {
 protected:
  std::string format(std::string_view text) {
    line_.text = text;
    std::string out;
    append_line(out, style_, origin_, line_);
    return out;
  }

  LineStyle style_;
  LineOrigin origin_{"0|web", "web", WorkerId{0}};
  rotate::LogLine line_{"", 1'795'428'000'123'000'000, 1, WorkerId{0}};
};

TEST_F(LogsFormatTest, PutsThePaddedNameInFront) {
  EXPECT_EQ(format("text"), "0|web      | text\n");
  origin_.label = "12|a-long-name";
  EXPECT_EQ(format("text"), "12|a-long-name | text\n");
}

TEST_F(LogsFormatTest, ColorsOutGreenAndErrRedOnATerminalOnly) {
  style_.color = style_.terminal = true;
  EXPECT_EQ(format("text"), "\x1b[32m0|web      | \x1b[39mtext\n");
  origin_.kind = StreamKind::kErr;
  EXPECT_EQ(format("text"), "\x1b[31m0|web      | \x1b[39mtext\n");
}

TEST_F(LogsFormatTest, PrintsTheTextAloneWhereRaw) {
  style_.form = LineStyle::Form::kRaw;
  style_.timestamp = TimeFormat("YYYY");
  EXPECT_EQ(format("te\x01xt\r"), "te\x01xt\r\n");
}

TEST_F(LogsFormatTest, PutsTheLinesOwnTimeInFront) {
  style_.timestamp = TimeFormat("SSS");
  EXPECT_EQ(format("text"), "123 0|web      | text\n");
}

TEST_F(LogsFormatTest, PrintsOneJsonObjectALine) {
  style_.form = LineStyle::Form::kJson;
  origin_.kind = StreamKind::kErr;
  EXPECT_EQ(format("a \"b\"\xFF"),
            "{\"message\":\"a "
            "\\\"b\\\"\xEF\xBF\xBD\",\"timestamp\":\"2026-11-23T10:00:00.123Z\",\"type\":\"err\","
            "\"process_id\":0,\"app_name\":\"web\"}\n");
}

TEST_F(LogsFormatTest, PrintsPairsAsPm2sFormatHasThem) {
  style_.form = LineStyle::Form::kPairs;
  EXPECT_EQ(format("a b"),
            "timestamp=2026-11-23T10:00:00.123Z app=web id=0 type=out message=a b\n");
}

TEST_F(LogsFormatTest, LeavesTheObjectsOfAJsonLogAsTheyAre) {
  style_.form = LineStyle::Form::kJson;
  line_.render = RenderSpec::Kind::kJson;
  EXPECT_EQ(format("{\"message\":\"a\"}"), "{\"message\":\"a\"}\n");
}

TEST_F(LogsFormatTest, HighlightsTheFirstOccurrence) {
  style_.highlight = "bad";
  EXPECT_EQ(format("a bad bad"), "0|web      | a bad bad\n");
  style_.color = true;
  EXPECT_EQ(format("a bad bad"), "\x1b[32m0|web      | \x1b[39ma \x1b[100mbad\x1b[49m bad\n");
}

TEST_F(LogsFormatTest, PadsNamesThatMustBeEscaped) {
  style_.terminal = true;
  origin_.label = "0|w\x01\x02\x03\x04\x05\x06";
  EXPECT_EQ(format("text"), "0|w^A^B^C^D^E^F | text\n");
}

TEST_F(LogsFormatTest, SaysHowManyLinesItShows) {
  EXPECT_EQ(tail_header(style_, 15, "all"),
            "[TAILING] Tailing last 15 lines for [all] processes (change the value with --lines "
            "option)\n");
}

TEST(LogsTerminalTest, PassesTextTabsAndColors) {
  EXPECT_EQ(on_terminal("plain\ttext \xC3\xA4 \xF0\x9F\x98\x80"),
            "plain\ttext \xC3\xA4 \xF0\x9F\x98\x80");
  EXPECT_EQ(on_terminal("\x1b[1;38:5:1mred"), "\x1b[1;38:5:1mred\x1b[0m");
}

TEST(LogsTerminalTest, ShowsEveryOtherControlByte) {
  EXPECT_EQ(on_terminal("\x1b[2J\x1b]0;title\x07"), "^[[2J^[]0;title^G");
  EXPECT_EQ(on_terminal(std::string_view("a\0b\x7F\bc", 6)), "a^@b^?^Hc");
  EXPECT_EQ(on_terminal("\x1b"), "^[");
  EXPECT_EQ(on_terminal("\x1b[31"), "^[[31");
  EXPECT_EQ(on_terminal("50%\r100%\r"), "50%^M100%");
}

TEST(LogsTerminalTest, ShowsControlsOfC1AsTheSequencesThatTheyStandFor) {
  EXPECT_EQ(on_terminal("\xC2\x9B"
                        "2J"),
            "^[[2J");
  EXPECT_EQ(on_terminal("\x9B"
                        "2J"),
            "\xEF\xBF\xBD"
            "2J");
}

TEST(LogsTerminalTest, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(on_terminal("a\xC3"), "a\xEF\xBF\xBD");
  EXPECT_EQ(on_terminal("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(on_terminal("\xED\xA0\x80x"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx");
  EXPECT_EQ(on_terminal("\xE2\x82x"), "\xEF\xBF\xBDx");
  EXPECT_EQ(on_terminal("\xF5x"), "\xEF\xBF\xBDx");
}

}  // namespace
}  // namespace pmx::cli
