// Readers that wait: their files are closed meanwhile, and whatever becomes of them is found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "rotate/archive.h"
#include "rotate/log_reader.h"
#include "support/fault_fs.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

using test::SegmentBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Lines = std::vector<std::string>;
constexpr auto kOut = StreamKind::kOut;
constexpr auto kStamp = "2026-11-23T10-00-00Z";

class LogReaderFilesTest : public ::testing::Test {
 protected:
  // Everything that is there, and then it waits.
  Lines read() {
    Lines lines;
    while (const auto line = reader_.next()) lines.emplace_back(line->text);
    reader_.close_files();
    EXPECT_FALSE(reader_.has_open_files());
    EXPECT_EQ(open_files(), 0);
    return lines;
  }
  int open_files() const {
    int open = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      open += std::filesystem::read_symlink(entry, gone).string().starts_with(home_.path());
    }
    return open;
  }
  void line(SegmentBuilder& segment, std::uint16_t stream, const std::string& text) {
    segment.data(stream, text + "\n");
    segment.write();
  }
  void pack_first() {
    const std::string plain = dir_.sealed_path({1, kStamp, 0, Compression::kNone});
    const auto index = fs_.read_file(dir_.index_path(1));
    ASSERT_TRUE(index.has_value());
    ASSERT_TRUE(pack_segment(fs_, plain, valid_records(*index, 1),
                             dir_.sealed_path({1, kStamp, 0, Compression::kZstd}), {}));
    std::filesystem::remove(plain);
    std::filesystem::remove(dir_.index_path(1));
  }

  test::TempDir home_;
  test::FaultFs fs_;
  LogDir dir_{home_ / "state", home_ / "logs/web-out.log"};
  SegmentBuilder first_{dir_, 1};
  std::uint16_t out_ = first_.stream(10, WorkerId{0}, kOut);
  LogReader reader_{fs_, dir_};
};

TEST_F(LogReaderFilesTest, AReaderWhoseFilesWereClosedGoesOnWhereItWas) {
  line(first_, out_, "a");
  EXPECT_THAT(read(), ElementsAre("a"));
  EXPECT_THAT(read(), IsEmpty());
  line(first_, out_, "b");
  EXPECT_THAT(read(), ElementsAre("b"));
  first_.data(out_, "c\n");
  first_.seal(kStamp);
  SegmentBuilder second(dir_, 2, first_.next());
  line(second, second.stream(10, WorkerId{0}, kOut), "d");
  EXPECT_THAT(read(), ElementsAre("c", "d"));
  EXPECT_THAT(reader_.take_warnings(), IsEmpty());
}

TEST_F(LogReaderFilesTest, AHalfLineIsJoinedOverTheWait) {
  first_.data(out_, "hal", {.flags = flags::kPartial});
  first_.write();
  EXPECT_THAT(read(), IsEmpty());
  first_.data(out_, "f\n", {.flags = flags::kContinues});
  first_.write();
  EXPECT_THAT(read(), ElementsAre("half"));
}

TEST_F(LogReaderFilesTest, WhatWasPackedWithItsIndexMeanwhileIsReadFromTheArchive) {
  line(first_, out_, "a");
  EXPECT_THAT(read(), ElementsAre("a"));
  first_.data(out_, "b\nc\n");
  first_.seal(kStamp);
  pack_first();
  SegmentBuilder second(dir_, 2, first_.next());
  line(second, second.stream(10, WorkerId{0}, kOut), "d");
  EXPECT_THAT(read(), ElementsAre("b", "c", "d"));
  EXPECT_THAT(reader_.take_warnings(), IsEmpty());
}

