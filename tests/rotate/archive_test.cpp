#include "rotate/archive.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>

#include "base/crash_point.h"
#include "support/fault_fs.h"
#include "support/segment_samples.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

using test::numbered_lines;
using test::records_of;
using Call = test::FaultFs::Call;

class ArchiveTest : public testing::TestWithParam<Compression> {
 protected:
  std::string plain() const { return home_ / "a.log"; }
  std::string archive() const {
    return home_ / (GetParam() == Compression::kZstd ? "a.log.zst" : "a.log.gz");
  }
  std::string tool() const { return GetParam() == Compression::kZstd ? "zstd" : "gzip"; }

  void put(const std::string& path, std::string_view bytes) {
    ASSERT_TRUE(fs_.replace_file(path, bytes));
  }
  Result<void> pack(std::function<bool()> cancelled = {}, int level = 0) {
    return pack_segment(fs_, plain(), records_, archive(),
                        {GetParam(), level, std::move(cancelled)});
  }
  void pack_text(std::string text) {
    text_ = std::move(text);
    if (records_.empty()) records_ = records_of(text_, 41);
    put(plain(), text_);
    const auto packed = pack();
    ASSERT_TRUE(packed) << packed.error().message();
  }
  // In place: a rename for each byte would cost seconds.
  template <class Change>
  void change_archive(Change change) {
    auto file = fs_.open(archive(), OpenMode::kReadWrite);
    ASSERT_TRUE(file && change(**file));
  }
  std::unique_ptr<ArchiveReader> open() {
    auto reader = ArchiveReader::open(fs_, archive());
    EXPECT_TRUE(reader) << reader.error().message();
    return reader ? std::move(*reader) : nullptr;
  }
  static std::string read(ArchiveReader& reader, std::uint64_t offset, std::uint64_t size) {
    std::string out;
    const auto done = reader.read(offset, size, out);
    EXPECT_TRUE(done) << done.error().message();
    return out;
  }
  static std::string read_all(ArchiveReader& reader) {
    return read(reader, 0, reader.text_size_bytes());
  }
  static std::string output_of(const std::string& command) {
    std::string out;
    FILE* const stream = ::popen(command.c_str(), "r");
    char chunk[4096];
    for (std::size_t n = 0; (n = ::fread(chunk, 1, sizeof chunk, stream)) > 0;)
      out.append(chunk, n);
    EXPECT_EQ(::pclose(stream), 0) << command;
    return out;
  }

  test::TempDir home_;
  test::FaultFs fs_;
  std::string text_;
  std::vector<Record> records_;
};

INSTANTIATE_TEST_SUITE_P(Formats, ArchiveTest,
                         testing::Values(Compression::kZstd, Compression::kGzip),
                         [](const auto& one) {
                           return one.param == Compression::kZstd ? "Zstd" : "Gzip";
                         });

TEST_P(ArchiveTest, GivesBackTextAndRecords) {
  pack_text(numbered_lines(1000));
  const auto reader = open();
  EXPECT_EQ(reader->text_size_bytes(), text_.size());
  EXPECT_EQ(read_all(*reader), text_);
  EXPECT_EQ(bytes_of(reader->records()), bytes_of(records_));
}

