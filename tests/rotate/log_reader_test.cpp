#include "rotate/log_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "rotate/archive.h"
#include "support/fault_fs.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

using test::SegmentBuilder;
using test::write_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Lines = std::vector<std::string>;
constexpr auto kOut = StreamKind::kOut;
constexpr auto kErr = StreamKind::kErr;
constexpr auto kStamp = "2026-11-23T10-00-00Z";

class LogReaderTest : public ::testing::Test {
 protected:
  static Lines rest_of(LogReader& reader) {
    Lines lines;
    while (const auto line = reader.next()) lines.emplace_back(line->text);
    while (const auto line = reader.next_unfinished()) lines.emplace_back(line->text);
    return lines;
  }
  Lines all(LineFilter filter = {}) {
    LogReader reader(fs_, dir_, std::move(filter));
    Lines lines = rest_of(reader);
    warnings_ = reader.take_warnings();
    return lines;
  }
  Lines last(std::uint64_t n, LineFilter filter = {}) {
    LogReader reader(fs_, dir_, std::move(filter));
    reader.last_lines(n);
    return rest_of(reader);
  }
  // Segments 1 to n, the last one active: lines "1.0" "1.1" "1.2", "2.0" …, one a batch, times 1000 apart.
  void write_segments(int n) {
    SegmentBuilder::Start start;
    for (int s = 1; s <= n; ++s) {
      SegmentBuilder segment(dir_, static_cast<std::uint64_t>(s), start);
      const auto out = segment.stream(10, WorkerId{0}, kOut);
      for (int k = 0; k < 3; ++k)
        segment.data(out, std::to_string(s) + "." + std::to_string(k) + "\n",
                     {.time_ns = s * 10'000 + k * 1'000});
      start = segment.next();
      if (s < n)
        segment.seal(kStamp);
      else
        segment.write();
    }
  }

  void pack(std::uint64_t segment, Compression compression) {
    const std::string plain = dir_.sealed_path({segment, kStamp, 0, Compression::kNone});
    const auto index = fs_.read_file(dir_.index_path(segment));
    ASSERT_TRUE(index.has_value());
    PackOptions options;
    options.compression = compression;
    const auto packed = pack_segment(fs_, plain, valid_records(*index, segment),
                                     dir_.sealed_path({segment, kStamp, 0, compression}), options);
    ASSERT_TRUE(packed.has_value()) << packed.error().message();
    std::filesystem::remove(plain);
  }

  test::TempDir home_;
  RealFs fs_;
  LogDir dir_{home_ / "state", home_ / "logs/web-out.log"};
  Lines warnings_;
};

TEST_F(LogReaderTest, HasNoLinesWhereThereIsNoLog) { EXPECT_THAT(all(), IsEmpty()); }

TEST_F(LogReaderTest, GivesEachLineItsTimeSequenceAndWorker) {
  SegmentBuilder segment(dir_, 1, {.seq = 5, .time_ns = 100});
  segment.data(segment.stream(10, WorkerId{2}, kErr), "a\n\nb");
  segment.write();
  LogReader reader(fs_, dir_);
  auto line = reader.next();
  EXPECT_EQ(line->text, "a");
  EXPECT_EQ(line->seq, 5U);
  EXPECT_EQ(line->time_ns, 100);
  EXPECT_EQ(line->worker, WorkerId{2});
  EXPECT_EQ(line->kind, kErr);
  line = reader.next();
  EXPECT_EQ(line->text, "");
  EXPECT_EQ(line->seq, 6U);
  EXPECT_TRUE(line->has_newline);
  line = reader.next();
  EXPECT_EQ(line->text, "b");
  EXPECT_EQ(line->time_ns, 102);
  EXPECT_FALSE(line->has_newline);
}