TEST_F(LogReaderFilesTest, WhatWasRemovedMeanwhileIsMissingByRetention) {
  line(first_, out_, "a");
  EXPECT_THAT(read(), ElementsAre("a"));
  first_.data(out_, "b\nc\n");
  first_.seal(kStamp);
  std::filesystem::remove(dir_.sealed_path({1, kStamp, 0, Compression::kNone}));
  std::filesystem::remove(dir_.index_path(1));
  EXPECT_THAT(read(), IsEmpty());  // There is no other yet.
  SegmentBuilder second(dir_, 2, first_.next());
  line(second, second.stream(10, WorkerId{0}, kOut), "d");
  reader_.take_number_breaks();
  EXPECT_THAT(read(), ElementsAre("d"));
  const auto breaks = reader_.take_number_breaks();
  ASSERT_EQ(breaks.size(), 1U);
  EXPECT_EQ(breaks[0].missing, 2U);
  EXPECT_TRUE(breaks[0].segments_removed);
}

TEST_F(LogReaderFilesTest, AFileThatCannotBeOpenedForNowIsNotLeftOut) {
  line(first_, out_, "a");
  EXPECT_THAT(read(), ElementsAre("a"));
  line(first_, out_, "b");
  for (const std::string& path : {dir_.index_path(1), dir_.active_path()}) {
    fs_.fail(test::FaultFs::Call::kOpen, path, EMFILE);
    EXPECT_FALSE(reader_.next());
    EXPECT_TRUE(reader_.trouble());
    fs_.heal();
  }
  EXPECT_THAT(read(), ElementsAre("b"));
}

// Of segment 2 only the sealed file is left: both directories must be read to find it.
TEST_F(LogReaderFilesTest, ADirectoryThatCannotBeListedForNowHidesNoSegment) {
  first_.data(out_, "a\n");
  first_.seal(kStamp);
  SegmentBuilder second(dir_, 2, first_.next());
  second.data(second.stream(10, WorkerId{0}, kOut), "b\n");
  second.seal(kStamp);
  SegmentBuilder third(dir_, 3, second.next());
  line(third, third.stream(10, WorkerId{0}, kOut), "c");
  std::filesystem::remove(dir_.index_path(2));
  for (const int failed : {EMFILE, EIO})
    for (const std::string& directory : {home_ / "state", home_ / "logs"})
      for (const bool from_cursor : {false, true}) {
        LogReader reader(fs_, dir_);
        fs_.fail(test::FaultFs::Call::kList, directory, failed);
        if (from_cursor) reader.seek_seq(0, 1, 1);
        Lines lines;
        while (const auto line = reader.next()) lines.emplace_back(line->text);
        EXPECT_TRUE(reader.trouble()) << directory;
        fs_.heal();
        while (const auto line = reader.next()) lines.emplace_back(line->text);
        EXPECT_FALSE(reader.trouble());
        EXPECT_THAT(lines, ElementsAre("a", "b", "c")) << directory << failed << from_cursor;
      }
}

TEST_F(LogReaderFilesTest, TheEndIsNotKnownWhileADirectoryCannotBeListed) {
  line(first_, out_, "a");
  fs_.fail(test::FaultFs::Call::kList, home_ / "state", EIO);
  reader_.seek_end();
  EXPECT_TRUE(reader_.trouble());
  EXPECT_FALSE(reader_.end_position());
  fs_.heal();
  EXPECT_THAT(read(), IsEmpty());
  ASSERT_TRUE(reader_.end_position());
  EXPECT_EQ(reader_.end_position()->seq, 2U);
  line(first_, out_, "b");
  EXPECT_THAT(read(), ElementsAre("b"));
}

TEST_F(LogReaderFilesTest, KnowsWhetherAStreamMayGoOn) {
  line(first_, out_, "a");
  EXPECT_THAT(read(), ElementsAre("a"));
  EXPECT_TRUE(reader_.has_open_stream());
  first_.end(out_);
  first_.write();
  EXPECT_THAT(read(), IsEmpty());
  EXPECT_FALSE(reader_.has_open_stream());
}

}  // namespace
}  // namespace pmx::rotate
