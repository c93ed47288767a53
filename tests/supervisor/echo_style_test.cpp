#include "supervisor/echo_style.h"

#include <gtest/gtest.h>

#include "rotate/segment_reader.h"

namespace pmx::supervisor {
namespace {

rotate::LogLine line_of(std::string_view text) {
  rotate::LogLine line;
  line.text = text;
  line.time_ns = 1'795'428'000'123'000'000;
  line.worker = WorkerId{3};
  return line;
}

TEST(EchoStyleTest, RawIsAsItWasWritten) {
  rotate::LogLine line = line_of("a \"b\"");
  EXPECT_EQ(echo_text(EchoStyle::kRaw, "web", line), "a \"b\"\n");
  line.has_newline = false;
  EXPECT_EQ(echo_text(EchoStyle::kRaw, "web", line), "a \"b\"");
}

TEST(EchoStyleTest, JsonIsOneObjectALine) {
  EXPECT_EQ(echo_text(EchoStyle::kJson, "web", line_of("a \"b\"")),
            R"({"message":"a \"b\"","timestamp":"2026-11-23T10:00:00.123Z","type":"out",)"
            R"("process_id":3,"app_name":"web"})"
            "\n");
  rotate::LogLine strange = line_of("x");
  strange.worker = rotate::kUnknownWorker;
  strange.kind = StreamKind::kErr;
  EXPECT_NE(echo_text(EchoStyle::kJson, "web", strange).find(R"("type":"err","process_id":null)"),
            std::string::npos);
}

TEST(EchoStyleTest, LinesThatAreRecordsAlreadyAreNotWrappedTwice) {
  rotate::LogLine line = line_of(R"({"message":"x"})");
  line.render = RenderSpec::Kind::kJson;
  EXPECT_EQ(echo_text(EchoStyle::kJson, "web", line), "{\"message\":\"x\"}\n");
}

TEST(EchoStyleTest, PairsAndPrefixNameTheApp) {
  EXPECT_EQ(echo_text(EchoStyle::kPairs, "web", line_of("hello")),
            "timestamp=2026-11-23T10:00:00.123Z app=web id=3 type=out message=hello\n");
  EXPECT_EQ(echo_text(EchoStyle::kPrefix, "web", line_of("hello")), "3|web      | hello\n");
  EXPECT_EQ(echo_text(EchoStyle::kPrefix, "a-longer-name", line_of("x")), "3|a-longer-name | x\n");
}

TEST(EchoStyleTest, HasTheNamesOfPm2sOptions) {
  for (const char* const name : {"raw", "json", "format", "formatted"})
    EXPECT_EQ(name_of(*echo_style_named(name)), name);
  EXPECT_FALSE(echo_style_named("yaml"));
}

}  // namespace
}  // namespace pmx::supervisor
