#include "rotate/segment_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/sys.h"
#include "base/time_text.h"
#include "support/fake_clock.h"
#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

// The rings' part: the whole raw text of each stream, for ever.
class RawText final : public RawBytes {
 public:
  std::string_view raw_bytes(StreamId stream, std::uint64_t from,
                             std::uint64_t size_bytes) override {
    return std::string_view(text[stream.value]).substr(from, size_bytes);
  }
  std::map<std::uint64_t, std::string> text;
};

class SegmentWriterTest : public ::testing::Test {
 protected:
  SegmentWriterTest() : intent_(*sys::memfd("intent", kIntentBytes)) { restart(); }

  // What a kill -9 leaves: files, intent page and rings. A new writer takes over.
  void restart(bool rings_live = true) {
    writer_.reset();
    if (!rings_live) intent_ = *sys::memfd("intent", kIntentBytes);
    auto page = IntentPage::map(intent_);
    writer_.emplace(SegmentWriter::World{fs_, fs_, clock_, raw_, redactors_},
                    LogDir(dir_.path() + "/state", active()), std::move(page).value(), merged_);
    if (rings_live)
      for (const StreamBinding& binding : bindings_) writer_->attach(binding);
  }
  std::string active() const { return dir_.path() + "/logs/web-out.log"; }

  void stream(std::uint64_t id, RenderSpec::Kind kind = RenderSpec::Kind::kRaw,
              const RedactRules& redact = {}) {
    bindings_.push_back({{id}, {7}, StreamKind::kOut, {kind, "", "web", redact}});
    writer_->attach(bindings_.back());
  }
  // The worker prints; the lines are appended as one batch.
  Result<void> print(std::uint64_t id, const std::string& text, bool at_end = false) {
    raw_.text[id] += text;
    return append_rest(id, at_end);
  }
  Result<void> append_rest(std::uint64_t id, bool at_end = false) {
    const std::string_view rest = std::string_view(raw_.text[id]).substr(writer_->tail({id}));
    if (rest.empty()) return {};
    LineBatch lines;
    lines.bytes = rest;
    lines.partial = rest.back() != '\n';
    lines.lines = static_cast<std::uint32_t>(std::count(rest.begin(), rest.end(), '\n') +
                                             (lines.partial ? 1 : 0));
    lines.continues = writer_->mid_line({id});
    lines.parsed = true;
    const StreamBatch batch{{id}, lines, at_end};
    return writer_->append(std::span(&batch, 1));
  }
  void settle() {
    const auto settled = writer_->settle();
    ASSERT_TRUE(settled) << settled.error().message();
  }
  std::string read(const std::string& path) { return RealFs().read_file(path).value_or("(none)"); }
  std::string sealed_text() {
    std::string all;
    for (const SealedSegment& sealed : writer_->take_sealed())
      all += read(writer_->dir().sealed_path(sealed.name));
    return all;
  }
  std::string index_bytes() { return read(writer_->dir().index_path(writer_->index().segment())); }

  test::TempDir dir_;
  test::FaultFs fs_;
  test::FakeClock clock_;
  RawText raw_;
  Fd intent_;
  bool merged_ = false;
  std::vector<StreamBinding> bindings_;
  redact::RedactorPool redactors_;
  std::optional<SegmentWriter> writer_;
};

TEST_F(SegmentWriterTest, WritesTheBytesOfTheWorkerAndDescribesThem) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\ntwo\n"));
  EXPECT_EQ(read(active()), "one\ntwo\n");
  EXPECT_EQ(writer_->tail({2}), 8U);
  EXPECT_EQ(writer_->index().next_seq(), 2U);
  const auto records = valid_records(index_bytes(), 1);
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records.back().record_type(), RecordType::kData);
  EXPECT_EQ(records.back().data_sum, data_sum("one\ntwo\n"));
}

// Its index is lost, and the directory that says which numbers are in use cannot be read just now.
TEST_F(SegmentWriterTest, UsesNoNumberTwiceWhereTheDirectoryCannotBeListed) {
  SealedName name;
  name.segment = 7;
  name.utc_stamp = "2026-11-23T10-00-00Z";
  ASSERT_TRUE(RealFs().make_directories(dir_.path() + "/logs"));
  ASSERT_TRUE(RealFs().replace_file(writer_->dir().sealed_path(name), "old\n"));
  fs_.fail(test::FaultFs::Call::kList, dir_.path() + "/logs", EIO);
  EXPECT_FALSE(writer_->settle());
  fs_.heal();
  settle();
  EXPECT_EQ(writer_->index().segment(), 8U);
}

