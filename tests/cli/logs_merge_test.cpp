#include "cli/logs_merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_clock.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::cli {
namespace {

using rotate::LogDir;
using test::SegmentBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Lines = std::vector<std::string>;

class LogsMergeTest : public ::testing::Test {
 protected:
  static constexpr auto kFromStart = [](rotate::LogReader& reader) { reader.seek_start(); };

  static LogSource source(const LogDir& dir, std::uint32_t id, const std::string& name) {
    LogSource source;
    source.path = dir.active_path();
    source.feeds.push_back({WorkerId{id}, StreamKind::kOut, name});
    return source;
  }
  Lines printed(LogsMerge& merge) {
    Lines lines;
    merge.print_all([&](const LogSource& from, const rotate::LogLine& line) {
      lines.push_back(from.label_of(line) + " " + std::string(line.text));
      return true;
    });
    return lines;
  }
  static void add(SegmentBuilder& segment, const std::string& text, std::int64_t time_ns,
                  std::uint8_t flags = 0) {
    segment.data(0, text, {.flags = flags, .time_ns = time_ns});
    segment.write();
  }

  test::TempDir home_;
  RealFs fs_;
  test::FakeClock clock_;
  LogDir web_{home_ / "state", home_ / "logs/web.log"},
      api_{home_ / "state", home_ / "logs/api.log"};
  SegmentBuilder web_log_{web_, 1}, api_log_{api_, 1};
  std::uint16_t web_stream_ = web_log_.stream(10, WorkerId{0}, StreamKind::kOut);
  std::uint16_t api_stream_ = api_log_.stream(20, WorkerId{1}, StreamKind::kOut);
};

TEST_F(LogsMergeTest, GivesTheLinesOfAllLogsInTimeOrder) {
  add(web_log_, "a\n", 1);
  add(web_log_, "d\n", 4);
  add(api_log_, "b\nc\n", 2);
  LogsMerge merge(fs_, clock_, home_.path(), {});
  merge.update({source(web_, 0, "web"), source(api_, 1, "api")}, kFromStart);
  EXPECT_EQ(merge.longest_label(), 5U);
  EXPECT_THAT(printed(merge), ElementsAre("0|web a", "1|api b", "1|api c", "0|web d"));
}

TEST_F(LogsMergeTest, StopsWhenNobodyReads) {
  add(web_log_, "a\nb\n", 1);
  LogsMerge merge(fs_, clock_, home_.path(), {});
  merge.update({source(web_, 0, "web")}, kFromStart);
  int lines = 0;
  EXPECT_FALSE(
      merge.print_all([&](const LogSource&, const rotate::LogLine&) { return ++lines < 1; }));
  EXPECT_EQ(lines, 1);
}

TEST_F(LogsMergeTest, TakesNewLogsAndNewNames) {
  add(web_log_, "a\n", 1);
  LogsMerge merge(fs_, clock_, home_.path(), {});
  merge.follow(home_ / "state/apps.json");
  merge.update({source(web_, 0, "web")}, kFromStart);
  EXPECT_THAT(printed(merge), ElementsAre("0|web a"));
  add(api_log_, "b\n", 2);
  merge.update({source(web_, 5, "shop"), source(api_, 6, "api")}, kFromStart);
  add(web_log_, "c\n", 3);
  EXPECT_THAT(printed(merge), ElementsAre("6|api b", "5|shop c"));
}

TEST_F(LogsMergeTest, SaysUpToWhenItHasLooked) {
  LogsMerge merge(fs_, clock_, home_.path(), {});
  const std::int64_t begin_ns = clock_.system_ns();
  clock_.advance(std::chrono::seconds(1));
  EXPECT_THAT(printed(merge), IsEmpty());
  EXPECT_EQ(merge.looked_ns(), begin_ns);  // Nobody says what has changed.
  merge.follow(home_ / "state/apps.json");
  EXPECT_THAT(printed(merge), IsEmpty());
  EXPECT_EQ(merge.looked_ns(), clock_.system_ns());
}

TEST_F(LogsMergeTest, TellsOnceThatTheListHasChanged) {
  LogsMerge merge(fs_, clock_, home_.path(), {});
  merge.follow(home_ / "state/apps.json");
  EXPECT_TRUE(merge.path_changed());
  EXPECT_FALSE(merge.path_changed());
  test::write_bytes(home_ / "state/apps.json", "{}");
  EXPECT_TRUE(merge.path_changed());
}

TEST_F(LogsMergeTest, GivesALineWithoutEndWhenItsLogHasBeenQuiet) {
  add(web_log_, "Name: ", 1, rotate::flags::kPartial);
  LogsMerge merge(fs_, clock_, home_.path(), {});
  merge.update({source(web_, 0, "web")}, kFromStart);
  EXPECT_THAT(printed(merge), IsEmpty());
  ASSERT_EQ(merge.unfinished_since(), clock_.steady_now());
  Lines lines;
  const auto print = [&](const LogSource&, const rotate::LogLine& line) {
    lines.emplace_back(line.text);
    return true;
  };
  merge.print_unfinished(clock_.steady_now() - std::chrono::milliseconds(1), print);
  EXPECT_THAT(lines, IsEmpty());
  merge.print_unfinished(clock_.steady_now(), print);
  EXPECT_THAT(lines, ElementsAre("Name: "));
  EXPECT_FALSE(merge.unfinished_since().has_value());
}

TEST_F(LogsMergeTest, FollowsOurOwnLogBeforeItIsThere) {
  LogSource own;
  own.path = home_ / "pmx.log";
  own.own_log = true;
  own.feeds.push_back({rotate::kUnknownWorker, StreamKind::kOut, "PM2"});
  LogsMerge merge(fs_, clock_, home_.path(), {});
  merge.update({own}, kFromStart);
  merge.follow(home_ / "state/apps.json");
  EXPECT_THAT(printed(merge), IsEmpty());
  test::write_bytes(own.path, "started\n");
  EXPECT_THAT(printed(merge), ElementsAre("PM2 started"));
}

}  // namespace
}  // namespace pmx::cli
