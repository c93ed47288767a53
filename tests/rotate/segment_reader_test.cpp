#include "rotate/segment_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

using test::SegmentBuilder;
using test::write_bytes;
using ::testing::HasSubstr;

constexpr auto kStamp = "2026-11-23T10-00-00Z";

class SegmentReaderTest : public ::testing::Test {
 protected:
  // The text of all DATA records, up to the first that cannot be read.
  std::string text_of(SegmentReader& reader) {
    std::string all;
    warning_.clear();
    for (std::uint64_t i = 0; i < reader.records(); ++i) {
      const auto record = reader.record(i);
      if (!record || record->record_type() != RecordType::kData) continue;
      const auto text = reader.text(*record);
      if (!text) {
        warning_ = text.error().message();
        break;
      }
      all += *text;
    }
    return all;
  }
  std::string text_of_segment(std::uint64_t segment) {
    auto reader = SegmentReader::open(fs_, dir_, segment);
    if (reader) return text_of(**reader);
    warning_ = reader.error().message();
    return {};
  }
  std::unique_ptr<SegmentReader> open(std::uint64_t segment) {
    auto reader = SegmentReader::open(fs_, dir_, segment);
    EXPECT_TRUE(reader.has_value()) << reader.error().message();
    return std::move(*reader);
  }

  test::TempDir home_;
  RealFs fs_;
  LogDir dir_{home_ / "state", home_ / "logs/web-out.log"};
  std::string warning_;
};

TEST_F(SegmentReaderTest, ReadsTheActiveFile) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{3}, StreamKind::kErr);
  segment.data(out, "a\nb\n");
  segment.data(out, "c\n");
  segment.write();
  auto reader = open(1);
  EXPECT_EQ(text_of(*reader), "a\nb\nc\n");
  EXPECT_FALSE(reader->sealed());
  const auto source = reader->source_of(*reader->record(4), 4);
  EXPECT_EQ(source.worker, WorkerId{3});
  EXPECT_EQ(source.kind, StreamKind::kErr);
  EXPECT_EQ(source.stream, StreamId{10});
}

TEST_F(SegmentReaderTest, ReadsTheSealedFileWhereAnotherOneIsActive) {
  SegmentBuilder first(dir_, 1);
  first.data(first.stream(10, WorkerId{0}, StreamKind::kOut), "old\n");
  first.seal(kStamp);
  SegmentBuilder second(dir_, 2, first.next());
  second.data(second.stream(10, WorkerId{0}, StreamKind::kOut), "new\n");
  second.write();
  EXPECT_EQ(text_of_segment(1), "old\n");
  EXPECT_EQ(text_of_segment(2), "new\n");
}

TEST_F(SegmentReaderTest, FindsTheTextBetweenSealAndRename) {
  SegmentBuilder segment(dir_, 1);
  segment.data(segment.stream(10, WorkerId{0}, StreamKind::kOut), "a\n");
  segment.add_seal();
  segment.write();
  EXPECT_EQ(text_of_segment(1), "a\n");
}

TEST_F(SegmentReaderTest, FindsTheTextThatWasSealedAfterTheIndexWasRead) {
  SegmentBuilder segment(dir_, 1);
  segment.data(segment.stream(10, WorkerId{0}, StreamKind::kOut), "a\n");
  segment.write();
  auto reader = open(1);
  segment.name(2);
  segment.seal(kStamp);
  write_bytes(
      segment.sealed_path(kStamp).replace(segment.sealed_path(kStamp).find("-2.log"), 6, ".log"),
      "not ours\n");
  EXPECT_EQ(text_of(*reader), "a\n");
}

TEST_F(SegmentReaderTest, GoesOnReadingAFileThatWasRemoved) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  segment.data(out, std::string(100'000, 'a') + "\n");
  segment.data(out, "b\n");
  segment.write();
  auto reader = open(1);
  EXPECT_TRUE(reader->text(*reader->record(4)).has_value());
  std::filesystem::remove(dir_.active_path());
  EXPECT_EQ(reader->text(*reader->record(5)).value_or(""), "b\n");
}

TEST_F(SegmentReaderTest, SeesRecordsThatComeLater) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  segment.data(out, "a\n");
  segment.write();
  auto reader = open(1);
  EXPECT_EQ(text_of(*reader), "a\n");
  EXPECT_FALSE(reader->refresh().value_or(true));
  segment.data(out, "b\n");
  segment.write();
  EXPECT_TRUE(reader->refresh().value_or(false));
  reader->release_memory();
  EXPECT_EQ(text_of(*reader), "a\nb\n");
}

TEST_F(SegmentReaderTest, WalksMoreRecordsThanItHoldsInBothDirections) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  for (int i = 0; i < 5000; ++i) segment.data(out, std::to_string(i) + "\n");
  segment.write();
  auto reader = open(1);
  ASSERT_EQ(reader->records(), segment.records().size());
  for (std::uint64_t i = reader->records(); i-- > 0;)
    ASSERT_EQ(reader->record(i)->seq, segment.records()[i].seq) << i;
  EXPECT_EQ(text_of(*reader), segment.text());
}