TEST_F(SegmentWriterTest, GoesOnWhereADeadWriterStopped) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  restart();
  settle();
  ASSERT_TRUE(print(2, "two\n"));
  EXPECT_EQ(read(active()), "one\ntwo\n");
  EXPECT_EQ(writer_->index().next_seq(), 2U);
}

// The heart of the protocol: whatever part of the batch is in the file, exactly the rest is
// appended.
TEST_F(SegmentWriterTest, FinishesABatchThatWasCutAtAnyByte) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "before\n"));
  const std::string batch = "alpha\nbeta\ngamma\n";
  const std::string index_before = index_bytes();
  ASSERT_TRUE(print(2, batch));  // Its intent stays in the page.
  const std::string index_path = writer_->dir().index_path(1);
  for (std::size_t cut = 0; cut <= batch.size(); ++cut) {
    ASSERT_TRUE(RealFs().replace_file(index_path, index_before));
    ASSERT_TRUE((*RealFs().open(active(), OpenMode::kReadWrite, 0600))->truncate(7 + cut));
    restart();
    settle();
    EXPECT_EQ(read(active()), "before\n" + batch) << "cut at byte " << cut;
    EXPECT_EQ(writer_->tail({2}), raw_.text[2].size());
    EXPECT_EQ(writer_->index().next_seq(), 4U);
  }
}

TEST_F(SegmentWriterTest, ReopensAnIndexThatWasCutAtAnyByteAsAPrefix) {
  stream(2);
  settle();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(print(2, "line " + std::to_string(i) + "\n"));
  const std::string whole = index_bytes();
  const std::string path = writer_->dir().index_path(1);
  const auto all = valid_records(whole, 1);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    const auto some = valid_records(std::string_view(whole).substr(0, cut), 1);
    ASSERT_EQ(some.size(), cut / kRecordBytes) << "cut at byte " << cut;
    ASSERT_TRUE(std::equal(some.begin(), some.end(), all.begin(),
                           [](const Record& a, const Record& b) { return a.crc == b.crc; }));
  }
}

TEST_F(SegmentWriterTest, LeavesForeignBytesAloneAndWritesTheBatchBehindThem) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  const std::string index_before = index_bytes();
  ASSERT_TRUE(print(2, "two\n"));
  ASSERT_TRUE(RealFs().replace_file(writer_->dir().index_path(1), index_before));
  auto file = RealFs().open(active(), OpenMode::kReadWrite, 0600);
  ASSERT_TRUE((*file)->truncate(4));
  ASSERT_TRUE((*file)->pwrite_all("somebody's\n", 4));
  restart();
  settle();
  EXPECT_EQ(read(active()), "one\nsomebody's\ntwo\n");
}

TEST_F(SegmentWriterTest, KeepsTheBatchWhenTheDiskIsFullAndFinishesItLater) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  fs_.full_after(5, active());
  EXPECT_EQ(print(2, "two and more\n").error().code(), Errc::kNoSpace);
  EXPECT_EQ(writer_->tail({2}), 4U);
  EXPECT_FALSE(writer_->settle());
  fs_.heal();
  settle();
  EXPECT_EQ(read(active()), "one\ntwo and more\n");
  EXPECT_EQ(writer_->tail({2}), 17U);
}

TEST_F(SegmentWriterTest, FinishesABatchOfAFullDiskAfterADeath) {
  stream(2);
  settle();
  fs_.full_after(5, active());
  EXPECT_FALSE(print(2, "two and more\n"));
  fs_.heal();
  restart();
  settle();
  EXPECT_EQ(read(active()), "two and more\n");
}

TEST_F(SegmentWriterTest, SealsUnderANameThatSortsByAgeAndGoesOnInANewFile) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  ASSERT_TRUE(writer_->seal());
  ASSERT_TRUE(print(2, "two\n"));
  const auto sealed = writer_->take_sealed();
  ASSERT_EQ(sealed.size(), 1U);
  EXPECT_EQ(read(writer_->dir().sealed_path(sealed[0].name)), "one\n");
  EXPECT_EQ(read(active()), "two\n");
  EXPECT_EQ(writer_->index().segment(), 2U);
  EXPECT_EQ(writer_->index().base(), 4U);
  EXPECT_EQ(writer_->index().next_seq(), 2U);
}

