#include "cli/event_joiner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rotate/segment_reader.h"

namespace pmx::cli {
namespace {

using ::testing::ElementsAre;

class EventJoinerTest : public ::testing::Test {
 protected:
  void line(std::string text, std::uint64_t stream = 1,
            RenderSpec::Kind render = RenderSpec::Kind::kRaw) {
    const std::size_t size = text.size();
    text.append(rotate::kReadablePastEnd, '\0');
    rotate::LogLine line;
    line.text = std::string_view(text).substr(0, size);
    line.time_ns = ++time_ns_;
    line.stream = StreamId{stream};
    line.worker = WorkerId{static_cast<std::uint32_t>(stream)};
    line.render = render;
    joiner_.add(line, ++number_);
  }

  std::vector<std::string> events_, undated_;
  std::vector<rotate::LogLine> lines_;
  EventJoiner joiner_{[this](const rotate::LogLine& event) {
    events_.emplace_back(event.text);
    undated_.emplace_back(rotate::without_date(event));
    lines_.push_back(event);
  }};
  std::int64_t time_ns_ = 0;
  std::uint64_t number_ = 10;
};

TEST_F(EventJoinerTest, GivesATraceWithItsFirstLinesTimeAndNumber) {
  line("before");
  line("Error: boom");
  line("    at f (x.js:1:2)");
  EXPECT_EQ(joiner_.oldest_open(), 12U);
  EXPECT_EQ(joiner_.oldest_open_time(), 3);
  joiner_.flush_all();
  EXPECT_THAT(events_, ElementsAre("before", "Error: boom\n    at f (x.js:1:2)"));
  EXPECT_EQ(lines_[1].seq, 12U);
  EXPECT_EQ(lines_[1].time_ns, 2);
  EXPECT_EQ(lines_[1].worker, WorkerId{1});
  EXPECT_EQ(joiner_.oldest_open(), std::nullopt);
}

TEST_F(EventJoinerTest, KeepsStreamsOfOneLogApart) {
  line("Error: one", 1);
  line("Error: two", 2);
  line("    at one", 1);
  line("    at two", 2);
  joiner_.flush_all();
  EXPECT_THAT(events_, ElementsAre("Error: one\n    at one", "Error: two\n    at two"));
}

TEST_F(EventJoinerTest, LeavesOurDateInFrontOfTheFirstLineOnly) {
  const auto dated = [&](const char* text) { line(text, 1, RenderSpec::Kind::kDate); };
  dated("10:00:00: Error: boom");
  dated("10:00:00:     at f (x.js:1:2)");
  dated("10:00:01: next");
  joiner_.flush_all();
  EXPECT_THAT(events_, ElementsAre("10:00:00: Error: boom\n    at f (x.js:1:2)", "10:00:01: next"));
  EXPECT_THAT(undated_, ElementsAre("Error: boom\n    at f (x.js:1:2)", "next"));
}

TEST_F(EventJoinerTest, JoinsWhatStandsInOurObjects) {
  const auto wrapped = [&](const std::string& text) {
    line(R"({"message":")" + text + R"(\n","type":"err"})", 1, RenderSpec::Kind::kJson);
  };
  wrapped("Traceback (most recent call last):");
  wrapped("  File \\\"x.py\\\", line 1");
  wrapped("ValueError: x");
  joiner_.flush_all();
  EXPECT_THAT(
      events_,
      ElementsAre("Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: x"));
}

TEST_F(EventJoinerTest, GivesWhatNobodyGoesOnWith) {
  line("a", 1);
  line("b", 2);
  joiner_.flush_older_than(2);
  EXPECT_THAT(events_, ElementsAre("a"));
}

}  // namespace
}  // namespace pmx::cli
