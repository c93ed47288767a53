#include "ship/log_source.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "support/fault_fs.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

using Lines = std::vector<std::string>;
constexpr auto kStamp = "2026-11-23T10-00-00Z";

class LogSourceTest : public ::testing::Test {
 protected:
  LogSource& source(const std::optional<LogCursor>& cursor = LogCursor(), bool multiline = true) {
    source_ = std::make_unique<LogSource>(
        fs_, dir_, LogSource::Options{.multiline = multiline},
        [this](const MultilineJoiner::Line& line) { given_.emplace_back(line.text); });
    source_->seek(cursor, LogSource::Begin::kOldest);
    return *source_;
  }
  void read_all() {
    while (source_->next_time()) source_->take();
  }
  LogCursor cursor() const {
    LogCursor cursor;
    cursor.at = source_->position();
    cursor.begin = source_->begin();
    return cursor;
  }
  Lines given() { return std::exchange(given_, {}); }

  test::TempDir home_;
  RealFs fs_;
  rotate::LogDir dir_{home_.path() + "/state", home_.path() + "/logs/web-out.log"};
  test::SegmentBuilder segment_{dir_, 1};
  std::uint16_t a_ = segment_.stream(10, WorkerId{0}, StreamKind::kOut);
  std::uint16_t b_ = segment_.stream(20, WorkerId{1}, StreamKind::kOut);
  std::unique_ptr<LogSource> source_;
  Lines given_;
};

TEST_F(LogSourceTest, GoesOnAtItsPosition) {
  segment_.data(a_, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
  segment_.write();
  source();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(source_->next_time());
    source_->take();
  }
  EXPECT_EQ(given(), (Lines{"{\"n\":1}", "{\"n\":2}"}));
  EXPECT_EQ(source_->position().next_seq, 3U);
  source(cursor());
  read_all();
  EXPECT_EQ(given(), (Lines{"{\"n\":3}"}));
}

TEST_F(LogSourceTest, LinesThatAreInTheFileBeforeItsIndexIsSeenAreGiven) {
  segment_.data(a_, "{\"n\":1}\n{\"n\":2}\n");
  segment_.write();
  const std::string index = dir_.index_path(1);
  std::filesystem::rename(index, index + ".away");
  source();
  read_all();
  EXPECT_EQ(given(), Lines());
  std::filesystem::rename(index + ".away", index);
  source_->directory_changed();
  read_all();
  EXPECT_EQ(given(), (Lines{"{\"n\":1}", "{\"n\":2}"}));
  EXPECT_EQ(source_->position().next_seq, 3U);
}

TEST_F(LogSourceTest, ThePositionWaitsForAnOpenStackTraceAndSkipsWhatOthersPrintedMeanwhile) {
  segment_.data(a_, "Error: no\n");
  segment_.data(b_, "{\"b\":1}\n{\"b\":2}\n");
  segment_.data(a_, "    at x (y.js:1)\n");
  segment_.write();
  source();
  read_all();
  EXPECT_EQ(given(), (Lines{"{\"b\":1}", "{\"b\":2}"}));
  const LogPosition at = source_->position();
  EXPECT_EQ(at.next_seq, 1U);
  EXPECT_EQ(at.ahead, (std::map<StreamId, std::uint64_t>{{StreamId{20}, 4}}));
  source(cursor());
  read_all();
  source_->flush_all();
  EXPECT_EQ(given(), (Lines{"Error: no\n    at x (y.js:1)"}));
  EXPECT_EQ(source_->position().next_seq, 5U);
  EXPECT_TRUE(source_->position().ahead.empty());
}

TEST_F(LogSourceTest, GivesLinesWithoutPmxsDateAndJson) {
  const auto dated = segment_.stream(30, WorkerId{0}, StreamKind::kOut, RenderSpec::Kind::kDate);
  const auto json = segment_.stream(40, WorkerId{0}, StreamKind::kOut, RenderSpec::Kind::kJson);
  segment_.data(dated, "2026-11-23T10:00:00: hello\n");
  segment_.data(json, "{\"message\":\"a \\\"b\\\"\\n\",\"type\":\"out\"}\n");
  segment_.write();
  source(LogCursor(), false);
  read_all();
  EXPECT_EQ(given(), (Lines{"hello", "a \"b\""}));
}

TEST_F(LogSourceTest, ALogThatIsNewToTheLaneBeginsWhereItsFirstLineIs) {
  segment_.data(a_, "{}\n");
  segment_.write();
  source(std::nullopt);
  read_all();
  EXPECT_EQ(source_->begin(), 1U);
  EXPECT_EQ(source_->position().next_seq, 2U);
  EXPECT_EQ(source_->take_tally(), Tally());
}

TEST_F(LogSourceTest, CountsWhatIsGone) {
  segment_.data(a_, "{\"n\":1}\n{\"n\":2}\n");
  const auto start = segment_.next();
  segment_.seal(kStamp);
  test::SegmentBuilder second(dir_, 2, start);
  second.data(second.stream(10, WorkerId{0}, StreamKind::kOut), "{\"n\":3}\n");
  second.write();
  std::filesystem::remove(segment_.sealed_path(kStamp));
  std::filesystem::remove(dir_.index_path(1));
  LogCursor behind;
  behind.at = {0, 2, {}, 1};
  behind.begin = 1;
  source(behind);
  read_all();
  EXPECT_EQ(given(), (Lines{"{\"n\":3}"}));
  EXPECT_EQ(source_->take_tally().dropped[static_cast<std::size_t>(Drop::kRetention)], 1U);
  source(behind).expect_flush(2);
  read_all();
  EXPECT_EQ(source_->take_tally().dropped[static_cast<std::size_t>(Drop::kFlushed)], 1U);
}