TEST_F(SegmentWriterTest, TakesANumberWhenSomebodyHasTheSealedName) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  const SealedName name{1, utc_file_stamp(writer_->index().last_time_ns()), 0, Compression::kNone};
  ASSERT_TRUE(RealFs().replace_file(writer_->dir().sealed_path(name), "mine\n"));
  ASSERT_TRUE(writer_->seal());
  const auto sealed = writer_->take_sealed();
  EXPECT_EQ(read(writer_->dir().sealed_path(name)), "mine\n");
  EXPECT_EQ(read(writer_->dir().sealed_path(sealed[0].name)), "one\n");
}

TEST_F(SegmentWriterTest, FinishesARotationThatStoppedAtAnyOfItsFailures) {
  stream(2);
  settle();
  const std::array<std::pair<test::FaultFs::Call, const char*>, 4> failures{
      {{test::FaultFs::Call::kOpen, ".idx.tmp"},
       {test::FaultFs::Call::kRename, ".idx.tmp"},
       {test::FaultFs::Call::kRename, "web-out__"},
       {test::FaultFs::Call::kOpen, "web-out.log"}}};
  for (const auto& [call, path] : failures) {
    ASSERT_TRUE(print(2, std::string("line for ") + path + "\n"));
    fs_.fail(call, path, EIO);
    EXPECT_FALSE(writer_->seal()) << path;
    fs_.heal();
    settle();
    ASSERT_TRUE(print(2, "after\n"));
    EXPECT_EQ(read(active()), "after\n") << path;
    ASSERT_TRUE(writer_->seal());
  }
}

TEST_F(SegmentWriterTest, NoticesATruncatedFileBeforeTheNextBatch) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\ntwo\n"));
  ASSERT_TRUE((*RealFs().open(active(), OpenMode::kReadWrite, 0600))->truncate(0));
  ASSERT_TRUE(print(2, "three\n"));
  EXPECT_EQ(read(active()), "three\n");
  EXPECT_EQ(writer_->index().segment(), 2U);
  EXPECT_THAT(writer_->take_notices(), ::testing::Contains(::testing::HasSubstr("truncated")));
}

TEST_F(SegmentWriterTest, BeginsANewFileWhenTheOldOneWasMovedAway) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  ASSERT_TRUE(RealFs().rename(active(), active() + ".moved"));
  ASSERT_TRUE(print(2, "two\n"));
  EXPECT_EQ(read(active() + ".moved"), "one\n");
  EXPECT_EQ(read(active()), "two\n");
}

TEST_F(SegmentWriterTest, MergesStreamsByWholeLinesAndEndsALineThatHasNone) {
  merged_ = true;
  restart();
  stream(2);
  stream(4);
  settle();
  ASSERT_TRUE(print(2, "from two, no end"));
  ASSERT_TRUE(print(4, "from four\n"));
  ASSERT_TRUE(print(2, " yet\n"));
  EXPECT_EQ(read(active()), "from two, no end\nfrom four\n yet\n");
}

TEST_F(SegmentWriterTest, CarriesAnEndedStreamAlongUntilItIsForgotten) {
  stream(2);
  stream(4);
  settle();
  ASSERT_TRUE(print(2, "last words", true));
  ASSERT_TRUE(writer_->end_stream({2}));
  ASSERT_TRUE(writer_->seal());
  restart();  // The keeper still holds the ring: its bytes must not be taken for new ones.
  settle();
  EXPECT_TRUE(writer_->ended({2}));
  EXPECT_EQ(writer_->tail({2}), 10U);
  writer_->forget({2});
  ASSERT_TRUE(print(4, "x\n"));
  ASSERT_TRUE(writer_->seal());
  EXPECT_FALSE(writer_->index().local({2}).has_value());
}

// No record names the stream yet, so only the unused intent page tells that something was lost.
TEST_F(SegmentWriterTest, CutsTheHalfLineOfAStreamWhoseFirstRecordWasLostWithItsRing) {
  stream(2);
  settle();
  fs_.full_after(11, "web-out.log");
  EXPECT_FALSE(print(2, "one\ntwo\nthree\n"));
  fs_.heal();
  bindings_.clear();
  restart(false);
  stream(4);
  settle();
  ASSERT_TRUE(print(4, "new\n"));
  EXPECT_EQ(sealed_text(), "one\ntwo\n");
  EXPECT_EQ(read(active()), "new\n");
}

