#include "cli/logs_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "capture/fields.h"
#include "rotate/segment_reader.h"
#include "support/fake_clock.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::cli {
namespace {

using test::SegmentBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Lines = std::vector<std::string>;

constexpr std::int64_t kMs = 1'000'000;

class LogsEventsTest : public ::testing::Test {
 protected:
  LogsEventsTest() {
    clock_.advance(std::chrono::seconds(1000));
    now_ms_ = clock_.system_ns() / kMs;
    web_.path = home_ / "logs/web.log";
    api_.path = home_ / "logs/api.log";
  }
  // A line of `ms` after the start of the test.
  bool line(const LogSource& source, int ms, std::string text, std::uint64_t stream = 1) {
    const std::size_t size = text.size();
    text.append(rotate::kReadablePastEnd, '\0');
    rotate::LogLine line;
    line.text = std::string_view(text).substr(0, size);
    line.time_ns = (now_ms_ + ms) * kMs;
    line.stream = StreamId{stream + (&source == &api_ ? 100 : 0)};
    return events().add(source, line, clock_.system_ns());
  }
  LogsEvents& events() {
    if (!events_)
      events_.emplace(clock_, filter_, [this](const LogSource&, const rotate::LogLine& event) {
        printed_.emplace_back(event.text);
        return !stop_;
      });
    return *events_;
  }
  Lines take_printed() { return std::exchange(printed_, {}); }
  Lines finished() {
    events().finish();
    return take_printed();
  }
  void want_level(Severity level) {
    filter_.level = level;
    filter_.severity_of = [](std::string_view text) { return capture::severity_of(text); };
  }
  void want_match(const std::string& word) {
    filter_.matches = [word](std::string_view text) { return text.find(word) != text.npos; };
  }

  // A log on the disk, a batch a line, 1 s between lines but within a trace.
  void write_log(const Lines& lines) {
    SegmentBuilder segment(dir_, 1);
    const auto stream = segment.stream(10, WorkerId{0}, StreamKind::kOut);
    std::int64_t second = 0;
    for (const std::string& text : lines)
      segment.data(stream, text + "\n",
                   {.flags = rotate::flags::kUnparsed,
                    .time_ns = (text.starts_with(' ') ? second : ++second) * 1000 * kMs + at_++});
    segment.write();
  }
  Lines last(std::uint64_t n) {
    rotate::LogReader reader(fs_, dir_, events().lines_filter());
    events().seek_last(reader, n);
    while (const auto line = reader.next()) events().add(web_, *line, clock_.system_ns());
    while (const auto line = reader.next_unfinished())
      events().add(web_, *line, clock_.system_ns());
    Lines printed = finished();
    events_.reset();
    return printed;
  }

  static std::size_t printed_lines(const Lines& events) {
    std::size_t lines = 0;
    for (const std::string& event : events)
      lines += 1 + static_cast<std::size_t>(std::count(event.begin(), event.end(), '\n'));
    return lines;
  }
  // The lines ("name", "ms" and text) of one stream as they are when all of them are there.
  void joined(const Lines& lines, Lines& out) const {
    EventJoiner joiner([&](const rotate::LogLine& event) { out.emplace_back(event.text); });
    std::uint64_t number = 0;
    for (std::string text : lines) {
      text.append(rotate::kReadablePastEnd, '\0');
      const std::size_t ms = text.find('\n') + 1, begin = text.find('\n', ms) + 1;
      rotate::LogLine line;
      line.text = std::string_view(text).substr(begin, lines[number].size() - begin);
      line.time_ns = (now_ms_ + std::stoll(text.substr(ms))) * kMs;
      line.stream = StreamId{1};
      joiner.add(line, ++number);
    }
    joiner.flush_all();
  }

