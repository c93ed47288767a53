#include "cli/logs_pretty.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "rotate/segment_reader.h"

namespace pmx::cli {
namespace {

class LogsPrettyTest : public ::testing::Test {
 protected:
  LogsPrettyTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    style_.form = LineStyle::Form::kPretty;
    event_.time_ns = 1'795'428'000'123'000'000;  // 2026-11-23T10:00:00.123Z
  }
  std::string pretty(std::string text) {
    const std::size_t size = text.size();
    text.append(rotate::kReadablePastEnd, '\0');
    event_.text = std::string_view(text).substr(0, size);
    std::string out;
    printer_.append(out, style_, origin_, event_);
    return out;
  }
  // What comes behind the name and the time of a JSON line.
  std::string object(const std::string& text) {
    const std::string out = pretty(text);
    const std::string front = "0|web      | 2026-11-23 10:00:00.123 ";
    EXPECT_TRUE(out.starts_with(front)) << out;
    return out.substr(std::min(front.size(), out.size()));
  }

  LineStyle style_;
  LineOrigin origin_{"0|web", "web", WorkerId{0}};
  rotate::LogLine event_;
  PrettyPrinter printer_;
};

TEST_F(LogsPrettyTest, LeavesTextAsItIs) {
  EXPECT_EQ(pretty("text  as it is "), "0|web      | text  as it is \n");
  EXPECT_EQ(pretty(""), "0|web      | \n");
  EXPECT_EQ(pretty("[1,2]"), "0|web      | [1,2]\n");
  EXPECT_EQ(pretty("{not json}"), "0|web      | {not json}\n");
  EXPECT_EQ(pretty("{}"), "0|web      | {}\n");
}

TEST_F(LogsPrettyTest, PutsTheLinesOfATraceUnderItsFirst) {
  EXPECT_EQ(pretty("Error: boom\n    at f (x.js:1)\n\nCaused by: y"),
            "0|web      | Error: boom\n"
            "           |       at f (x.js:1)\n"
            "           | \n"
            "           |   Caused by: y\n");
  style_.timestamp = TimeFormat("HH:mm");
  origin_.label = "0|ä";
  EXPECT_EQ(pretty("Error: boom\n    at f"),
            "10:00 0|ä       | Error: boom\n"
            "                |       at f\n");
}

TEST_F(LogsPrettyTest, LeavesAnObjectOfSeveralLinesAsItIs) {
  EXPECT_EQ(pretty("{\n  \"a\": 1\n}"),
            "0|web      | {\n           |     \"a\": 1\n           |   }\n");
}

TEST_F(LogsPrettyTest, LaysAJsonLineOut) {
  EXPECT_EQ(pretty(R"({"level":30,"time":1795428001500,"pid":7,"msg":"took it","ms":1.50})"),
            "0|web      | 2026-11-23 10:00:01.500 INFO  took it pid=7 ms=1.50\n");
  EXPECT_EQ(pretty(R"({"ts":"2026-11-23T12:00:00+01:00","severity":"warning","message":"m"})"),
            "0|web      | 2026-11-23 11:00:00.000 WARNING m\n");
}

TEST_F(LogsPrettyTest, TakesTheTimeOfCaptureWhereTheLineHasNone) {
  EXPECT_EQ(object(R"({"msg":"m"})"), "m\n");
  style_.timestamp = TimeFormat("HH:mm");
  EXPECT_EQ(pretty(R"({"msg":"m"})"), "10:00 0|web      | m\n");
}

TEST_F(LogsPrettyTest, ShowsTheLevelInTheAppsOwnWord) {
  EXPECT_EQ(object(R"({"level":"error","msg":"m"})"), "ERROR m\n");
  EXPECT_EQ(object(R"({"level":"notice","msg":"m"})"), "NOTICE m\n");
  EXPECT_EQ(object(R"({"level":60,"msg":"m"})"), "FATAL m\n");
  EXPECT_EQ(object(R"({"level":35,"msg":"m"})"), "INFO  m level=35\n");
  EXPECT_EQ(object(R"({"level":"gold","msg":"m"})"), "m level=gold\n");
  EXPECT_EQ(object(R"({"level":3,"lvl":"dbg","msg":"m"})"), "DBG   m level=3\n");
}

TEST_F(LogsPrettyTest, WritesEveryOtherMember) {
  EXPECT_EQ(object(R"({"msg":"m","s":"a b","q":"say \"x\"","e":"","t":true,"n":null,)"
                   R"("big":12345678901234567890123,"o": {"a": [1, 2], "s": "x  y"},"a":[]})"),
            R"(m s="a b" q="say \"x\"" e="" t=true n=null big=12345678901234567890123 )"
            R"(o={"a":[1,2],"s":"x  y"} a=[])"
            "\n");
  EXPECT_EQ(object(R"({"a":1,"a":2,"a b":3,"caf\u00e9":"\u00e9","":4})"),
            "a=1 a=2 \"a b\"=3 café=é \"\"=4\n");
  EXPECT_EQ(object(R"({"msg":"","message":"m","body":"b"})"), "m msg=\"\" body=b\n");
}