TEST_F(LogReaderTest, GoesOverSegments) {
  write_segments(3);
  EXPECT_THAT(all(), ElementsAre("1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "3.0", "3.1", "3.2"));
}

TEST_F(LogReaderTest, GivesTheLastLinesOverSegments) {
  write_segments(3);
  EXPECT_THAT(last(2), ElementsAre("3.1", "3.2"));
  EXPECT_THAT(last(5), ElementsAre("2.1", "2.2", "3.0", "3.1", "3.2"));
  EXPECT_EQ(last(100).size(), 9U);
  EXPECT_THAT(last(0), IsEmpty());
}

TEST_F(LogReaderTest, GivesTheLastLinesFromTheMiddleOfABatch) {
  SegmentBuilder segment(dir_, 1);
  segment.data(segment.stream(10, WorkerId{0}, kOut), "a\nb\nc\nd\n");
  segment.write();
  EXPECT_THAT(last(3), ElementsAre("b", "c", "d"));
}

TEST_F(LogReaderTest, SeeksByTimeOverSegments) {
  write_segments(3);
  LogReader reader(fs_, dir_, {.since_ns = 21'000});
  reader.seek_time(21'000);
  EXPECT_THAT(rest_of(reader), ElementsAre("2.1", "2.2", "3.0", "3.1", "3.2"));
  LogReader nothing(fs_, dir_, {.since_ns = 99'000});
  nothing.seek_time(99'000);
  EXPECT_THAT(rest_of(nothing), IsEmpty());
}

TEST_F(LogReaderTest, SeeksBackUntilWhoeverCountsIsContent) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  for (int i = 0; i < 3000; ++i) segment.data(out, std::to_string(i) + "\n");
  segment.write();
  LogReader reader(fs_, dir_);
  Lines first_lines;
  std::vector<bool> whole;
  const auto until = [&](std::size_t looks) {
    first_lines.clear();
    whole.clear();
    reader.seek_back(3, [&](bool whole_log) {
      first_lines.emplace_back(reader.next()->text);
      whole.push_back(whole_log);
      return whole.size() == looks;
    });
    return std::string(reader.next()->text);
  };
  EXPECT_EQ(until(2), "1976");  // 256 lines, then 1024.
  EXPECT_THAT(first_lines, ElementsAre("2744", "1976"));
  EXPECT_EQ(until(9), "0");
  EXPECT_THAT(whole, ElementsAre(false, false, true));
}

TEST_F(LogReaderTest, GivesTheLastLinesOfASpanOfTime) {
  write_segments(3);
  EXPECT_THAT(last(2, {.until_ns = 21'000}), ElementsAre("2.0", "2.1"));
  EXPECT_THAT(last(9, {.since_ns = 22'000, .until_ns = 30'000}), ElementsAre("2.2", "3.0"));
}

TEST_F(LogReaderTest, GivesTheLastMatchingLinesHoweverFarBackTheyAre) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  for (int i = 0; i < 5000; ++i)
    segment.data(out, (i % 1000 == 0 ? "hit " : "miss ") + std::to_string(i) + "\n");
  segment.write();
  const LineFilter hits{.matches = [](std::string_view text) { return text.starts_with("hit"); }};
  EXPECT_THAT(last(2, hits), ElementsAre("hit 3000", "hit 4000"));
  EXPECT_EQ(last(50, hits).size(), 5U);
}

TEST_F(LogReaderTest, PassesOverBatchesWithoutTheLevelAndParsesTheRest) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  segment.data(out, "error that was not counted\n");
  segment.data(out, "info\nerror one\n", {.severities = {.error = 1}});
  segment.data(out, "info\nerror two\n", {.flags = flags::kUnparsed});
  segment.write();
  int parsed = 0;
  const LineFilter errors{.level = Severity::kError,
                          .severity_of = [&parsed](std::string_view text) {
                            ++parsed;
                            return text.starts_with("error") ? Severity::kError : Severity::kInfo;
                          }};
  EXPECT_THAT(all(errors), ElementsAre("error one", "error two"));
  EXPECT_EQ(parsed, 4);
}

TEST_F(LogReaderTest, JudgesTheLevelOfWhatTheWorkerWroteAndNotOfOurWrapping) {
  SegmentBuilder segment(dir_, 1);
  const SegmentBuilder::Batch unparsed{.flags = flags::kUnparsed};
  segment.data(segment.stream(10, WorkerId{0}, kOut, RenderSpec::Kind::kDate),
               "2026-11-23 10:00: bad\n", unparsed);
  segment.data(segment.stream(12, WorkerId{0}, kOut, RenderSpec::Kind::kJson),
               "{\"message\":\"bad\"}\n", unparsed);
  segment.write();
  const LineFilter errors{.level = Severity::kError, .severity_of = [](std::string_view text) {
                            return text == "bad" ? Severity::kError : Severity::kInfo;
                          }};
  EXPECT_EQ(all(errors).size(), 2U);
}

TEST_F(LogReaderTest, LeavesOutStreamsThatAreNotWanted) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  const auto err = segment.stream(11, WorkerId{0}, kErr);
  segment.data(out, "a\n");
  segment.data(err, "b\nc\n");
  segment.data(out, "d\n");
  segment.write();
  const LineFilter errors{.wants = [](WorkerId, StreamKind kind) { return kind == kErr; }};
  EXPECT_THAT(all(errors), ElementsAre("b", "c"));
  EXPECT_THAT(last(1, errors), ElementsAre("c"));
}

TEST_F(LogReaderTest, JoinsTheLinesOfInterleavedStreamsOverSegments) {
  SegmentBuilder first(dir_, 1);
  auto a = first.stream(10, WorkerId{0}, kOut);
  auto b = first.stream(20, WorkerId{1}, kOut);
  first.data(a, "one\nfrom \n", {.flags = flags::kPartial | flags::kCut});
  first.data(b, "two \n", {.flags = flags::kPartial | flags::kCut});
  first.seal(kStamp);
  SegmentBuilder second(dir_, 2, first.next());
  a = second.stream(10, WorkerId{0}, kOut);
  b = second.stream(20, WorkerId{1}, kOut);
  second.data(a, "a\nthree\n", {.flags = flags::kContinues});
  second.data(b, "from b\n", {.flags = flags::kContinues});
  second.write();
  EXPECT_THAT(all(), ElementsAre("one", "from a", "three", "two from b"));
}

TEST_F(LogReaderTest, JoinsThePiecesOfAnUnmergedLine) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  segment.data(out, "Name: ", {.flags = flags::kPartial});
  segment.data(out, "B", {.flags = flags::kPartial | flags::kContinues});
  segment.data(out, "ob\nnext\n", {.flags = flags::kContinues});
  segment.write();
  EXPECT_THAT(all(), ElementsAre("Name: Bob", "next"));
  EXPECT_THAT(last(2), ElementsAre("Name: Bob", "next"));
  EXPECT_THAT(last(1), ElementsAre("next"));
}

TEST_F(LogReaderTest, LeavesPiecesWithADateOfTheirOwnApart) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut, RenderSpec::Kind::kDate);
  segment.data(out, "10:00: long\n", {.flags = flags::kPartial | flags::kCut});
  segment.data(out, "10:01: er\n", {.flags = flags::kContinues});
  segment.write();
  EXPECT_THAT(all(), ElementsAre("10:00: long", "10:01: er"));
}

TEST_F(LogReaderTest, GivesTheLastWordsOfAStreamAtItsEnd) {
  SegmentBuilder segment(dir_, 1);
  auto out = segment.stream(10, WorkerId{0}, kOut);
  segment.data(out, "bye", {.flags = flags::kPartial});
  segment.end(out);
  out = segment.stream(12, WorkerId{0}, kOut);
  segment.data(out, "hello\n");
  segment.write();
  LogReader reader(fs_, dir_);
  const auto line = reader.next();
  EXPECT_EQ(line->text, "bye");
  EXPECT_FALSE(line->has_newline);
  EXPECT_EQ(reader.next()->text, "hello");
}

TEST_F(LogReaderTest, GivesALineOverTheBoundInPieces) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  const std::string piece(400'000, 'x');
  segment.data(out, piece, {.flags = flags::kPartial});
  for (int i = 0; i < 4; ++i)
    segment.data(out, piece, {.flags = flags::kPartial | flags::kContinues});
  segment.data(out, "end\n", {.flags = flags::kContinues});
  segment.write();
  const Lines lines = all();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0] + lines[1] + lines[2], piece + piece + piece + piece + piece + "end");
}

TEST_F(LogReaderTest, SaysWhereLinesWereDropped) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  segment.data(out, "a\n");
  segment.dropped(out, 1234, DropReason::kDiskFull);
  segment.write();
  LogReader reader(fs_, dir_);
  EXPECT_FALSE(reader.next()->dropped_notice);
  const auto notice = reader.next();
  EXPECT_TRUE(notice->dropped_notice);
  EXPECT_EQ(notice->text, "[pmx] 1234 lines dropped (disk full)");
}

TEST_F(LogReaderTest, GoesOnWhereItStopped) {
  SegmentBuilder first(dir_, 1);
  const auto out = first.stream(10, WorkerId{0}, kOut);
  LogReader reader(fs_, dir_);
  EXPECT_THAT(rest_of(reader), IsEmpty());
  first.data(out, "a\nb");
  first.write();
  reader.directory_changed();
  EXPECT_THAT(rest_of(reader), ElementsAre("a", "b"));
  first.data(out, "c\n");
  first.seal(kStamp);
  SegmentBuilder second(dir_, 2, first.next());
  second.data(second.stream(10, WorkerId{0}, kOut), "d\n");
  second.write();
  reader.release_memory();
  EXPECT_THAT(rest_of(reader), ElementsAre("c", "d"));
  EXPECT_THAT(reader.take_warnings(), IsEmpty());
}

TEST_F(LogReaderTest, HoldsAnUnfinishedLineUntilItsEndIsRecorded) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  segment.data(out, "a\nhal", {.flags = flags::kPartial});
  segment.write();
  LogReader reader(fs_, dir_);
  reader.last_lines(15);
  EXPECT_EQ(reader.next()->text, "a");
  EXPECT_FALSE(reader.next().has_value());
  segment.data(out, "f\n", {.flags = flags::kContinues});
  segment.write();
  EXPECT_EQ(reader.next()->text, "half");
}