TEST_F(SegmentWriterTest, RecoversWithoutRingsAlsoWhereTheFirstTryFails) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "zero\n"));
  fs_.full_after(11, "web-out.log");
  EXPECT_FALSE(print(2, "one\ntwo\nthree\n"));
  fs_.heal();
  bindings_.clear();
  restart(false);
  fs_.fail(test::FaultFs::Call::kWrite, ".idx", ENOSPC, 1);  // The record of what was found.
  EXPECT_FALSE(writer_->settle());
  settle();
  EXPECT_EQ(sealed_text(), "zero\none\ntwo\n");
}

TEST_F(SegmentWriterTest, ClosesTheLastWordsOfARenderedStreamOnce) {
  stream(2, RenderSpec::Kind::kJson);
  settle();
  ASSERT_TRUE(print(2, "first\nlast words", true));
  const std::string text = read(active());
  ASSERT_THAT(text, ::testing::EndsWith("}\n"));
  ASSERT_TRUE(writer_->end_stream({2}));
  EXPECT_EQ(read(active()), text);
}

TEST_F(SegmentWriterTest, ClosesALineInPiecesWhenItsStreamEndsBehindOne) {
  stream(2, RenderSpec::Kind::kJson);
  settle();
  ASSERT_TRUE(print(2, "a piece"));
  ASSERT_TRUE(writer_->end_stream({2}));
  EXPECT_THAT(read(active()), ::testing::EndsWith("}\n"));
}

TEST_F(SegmentWriterTest, CutsTheHalfLineAndBeginsANewEpochWhenTheRingsAreLost) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  const std::string index_before = index_bytes();
  ASSERT_TRUE(print(2, "two\nthree\n"));
  ASSERT_TRUE(RealFs().replace_file(writer_->dir().index_path(1), index_before));
  ASSERT_TRUE(
      (*RealFs().open(active(), OpenMode::kReadWrite, 0600))->truncate(10));  // "one\ntwo\nth"
  const auto epoch = writer_->index().epoch();
  restart(false);
  stream(6);
  settle();
  ASSERT_TRUE(print(6, "new run\n"));
  EXPECT_EQ(read(active()), "new run\n");
  const auto sealed = writer_->take_sealed();
  ASSERT_EQ(sealed.size(), 1U);
  EXPECT_EQ(read(writer_->dir().sealed_path(sealed[0].name)), "one\ntwo\n");
  EXPECT_GT(writer_->index().epoch(), epoch);
  EXPECT_EQ(writer_->index().next_seq(), 3U);
}

TEST_F(SegmentWriterTest, GoesOnAboveTheSealedFilesWhenTheIndexIsGone) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  ASSERT_TRUE(writer_->seal());
  ASSERT_TRUE(print(2, "two\n"));
  const std::string directory = writer_->dir().index_directory();
  for (const std::string& name : *RealFs().list(directory))
    ASSERT_TRUE(RealFs().remove(directory + "/" + name));
  restart(false);
  stream(6);
  settle();
  EXPECT_GE(writer_->index().segment(), 2U);
  ASSERT_TRUE(print(6, "three\n"));
  EXPECT_EQ(read(active()), "two\nthree\n");
  EXPECT_EQ(writer_->index().next_seq(), 2U);  // "two" was found in the file and indexed again.
}

TEST_F(SegmentWriterTest, TimesNeverGoBackExceptWhenTheClockWasFarAhead) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  const auto first = writer_->index().last_time_ns();
  clock_.step_wall(-std::chrono::seconds(1));
  ASSERT_TRUE(print(2, "two\n"));
  EXPECT_EQ(writer_->index().last_time_ns(), first + 1);
  clock_.step_wall(-std::chrono::hours(1));
  ASSERT_TRUE(print(2, "three\n"));
  EXPECT_LT(writer_->index().last_time_ns(), first);
}