TEST_F(SegmentReaderTest, FindsTheFirstRecordOfATime) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  for (int i = 0; i < 3000; ++i) segment.data(out, "x\ny\n", {.time_ns = 1'000 * (i + 1)});
  segment.write();
  auto reader = open(1);
  EXPECT_EQ(reader->first_record_at(0).value_or(0), 4U);
  EXPECT_EQ(reader->first_record_at(2'000'000).value_or(0), 4U + 1999);
  EXPECT_EQ(reader->first_record_at(2'000'001).value_or(0), 4U + 1999);  // Its second line.
  EXPECT_EQ(reader->first_record_at(2'000'002).value_or(0), 4U + 2000);
  EXPECT_EQ(reader->first_record_at(9'000'000).value_or(0), reader->records());
}

TEST_F(SegmentReaderTest, ReadsAPrefixOfAnIndexCutAnywhere) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  for (const char* text : {"a\n", "bb\ncc\n", "d\n"}) segment.data(out, text);
  segment.write();
  const std::string index = segment.index_bytes();
  for (std::size_t cut = 1; cut <= index.size(); ++cut) {
    write_bytes(dir_.index_path(1), std::string_view(index).substr(0, cut));
    EXPECT_TRUE(segment.text().starts_with(text_of_segment(1))) << "cut at byte " << cut;
  }
  EXPECT_EQ(text_of_segment(1), segment.text());
}

TEST_F(SegmentReaderTest, ReadsAPrefixOfAnIndexWithAnyByteChanged) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  for (const char* text : {"a\n", "bb\ncc\n", "d\n"}) segment.data(out, text);
  segment.write();
  for (std::size_t at = 0; at < segment.index_bytes().size(); ++at) {
    std::string index = segment.index_bytes();
    index[at] = static_cast<char>(index[at] ^ 4);
    write_bytes(dir_.index_path(1), index);
    EXPECT_TRUE(segment.text().starts_with(text_of_segment(1))) << "byte " << at;
    auto reader = SegmentReader::open(fs_, dir_, 1);
    EXPECT_TRUE(!reader || !(*reader)->damage().empty()) << "byte " << at;
  }
}

TEST_F(SegmentReaderTest, ReadsAPrefixOfTextCutAnywhere) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  for (const char* text : {"a\n", "bb\ncc\n", "d\n"}) segment.data(out, text);
  segment.write();
  for (std::size_t cut = 0; cut < segment.text().size(); ++cut) {
    write_bytes(dir_.active_path(), std::string_view(segment.text()).substr(0, cut));
    const std::string read = text_of_segment(1);
    EXPECT_TRUE(segment.text().starts_with(read) && read.size() <= cut) << "cut at byte " << cut;
    EXPECT_THAT(warning_, HasSubstr("was cut at byte " + std::to_string(cut)));
  }
}

TEST_F(SegmentReaderTest, RefusesBytesThatAreNotTheOnesThatWereWritten) {
  SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(10, WorkerId{0}, StreamKind::kOut);
  segment.data(out, "good\n");
  segment.data(out, "this one\n");
  segment.write();
  write_bytes(dir_.active_path(), "good\nother 1\n\n");
  EXPECT_EQ(text_of_segment(1), "good\n");
  EXPECT_THAT(warning_, HasSubstr("not the ones that were written"));
}

TEST_F(SegmentReaderTest, FramesASealedFileWhoseIndexIsLost) {
  SegmentBuilder segment(dir_, 7);
  segment.data(segment.stream(10, WorkerId{0}, StreamKind::kOut), "a\nb\nhalf");
  segment.seal(kStamp);
  std::filesystem::remove(dir_.index_path(7));
  auto reader = open(7);
  EXPECT_EQ(text_of(*reader), "a\nb\nhalf");
  const Record first = *reader->record(0);
  EXPECT_TRUE(first.has(flags::kRecovered) && first.has(flags::kUnparsed));
  EXPECT_EQ(first.time_ns, 1'795'428'000'000'000'000);  // The stamp's.
  EXPECT_EQ(reader->source_of(first, 0).worker, kUnknownWorker);
  EXPECT_TRUE(reader->record(1)->has(flags::kPartial));
}

TEST_F(SegmentReaderTest, FramesLinesLongerThanAChunk) {
  const std::string text = std::string(700'000, 'x') + "\nshort\n" + std::string(300'000, 'y');
  write_bytes(dir_.sealed_path({3, kStamp, 0, Compression::kNone}), text);
  EXPECT_EQ(text_of_segment(3), text);
}

TEST_F(SegmentReaderTest, ReadsAnActiveFileThatHasNoIndexAsItGrows) {
  write_bytes(dir_.active_path(), "a\nb\nhal");
  auto reader = SegmentReader::open_unindexed(fs_, dir_);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(text_of(**reader), "a\nb\n");
  write_bytes(dir_.active_path(), "a\nb\nhalf\nc\n");
  EXPECT_TRUE((*reader)->refresh().value_or(false));
  EXPECT_EQ(text_of(**reader), "a\nb\nhalf\nc\n");
}

TEST_F(SegmentReaderTest, SaysThatASegmentIsGone) {
  EXPECT_EQ(SegmentReader::open(fs_, dir_, 1).error().code(), Errc::kNotFound);
}

}  // namespace
}  // namespace pmx::rotate