TEST_F(LogReaderTest, SurvivesAFlushThatRemovesWhatItReads) {
  write_segments(3);
  LogReader reader(fs_, dir_);
  EXPECT_EQ(reader.next()->text, "1.0");
  for (const std::uint64_t n : {1, 2}) {
    std::filesystem::remove(dir_.sealed_path({n, kStamp, 0, Compression::kNone}));
    std::filesystem::remove(dir_.index_path(n));
  }
  reader.directory_changed();
  EXPECT_THAT(rest_of(reader), ElementsAre("1.1", "1.2", "3.0", "3.1", "3.2"));
  EXPECT_THAT(reader.take_warnings(), ElementsAre(HasSubstr("1 segments were removed")));
}

TEST_F(LogReaderTest, ReadsPackedSegmentsWithAndWithoutTheirIndexes) {
  write_segments(3);
  pack(1, Compression::kZstd);
  pack(2, Compression::kGzip);
  const Lines whole = all();
  EXPECT_EQ(whole.size(), 9U);
  EXPECT_THAT(last(5), ElementsAre("2.1", "2.2", "3.0", "3.1", "3.2"));
  std::filesystem::remove(dir_.index_path(1));
  std::filesystem::remove(dir_.index_path(2));
  EXPECT_EQ(all(), whole);
  LogReader reader(fs_, dir_, {.since_ns = 21'000});
  reader.seek_time(21'000);
  EXPECT_THAT(rest_of(reader), ElementsAre("2.1", "2.2", "3.0", "3.1", "3.2"));
}

TEST_F(LogReaderTest, GoesOnWhereTheSegmentIsPackedMeanwhile) {
  write_segments(3);
  LogReader reader(fs_, dir_);
  EXPECT_EQ(reader.next()->text, "1.0");
  pack(1, Compression::kZstd);
  pack(2, Compression::kZstd);
  EXPECT_EQ(rest_of(reader).size(), 8U);
  EXPECT_THAT(reader.take_warnings(), IsEmpty());
}

TEST_F(LogReaderTest, ReadsSealedFilesWhoseIndexesAreLost) {
  write_segments(3);
  std::filesystem::remove(dir_.index_path(1));
  std::filesystem::remove(dir_.index_path(2));
  EXPECT_EQ(all().size(), 9U);
  EXPECT_THAT(last(5), ElementsAre("2.1", "2.2", "3.0", "3.1", "3.2"));
}

TEST_F(LogReaderTest, ReadsFilesWhoseStateIsLostAndThenTheirNewIndex) {
  write_segments(2);
  std::filesystem::remove_all(dir_.index_directory());
  LogReader reader(fs_, dir_);
  EXPECT_EQ(rest_of(reader).size(), 6U);
  EXPECT_TRUE(reader.unindexed());
  SegmentBuilder again(dir_, 2);
  const auto out = again.stream(0, WorkerId{0}, kOut);
  again.data(out, "2.0\n2.1\n2.2\n", {.flags = flags::kRecovered});
  again.data(out, "new\n");
  again.write();
  reader.directory_changed();
  EXPECT_THAT(rest_of(reader), ElementsAre("new"));
}

TEST_F(LogReaderTest, ShowsWhatIsLeftOfADamagedLogAndSaysSo) {
  write_segments(3);
  write_bytes(dir_.sealed_path({2, kStamp, 0, Compression::kNone}), "2.0\n2.x\n2.2\n");
  EXPECT_THAT(all(), ElementsAre("1.0", "1.1", "1.2", "2.0", "3.0", "3.1", "3.2"));
  EXPECT_EQ(warnings_.size(), 1U);
}

TEST_F(LogReaderTest, ReadsAPrefixWhereIndexOrTextIsCutAnywhere) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  for (const char* text : {"a\nbb\n", "c\n", "dd\n"}) segment.data(out, text);
  segment.write();
  const Lines whole{"a", "bb", "c", "dd"};
  const auto is_prefix = [&](const Lines& lines) {
    return lines.size() <= whole.size() && std::equal(lines.begin(), lines.end(), whole.begin());
  };
  // From the HEAD on: an index without one is a lost index, and then the text is framed as it is.
  for (std::size_t cut = kRecordBytes; cut <= segment.index_bytes().size(); ++cut) {
    write_bytes(dir_.index_path(1), segment.index_bytes().substr(0, cut));
    EXPECT_TRUE(is_prefix(all())) << "index cut at byte " << cut;
    EXPECT_TRUE(is_prefix(last(10))) << "index cut at byte " << cut;
  }
  for (std::size_t cut = 0; cut <= segment.text().size(); ++cut) {
    write_bytes(dir_.active_path(), segment.text().substr(0, cut));
    EXPECT_TRUE(is_prefix(all())) << "text cut at byte " << cut;
  }
}

TEST_F(LogReaderTest, SeeksTheBatchThatHoldsASequenceNumber) {
  write_segments(3);  // Lines 1 to 9.
  for (std::uint64_t seq = 1; seq <= 10; ++seq) {
    LogReader reader(fs_, dir_);
    reader.seek_seq(0, seq);
    const auto line = reader.next();
    ASSERT_EQ(line.has_value(), seq < 10) << seq;
    if (line) {
      EXPECT_EQ(line->seq, seq);
    }
  }
}

TEST_F(LogReaderTest, SeeksTheOldestLineWhereTheSequenceNumberIsGone) {
  write_segments(3);
  std::filesystem::remove(dir_.index_path(1));
  std::filesystem::remove(dir_.sealed_path({1, kStamp, 0, Compression::kNone}));
  LogReader reader(fs_, dir_);
  reader.seek_seq(0, 2);
  const auto line = reader.next();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->seq, 4U);
  EXPECT_EQ(line->segment, 2U);
}

TEST_F(LogReaderTest, CountsTheSequenceNumbersOfALineInPieces) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  segment.data(out, "long ", {.flags = flags::kPartial});
  segment.data(out, "line\nnext\n", {.flags = flags::kContinues});
  segment.write();
  LogReader reader(fs_, dir_);
  const auto line = reader.next();
  ASSERT_TRUE(line);
  EXPECT_EQ(line->seq, 1U);
  EXPECT_EQ(line->lines, 2U);
  EXPECT_EQ(line->stream, StreamId{10});
  const auto next = reader.next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->seq, 3U);
}