TEST_F(LogsPrettyTest, PutsStacksBelow) {
  const std::string stack = R"(Error: boom\n    at f (x.js:1)\n)";
  const std::string below = "           |   Error: boom\n           |       at f (x.js:1)\n";
  EXPECT_EQ(object(R"({"msg":"m","stack":")" + stack + R"(","a":1})"), "m a=1\n" + below);
  EXPECT_EQ(object(R"({"msg":"m","exception":")" + stack + R"("})"), "m\n" + below);
  EXPECT_EQ(object(R"({"msg":"m","err":{"type":"E", "stack":")" + stack + R"(","n":[1, 2]}})"),
            "m err={\"type\":\"E\",\"n\":[1,2]}\n" + below);
  EXPECT_EQ(object(R"({"msg":"m","error":{"stack_trace":")" + stack + R"("}})"), "m\n" + below);
  EXPECT_EQ(object(R"({"msg":"m","error.stack_trace":")" + stack + R"("})"), "m\n" + below);
  EXPECT_EQ(
      object(R"({"msg":"m","cause":{"stack":")" + stack + R"("},"stack":")" + stack + R"("})"),
      "m\n" + below + below);
  EXPECT_EQ(object(R"({"msg":"m","stack":"production"})"), "m stack=production\n");
}

TEST_F(LogsPrettyTest, PutsTheLinesOfAMessageUnderItsFirst) {
  EXPECT_EQ(object(R"({"msg":"a\nb\n","x":1,"stack":"E\n  at"})"),
            "a x=1\n           |   b\n           |   E\n           |     at\n");
}

TEST_F(LogsPrettyTest, LaysOutWhatStandsBehindOurDate) {
  event_.render = RenderSpec::Kind::kDate;
  EXPECT_EQ(pretty("10:00: text"), "0|web      | 10:00: text\n");
  EXPECT_EQ(object("10:00: {\"msg\":\"m\"}"), "m\n");
}

TEST_F(LogsPrettyTest, LeavesOurOwnNoticesAsTheyAre) {
  event_.dropped_notice = true;
  EXPECT_EQ(pretty("[pmx] 3 lines dropped (disk full)"),
            "0|web      | [pmx] 3 lines dropped (disk full)\n");
}

TEST_F(LogsPrettyTest, SendsATerminalNothingButColours) {
  style_.terminal = true;
  EXPECT_EQ(pretty("a\x1b[2J\nb\x07"), "0|web      | a^[[2J\n           |   b^G\n");
  EXPECT_EQ(object(R"({"msg":"\u001b[31mred\u001b[2J","a\u0007":"\u009b2J","b":"\u0007"})"),
            "\x1b[31mred^[[2J\x1b[0m \"a\\u0007\"=^[[2J b=\"\\u0007\"\n");
}

// In the file these bytes are harmless text.
TEST_F(LogsPrettyTest, MakesNoControlBytesOfEscapesWhereverItPrints) {
  EXPECT_EQ(object(R"({"msg":"a\u001b]0;title\u0007"})"), "a^[]0;title^G\n");
  EXPECT_EQ(object(R"({"msg":"m","stack":"E\n\u001b[2J"})"),
            "m\n           |   E\n           |   ^[[2J\n");
}

TEST_F(LogsPrettyTest, ColoursWhereColoursAreWanted) {
  style_.color = style_.terminal = true;
  EXPECT_EQ(pretty(R"({"level":50,"msg":"m","a":1})"),
            "\x1b[32m0|web      | \x1b[39m\x1b[90m2026-11-23 10:00:00.123\x1b[39m "
            "\x1b[31mERROR\x1b[39m m \x1b[90ma=\x1b[39m1\n");
  style_.highlight = "find";
  EXPECT_EQ(pretty("a find\nfind"),
            "\x1b[32m0|web      | \x1b[39ma \x1b[100mfind\x1b[49m\n"
            "           |   \x1b[100mfind\x1b[49m\n");
}

}  // namespace
}  // namespace pmx::cli