  test::TempDir home_;
  RealFs fs_;
  rotate::LogDir dir_{home_ / "state", home_ / "logs/web.log"};
  test::FakeClock clock_;
  std::int64_t now_ms_ = 0, at_ = 0;
  rotate::LineFilter filter_;
  LogSource web_, api_;
  std::optional<LogsEvents> events_;
  Lines printed_;
  bool stop_ = false;
};

TEST_F(LogsEventsTest, KeepsATraceWholeAndEventsInTheOrderOfTheirFirstLines) {
  line(web_, 0, "before");
  line(web_, 1, "Error: web");
  line(api_, 2, "Error: api");
  line(web_, 3, "    at web");
  line(api_, 4, "    at api");
  line(web_, 5, "after");
  EXPECT_THAT(finished(),
              ElementsAre("before", "Error: web\n    at web", "Error: api\n    at api", "after"));
}

TEST_F(LogsEventsTest, WaitsAsLongAsTheShippedCopyDoes) {
  line(web_, 0, "Error: web");
  line(api_, 1, "later");
  EXPECT_EQ(events().settle_in(), std::chrono::milliseconds(201));
  clock_.advance(std::chrono::milliseconds(150));
  EXPECT_TRUE(events().settle(clock_.system_ns()));
  EXPECT_THAT(take_printed(), IsEmpty());
  line(web_, 60, "    at web");
  clock_.advance(std::chrono::milliseconds(100));
  events().settle(clock_.system_ns());
  EXPECT_THAT(take_printed(), IsEmpty());  // Nobody goes on with "later", but the trace is older.
  clock_.advance(std::chrono::milliseconds(20));
  events().settle(clock_.system_ns());
  EXPECT_THAT(take_printed(), ElementsAre("Error: web\n    at web", "later"));
  EXPECT_EQ(events().settle_in(), std::nullopt);
}

// What has come since the logs were looked at may go on with what is open.
TEST_F(LogsEventsTest, TakesNothingForQuietThatItHasNotLookedAt) {
  line(web_, 0, "Error: web");
  const std::int64_t looked_ns = clock_.system_ns();
  clock_.advance(std::chrono::seconds(5));  // Nobody let us run.
  EXPECT_TRUE(events().settle(looked_ns));
  EXPECT_THAT(take_printed(), IsEmpty());
  line(web_, 1, "    at web");
  EXPECT_THAT(finished(), ElementsAre("Error: web\n    at web"));
}

TEST_F(LogsEventsTest, DoesNotWaitForEverWhenTheClockIsSetBack) {
  line(web_, 3'600'000, "from the future");
  EXPECT_EQ(events().settle_in(), std::chrono::milliseconds(201));
  events().settle(clock_.system_ns());
  EXPECT_THAT(take_printed(), ElementsAre("from the future"));
}

TEST_F(LogsEventsTest, PrintsWhileItReadsWhatIsOld) {
  for (int i = 0; i < 1000; ++i) line(web_, i - 100'000, std::to_string(i));
  EXPECT_THAT(take_printed(), SizeIs(767));  // But for the last stretch, and its first line.
}

TEST_F(LogsEventsTest, HoldsABoundedAmountForATraceThatGoesOn) {
  line(web_, 0, "Error: web");
  const std::string text(10'000, 'x');
  std::size_t printed = 0;
  for (int i = 1; i <= 300; ++i) {
    line(api_, i / 10, text);
    if (i % 30 == 0) line(web_, i / 10, "    at web");
    printed += take_printed().size();
    EXPECT_LE((static_cast<std::size_t>(i) - printed) * text.size(),
              LogsEvents::kMostHeldBytes + 3 * text.size());
  }
  const Lines rest = finished();
  EXPECT_EQ(printed + rest.size(), 301U);
  EXPECT_TRUE(rest.front().starts_with("Error: web\n    at web\n"));
}

TEST_F(LogsEventsTest, ShowsAnEventThatMatchesInAnyOfItsLines) {
  want_match("needle");
  line(web_, 0, "Error: needle");
  line(web_, 1, "    at a");
  line(web_, 2, "Error: b");
  line(web_, 3, "    at needle");
  line(web_, 4, "Error: c");
  line(web_, 5, "    at c");
  EXPECT_THAT(finished(), ElementsAre("Error: needle\n    at a", "Error: b\n    at needle"));
}

TEST_F(LogsEventsTest, ShowsAnEventWhoseLevelAnyLineHas) {
  want_level(Severity::kError);
  line(web_, 0, "ERROR broken");
  line(web_, 1, "    at a");
  line(web_, 2, "fine");
  line(web_, 3, "    [error] inside");
  line(web_, 4, "    at b");
  line(web_, 5, "fine too");
  line(web_, 6, R"({"level":50,"msg":"x"})");
  EXPECT_THAT(finished(),
              ElementsAre("ERROR broken\n    at a", "fine\n    [error] inside\n    at b",
                          R"({"level":50,"msg":"x"})"));
}

TEST_F(LogsEventsTest, TakesTheTimeOfTheFirstLine) {
  filter_.since_ns = (now_ms_ + 2) * kMs;
  filter_.until_ns = (now_ms_ + 4) * kMs;
  line(web_, 1, "Error: before");
  line(web_, 2, "    at before");
  line(web_, 3, "Error: within");
  line(web_, 5, "    at within");
  line(web_, 6, "behind");
  EXPECT_THAT(finished(), ElementsAre("Error: within\n    at within"));
  EXPECT_EQ(events().lines_filter().since_ns, (now_ms_ - 998) * kMs);
  EXPECT_EQ(events().lines_filter().until_ns, (now_ms_ + 1004) * kMs);
  EXPECT_FALSE(events().lines_filter().matches);
}

TEST_F(LogsEventsTest, CountsEventsFromTheEnd) {
  write_log({"a", "b", "Error: c", "    at c", "    at d", "e"});
  EXPECT_THAT(last(1), ElementsAre("e"));
  EXPECT_THAT(last(2), ElementsAre("Error: c\n    at c\n    at d", "e"));
  EXPECT_THAT(last(9), SizeIs(4));
  EXPECT_THAT(last(0), IsEmpty());
}

TEST_F(LogsEventsTest, CountsThoseThatMatch) {
  Lines lines{"Error: needle", "    at a"};
  for (int i = 0; i < 2000; ++i) lines.push_back("line " + std::to_string(i));
  write_log(lines);
  want_match("needle");
  EXPECT_THAT(last(1), ElementsAre("Error: needle\n    at a"));
}

// The stretch that is looked at first has 256 lines: here the rest of a trace comes first in it.
TEST_F(LogsEventsTest, NeverShowsTheRestOfATraceForAWholeOne) {
  Lines lines{"Error: long"};
  for (int i = 0; i < 300; ++i) lines.push_back("    at " + std::to_string(i));
  write_log(lines);
  const Lines shown = last(1);
  ASSERT_THAT(shown, SizeIs(1));
  EXPECT_TRUE(shown[0].starts_with("Error: long\n    at 0\n"));
}

// Whatever is printed when: every line once, and joined as it would be if it were read later.
TEST_F(LogsEventsTest, GivesTheSameEventsWheneverItIsAsked) {
  const Lines pool{"Error: x",
                   "    at f (a.js:1:2)",
                   "",
                   "plain",
                   R"({"level":50})",
                   "panic: x",
                   "goroutine 1 [running]:",
                   "Traceback (most recent call last):",
                   "ValueError: x",
                   "  File \"x.py\", line 1",
                   "Caused by: y",
                   "}",
                   "/app/x.js:1",
                   "    ^"};
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    events_.reset();
    printed_.clear();
    std::map<std::string, Lines> given;  // By log and stream.
    for (int i = 0; i < 2000; ++i) {
      const LogSource& source = random() % 2 == 0 ? web_ : api_;
      const std::uint64_t stream = 1 + random() % 2;
      const std::string name = (&source == &web_ ? "web" : "api") + std::to_string(stream);
      const auto ms = static_cast<int>(clock_.system_ns() / kMs - now_ms_);
      const std::string text = pool[random() % pool.size()];
      given[name].push_back(name + "\n" + std::to_string(ms) + "\n" + text);
      line(source, ms, text, stream);
      clock_.advance(std::chrono::milliseconds(random() % 8 == 0 ? random() % 90 : random() % 3));
      if (random() % 4 == 0) events().settle(clock_.system_ns());
    }
    const Lines live = finished();
    EXPECT_EQ(printed_lines(live), 2000U) << "round " << round;
    Lines later;
    for (const auto& [name, lines] : given) joined(lines, later);
    EXPECT_THAT(live, ::testing::UnorderedElementsAreArray(later)) << "round " << round;
  }
}

TEST_F(LogsEventsTest, StopsWhenNobodyReads) {
  stop_ = true;
  line(web_, -1000, "a");
  line(web_, -999, "b");
  EXPECT_FALSE(events().settle(clock_.system_ns()));
  EXPECT_FALSE(line(web_, -998, "c"));
  EXPECT_FALSE(events().finish());
  EXPECT_THAT(printed_, ElementsAre("a"));
}

}  // namespace
}  // namespace pmx::cli