TEST_F(SegmentWriterTest, SaysInTheLogHowManyLinesWereDropped) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  ASSERT_TRUE(writer_->note_dropped({2}, 4, 41, 4100));
  ASSERT_TRUE(writer_->record_dropped());
  ASSERT_TRUE(print(2, "two\n"));
  EXPECT_THAT(read(active()),
              ::testing::MatchesRegex("one\n\\[pmx\\] 41 lines were dropped.*\ntwo\n"));
  EXPECT_EQ(writer_->index().next_seq(), 43U);
  EXPECT_EQ(writer_->index().dropped_lines(), 41U);
  EXPECT_FALSE(writer_->has_dropped());
}

TEST_F(SegmentWriterTest, CountsDroppedLinesOnceOverADeath) {
  stream(2);
  settle();
  ASSERT_TRUE(print(2, "one\n"));
  ASSERT_TRUE(writer_->note_dropped({2}, 4, 41, 4100));
  restart();
  settle();
  EXPECT_TRUE(writer_->has_dropped());
  ASSERT_TRUE(writer_->record_dropped());
  restart();
  settle();
  EXPECT_FALSE(writer_->has_dropped());
  EXPECT_EQ(writer_->index().dropped_lines(), 41U);
}

TEST_F(SegmentWriterTest, EndsALineWhoseRestWasDropped) {
  stream(2);
  settle();
  raw_.text[2] = "half a li";
  ASSERT_TRUE(writer_->note_dropped({2}, 9, 3, 300));
  ASSERT_EQ(writer_->torn_at({2}), 9U);
  StreamBatch torn{{2}, {}, false, true};
  torn.lines.bytes = raw_.text[2];
  torn.lines.lines = 1;
  torn.lines.partial = true;
  ASSERT_TRUE(writer_->append(std::span(&torn, 1)));
  ASSERT_TRUE(print(2, "next\n"));
  EXPECT_EQ(read(active()), "half a li\nnext\n");
  EXPECT_FALSE(writer_->torn_at({2}).has_value());
}

// The rules come with the stream, so the next daemon makes the same bytes of what is in the ring.
TEST_F(SegmentWriterTest, FinishesARedactedBatchThatWasCutAtAnyByte) {
  stream(2, RenderSpec::Kind::kRaw, {true, {"pin \\d+"}, {}});
  settle();
  ASSERT_TRUE(print(2, "before\n"));
  const std::string index_before = index_bytes();
  ASSERT_TRUE(print(2, "a pin 1234\n{\"token\":\"s3cr3t\"}\nno secret\n"));
  const std::string batch = "a [redacted]\n{\"token\":\"[redacted]\"}\nno secret\n";
  const std::string index_path = writer_->dir().index_path(1);
  for (std::size_t cut = 0; cut <= batch.size(); ++cut) {
    ASSERT_TRUE(RealFs().replace_file(index_path, index_before));
    ASSERT_TRUE((*RealFs().open(active(), OpenMode::kReadWrite, 0600))->truncate(7 + cut));
    restart();
    settle();
    EXPECT_EQ(read(active()), "before\n" + batch) << "cut at byte " << cut;
    EXPECT_EQ(writer_->tail({2}), raw_.text[2].size());
  }
}

TEST_F(SegmentWriterTest, EndsARedactedLineWhoseRestWasDropped) {
  stream(2, RenderSpec::Kind::kRaw, {false, {"pin \\d+"}, {}});
  settle();
  raw_.text[2] = "my pin 12";
  StreamBatch torn{{2}, {}, false, true};
  torn.lines.bytes = raw_.text[2];
  torn.lines.lines = 1;
  torn.lines.partial = true;
  ASSERT_TRUE(writer_->append(std::span(&torn, 1)));
  EXPECT_EQ(read(active()), "my [redacted]\n");
  EXPECT_EQ(writer_->redactions(), 1U);
}

TEST_F(SegmentWriterTest, WritesNothingOfALineWhoseRulesCannotBeCompiled) {
  stream(2, RenderSpec::Kind::kRaw, {false, {"("}, {}});
  settle();
  ASSERT_TRUE(print(2, "one\n\ntwo\n"));
  EXPECT_EQ(read(active()), "[redacted]\n\n[redacted]\n");
  EXPECT_EQ(writer_->index().next_seq(), 3U);
  EXPECT_THAT(writer_->take_notices(),
              testing::ElementsAre(testing::HasSubstr("every line is written as [redacted]")));
}

}  // namespace
}  // namespace pmx::rotate