TEST_F(LogSourceTest, TheSegmentOfAPositionIsTheOneThatHoldsItsLine) {
  segment_.data(a_, "{\"n\":1}\n");
  const auto start = segment_.next();
  segment_.seal(kStamp);
  test::SegmentBuilder second(dir_, 2, start);
  second.data(second.stream(10, WorkerId{0}, StreamKind::kOut), "open\n");
  second.write();
  source();
  read_all();
  EXPECT_EQ(source_->position().segment, 2U);
  EXPECT_EQ(source_->position().next_seq, 2U);  // "open" may go on.
}

TEST_F(LogSourceTest, HalfALineOfARunThatAPowerLossEndedDoesNotHoldThePosition) {
  segment_.data(a_, "{\"n\":1}\n");
  segment_.data(a_, "half", {.flags = rotate::flags::kPartial});
  auto start = segment_.next();
  start.epoch = 1;
  segment_.seal(kStamp);
  test::SegmentBuilder second(dir_, 2, start);
  second.data(second.stream(11, WorkerId{0}, StreamKind::kOut), "{\"n\":3}\n");
  second.write();
  source();
  read_all();
  EXPECT_EQ(given(), (Lines{"{\"n\":1}", "half", "{\"n\":3}"}));
  EXPECT_EQ(source_->position(), (LogPosition{1, 4, {}, 2}));
}

// Found behind the last record when keeper and daemon had both died: numbered, and in the file.
TEST_F(LogSourceTest, GivesLinesThatRecoveryFoundInTheFile) {
  segment_.data(a_, "{\"n\":1}\n");
  segment_.data(0xFFFF, "found\n", {.flags = rotate::flags::kRecovered});
  segment_.data(a_, "{\"n\":3}\n");
  segment_.write();
  source(LogCursor(), false);
  read_all();
  EXPECT_EQ(given(), (Lines{"{\"n\":1}", "found", "{\"n\":3}"}));
}

TEST_F(LogSourceTest, TextThatWasThereBeforeTheLogIsNeitherGivenNorCounted) {
  test::SegmentBuilder first(dir_, 1, {.head_flags = rotate::flags::kForeign});
  first.data(0xFFFF, "theirs\ntheirs\n", {.flags = rotate::flags::kRecovered});
  first.data(0xFFFF, "half", {.flags = rotate::flags::kRecovered | rotate::flags::kPartial});
  first.data(first.stream(10, WorkerId{0}, StreamKind::kOut), "ours\n");
  first.write();
  source(std::nullopt, false);
  read_all();
  EXPECT_EQ(given(), (Lines{"ours"}));
  EXPECT_EQ(source_->begin(), 4U);
  EXPECT_EQ(source_->position().next_seq, 5U);
}

TEST_F(LogSourceTest, CountsWhatIsGoneOnceAlthoughAnOpenStackTraceHoldsThePosition) {
  segment_.data(a_, "{\"n\":1}\n");
  segment_.data(a_, "Error: no\n");
  auto start = segment_.next();
  segment_.seal(kStamp);
  start.seq += 100;  // Of segment 2.
  test::SegmentBuilder third(dir_, 3, start);
  third.data(third.stream(20, WorkerId{1}, StreamKind::kOut), "{\"b\":1}\n");
  third.write();
  source(std::nullopt);
  read_all();
  EXPECT_EQ(source_->position().next_seq, 2U);
  EXPECT_EQ(source_->take_tally(), Tally());
  source(cursor());
  read_all();
  source_->flush_all();
  EXPECT_EQ(source_->position().next_seq, 104U);
  Tally gone;
  gone.drop(Drop::kRetention, 100);
  EXPECT_EQ(source_->take_tally(), gone);
  EXPECT_EQ(source_->take_tally(), Tally());
}

TEST_F(LogSourceTest, WhatRetentionRemovesAfterAFlushWasNotFlushed) {
  segment_.data(a_, "{\"n\":1}\n");
  auto start = segment_.next();
  segment_.seal(kStamp);
  source().expect_flush(1);
  read_all();
  start.seq += 10;  // Of segment 2.
  test::SegmentBuilder third(dir_, 3, start);
  third.data(third.stream(20, WorkerId{1}, StreamKind::kOut), "{\"b\":1}\n");
  third.write();
  source_->directory_changed();
  read_all();
  EXPECT_EQ(source_->take_tally().dropped[static_cast<std::size_t>(Drop::kRetention)], 10U);
}

TEST_F(LogSourceTest, SaysThatLinesMayComeWithoutABell) {
  segment_.data(a_, "{}\n");
  segment_.write();
  test::FaultFs fs;
  LogSource source(fs, dir_, {}, [this](const auto& line) { given_.emplace_back(line.text); });
  source.seek(std::nullopt, LogSource::Begin::kOldest);
  fs.fail(test::FaultFs::Call::kOpen, dir_.active_path(), EMFILE, 1);
  EXPECT_FALSE(source.next_time());
  EXPECT_TRUE(source.trouble());
  EXPECT_TRUE(source.next_time());
  EXPECT_FALSE(source.trouble());
}

}  // namespace
}  // namespace pmx::ship