// The machine lost power, or the keeper died: the stream has no END, and never will.
TEST_F(LogReaderTest, GivesHalfALineThatNothingContinuesBeforeTheNextEpoch) {
  SegmentBuilder first(dir_, 1);
  first.data(first.stream(10, WorkerId{0}, kOut), "half", {.flags = flags::kPartial});
  first.seal(kStamp);
  auto start = first.next();
  start.epoch = 7;
  SegmentBuilder second(dir_, 2, start);
  second.data(second.stream(12, WorkerId{0}, kOut), "b\n");
  second.write();
  LogReader reader(fs_, dir_);
  const auto half = reader.next();
  ASSERT_TRUE(half);
  EXPECT_EQ(half->text, "half");
  EXPECT_FALSE(half->has_newline);
  EXPECT_EQ(reader.next()->text, "b");
  EXPECT_FALSE(reader.has_unfinished());
}

TEST_F(LogReaderTest, BeginsInsideALineOverTheBound) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, kOut);
  segment.data(out, std::string(800'000, 'a'), {.flags = flags::kPartial});
  segment.data(out, std::string(800'000, 'b'), {.flags = flags::kPartial | flags::kContinues});
  segment.data(out, "end\n", {.flags = flags::kContinues});
  segment.write();
  LogReader reader(fs_, dir_);
  reader.seek_seq(0, 2);
  const auto rest = reader.next();
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->text, std::string(800'000, 'b') + "end");
}

TEST_F(LogReaderTest, SaysHowALineCameIntoTheLog) {
  constexpr std::uint8_t kFoundFlags = flags::kRecovered | flags::kUnparsed;
  SegmentBuilder segment(dir_, 1, {.head_flags = flags::kForeign});
  segment.data(0xFFFF, "foreign\n", {.flags = kFoundFlags});
  segment.data(segment.stream(10, WorkerId{0}, kOut), "captured\n");
  segment.data(0xFFFF, "recovered\n", {.flags = kFoundFlags});
  segment.write();
  LogReader reader(fs_, dir_);
  EXPECT_EQ(reader.next()->found, Found::kForeign);
  EXPECT_EQ(reader.next()->found, Found::kCaptured);
  EXPECT_EQ(reader.next()->found, Found::kRecovered);
  std::filesystem::remove_all(dir_.index_directory());
  LogReader unindexed(fs_, dir_);
  EXPECT_EQ(unindexed.next()->found, Found::kUnindexed);
}

TEST_F(LogReaderTest, SaysThatAnErrorMayPassAndGoesOnWhereItWas) {
  write_segments(3);
  for (const std::string& path : {dir_.index_path(2), dir_.index_path(3), dir_.active_path()}) {
    test::FaultFs fs;
    LogReader reader(fs, dir_);
    fs.fail(test::FaultFs::Call::kOpen, path, EMFILE);
    reader.seek_seq(0, 5);
    Lines lines = rest_of(reader);
    EXPECT_TRUE(reader.trouble()) << path;
    EXPECT_THAT(rest_of(reader), IsEmpty()) << path;
    EXPECT_EQ(reader.take_warnings().size(), 1U) << path;
    fs.heal();
    for (const std::string& line : rest_of(reader)) lines.push_back(line);
    EXPECT_THAT(lines, ElementsAre("2.1", "2.2", "3.0", "3.1", "3.2")) << path;
    EXPECT_FALSE(reader.trouble()) << path;
  }
}

}  // namespace
}  // namespace pmx::rotate