TEST_P(ArchiveTest, IsPlainTextToTheUsualTools) {
  records_ = records_of("x\n", 41);
  records_.pop_back();  // No SEAL: the file's size counts.
  pack_text(numbered_lines(60'000));
  EXPECT_EQ(output_of(tool() + " -dc '" + archive() + "'"), text_);
  EXPECT_EQ(output_of(tool() + " -tq '" + archive() + "' && echo good"), "good\n");
  if (GetParam() == Compression::kZstd) {
    EXPECT_EQ(output_of("zstdcat --long=31 '" + archive() + "'"), text_);
  }
}

TEST_P(ArchiveTest, SeeksWithoutDecodingWhatLiesBefore) {
  records_ = records_of("x\n", 41);
  records_.pop_back();
  pack_text(numbered_lines(90'000));
  ASSERT_GT(text_.size(), 3U << 20U);
  const auto reader = open();
  const int before = fs_.calls(Call::kRead);
  EXPECT_EQ(read(*reader, text_.size() - 100, 1000), text_.substr(text_.size() - 100));
  EXPECT_EQ(fs_.calls(Call::kRead), before + 1);
  for (const std::uint64_t offset :
       {0UL, (1UL << 20U) - 3, 1UL << 20U, (2UL << 20U) - 1, text_.size() - 1, text_.size()})
    EXPECT_EQ(read(*reader, offset, 9), text_.substr(offset, 9)) << offset;
}

TEST_P(ArchiveTest, PacksAnEmptySegment) {
  pack_text("");
  const auto reader = open();
  EXPECT_EQ(reader->text_size_bytes(), 0U);
  EXPECT_EQ(reader->records().size(), 2U);
  EXPECT_EQ(output_of(tool() + " -dc '" + archive() + "'"), "");
}

TEST_P(ArchiveTest, CarriesAnIndexLargerThanOneExtraField) {
  records_ = records_of(numbered_lines(30'000), 41);
  for (std::size_t i = 0; i < records_.size(); ++i)
    records_[i].data_sum = static_cast<std::uint32_t>(i * 2654435761U);
  pack_text(numbered_lines(30'000));
  EXPECT_EQ(bytes_of(open()->records()), bytes_of(records_));
  EXPECT_EQ(output_of(tool() + " -dc '" + archive() + "'"), text_);
}

TEST_P(ArchiveTest, HasTheBytesOfTheWorkedExample) {
  pack_text("one\n");
  const std::string bytes = *fs_.read_file(archive());
  using namespace std::string_literals;
  if (GetParam() == Compression::kZstd) {
    EXPECT_EQ(bytes.substr(0, 13), "\x28\xB5\x2F\xFD\x24\x04\x21\0\0one\n"s);
    EXPECT_EQ(bytes.substr(17, 4), "\x50\x2A\x4D\x18"s);
    EXPECT_EQ(bytes.substr(25, 8), "pmxindex");
    EXPECT_EQ(bytes.substr(bytes.size() - 9), "\x02\0\0\0\0\xB1\xEA\x92\x8F"s);
    EXPECT_EQ(bytes.substr(bytes.size() - 25, 8), "\x11\0\0\0\x04\0\0\0"s);
  } else {
    EXPECT_EQ(bytes.substr(bytes.size() - 66, 16), "\x1F\x8B\x08\x04\0\0\0\0\0\xFF\x2C\0PT\x28\0"s);
    EXPECT_EQ(bytes.substr(bytes.size() - 50, 8), "pmxtable");
  }
}

TEST_P(ArchiveTest, LeavesOutWhatSomebodyAppendedAfterTheSeal) {
  records_ = records_of("ours\n", 41);
  pack_text("ours\nforeign\n");
  EXPECT_EQ(read_all(*open()), "ours\n");
}

TEST_P(ArchiveTest, PacksWhatIsLeftOfAFileThatSomebodyTruncated) {
  records_ = records_of("one\ntwo\n", 41);
  pack_text("one\n");
  EXPECT_EQ(read_all(*open()), "one\n");
}

TEST_P(ArchiveTest, GivesAPrefixWhereverItIsCut) {
  pack_text(numbered_lines(40));
  const std::string whole = *fs_.read_file(archive());
  for (std::size_t cut = whole.size(); cut-- > 0;) {
    change_archive([&](File& file) { return file.truncate(cut); });
    const auto reader = ArchiveReader::open(fs_, archive());
    if (!reader) {
      EXPECT_EQ(reader.error().code(), Errc::kCorrupt) << "cut at byte " << cut;
      continue;
    }
    EXPECT_TRUE((*reader)->records().empty()) << "cut at byte " << cut;
    EXPECT_TRUE(text_.starts_with(read_all(**reader))) << "cut at byte " << cut;
  }
}

TEST_P(ArchiveTest, KeepsAllFramesInFrontOfACut) {
  records_ = records_of("x\n", 41);
  records_.pop_back();
  pack_text(numbered_lines(60'000));
  const std::string whole = *fs_.read_file(archive());
  put(archive(), whole.substr(0, whole.size() - 1));
  const auto reader = open();
  EXPECT_EQ(reader->text_size_bytes(), text_.size());
  EXPECT_EQ(read(*reader, 2'000'000, 500), text_.substr(2'000'000, 500));
  EXPECT_EQ(read(*reader, 10, 500), text_.substr(10, 500));  // Backwards: from the start again.
  EXPECT_EQ(read_all(*reader), text_);
}

TEST_P(ArchiveTest, NeverGivesWrongTextWhereABitIsFlipped) {
  pack_text(numbered_lines(12));
  const std::string whole = *fs_.read_file(archive());
  for (std::size_t at = 0; at < whole.size() * 8; ++at) {
    std::string damaged = whole;
    damaged[at / 8] = static_cast<char>(damaged[at / 8] ^ (1 << (at % 8)));
    change_archive([&](File& file) { return file.pwrite_all(damaged, 0); });
    auto reader = ArchiveReader::open(fs_, archive());
    if (!reader) continue;
    std::string out;
    const auto done = (*reader)->read(0, (*reader)->text_size_bytes(), out);
    EXPECT_TRUE(text_.starts_with(out)) << "bit " << at;
    EXPECT_TRUE(done || done.error().code() == Errc::kCorrupt) << "bit " << at;
    EXPECT_TRUE((*reader)->records().empty() ||
                bytes_of((*reader)->records()) == bytes_of(records_))
        << "bit " << at;
  }
}

TEST_P(ArchiveTest, ReadsWhatOtherToolsPacked) {
  text_ = numbered_lines(30'000);
  put(plain(), text_);
  (void)output_of(tool() + " -q -c '" + plain() + "' > '" + archive() + "'");
  const auto reader = open();
  EXPECT_TRUE(reader->records().empty());
  EXPECT_EQ(reader->text_size_bytes(), text_.size());
  std::string in_steps;
  while (in_steps.size() < text_.size())
    ASSERT_TRUE(reader->read(in_steps.size(), 70'001, in_steps));
  EXPECT_EQ(in_steps, text_);
}

TEST_P(ArchiveTest, RefusesAFileThatIsNoArchive) {
  put(archive(), "plain text under a wrong name\n");
  EXPECT_EQ(ArchiveReader::open(fs_, archive()).error().code(), Errc::kCorrupt);
  EXPECT_EQ(ArchiveReader::open(fs_, plain()).error().code(), Errc::kInvalidArgument);
  fs_.fail(Call::kRead, "a.log", EIO);
  EXPECT_EQ(ArchiveReader::open(fs_, archive()).error().code(), Errc::kIo);
}

TEST_P(ArchiveTest, LeavesNothingBehindWhenTheDiskIsFull) {
  text_ = numbered_lines(2000);
  records_ = records_of(text_, 41);
  put(plain(), text_);
  for (const std::uint64_t room : {0U, 100U, 5000U}) {
    fs_.full_after(room);
    EXPECT_EQ(pack().error().code(), Errc::kNoSpace);
    EXPECT_EQ(fs_.list(home_.path())->size(), 1U);
  }
  fs_.heal();
  EXPECT_TRUE(pack());
}

TEST_P(ArchiveTest, TakesNoNameBeforeItIsOnTheDisk) {
  text_ = numbered_lines(100);
  records_ = records_of(text_, 41);
  put(plain(), text_);
  for (const Call call : {Call::kSync, Call::kRename, Call::kWrite, Call::kOpen}) {
    fs_.fail(call, ".tmp", EIO);
    EXPECT_FALSE(pack());
    EXPECT_FALSE(fs_.info(archive()));
    fs_.heal();
  }
  put(archive() + ".tmp", "half of an earlier try");
  ASSERT_TRUE(pack());
  fs_.lose_unsynced();
  EXPECT_EQ(read_all(*open()), text_);
}

TEST_P(ArchiveTest, SurvivesShortReadsAndWrites) {
  fs_.short_writes(1000);
  fs_.short_reads(777);
  pack_text(numbered_lines(3000));
  EXPECT_EQ(read_all(*open()), text_);
}

TEST_P(ArchiveTest, StopsBetweenFramesWhenAsked) {
  records_ = records_of("x\n", 41);
  records_.pop_back();
  put(plain(), std::string(3U << 20U, 'x'));
  int asked = 0;
  EXPECT_EQ(pack([&] { return ++asked == 3; }).error().code(), Errc::kUnavailable);
  EXPECT_EQ(fs_.list(home_.path())->size(), 1U);
}

TEST_P(ArchiveTest, TakesEveryLevelAndMayBeReadByTheGroup) {
  text_ = numbered_lines(500);
  records_ = records_of(text_, 41);
  put(plain(), text_);
  for (const int level : {-1000, -1, 1, 9, 19, 1000}) {
    ASSERT_TRUE(pack({}, level)) << level;
    EXPECT_EQ(read_all(*open()), text_) << level;
  }
  struct stat found {};
  ASSERT_EQ(::stat(archive().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0137U, 0U);
}

TEST_P(ArchiveTest, DiesAtEachOfItsCrashPoints) {
  text_ = numbered_lines(2000);
  records_ = records_of(text_, 41);
  put(plain(), text_);
  for (const std::string point : {"archive_half", "archive_whole", "archive_named"}) {
    EXPECT_EXIT(
        {
          crash_points::arm(point, 0);
          (void)pack();
        },
        testing::KilledBySignal(SIGKILL), "")
        << point;
    EXPECT_EQ(fs_.info(archive()).has_value(), point == "archive_named");
    EXPECT_EQ(fs_.info(archive() + ".tmp").has_value(), point != "archive_named");
  }
  EXPECT_EQ(read_all(*open()), text_);
}

}  // namespace
}  // namespace pmx::rotate
