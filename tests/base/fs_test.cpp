#include "base/fs.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/sys.h"
#include "support/temp_dir.h"

namespace pmx {
namespace {

using Names = std::vector<std::string>;

class FsTest : public testing::Test {
 protected:
  std::unique_ptr<File> open(const std::string& path, OpenMode mode) {
    return std::move(fs_.open(path, mode, 0640).value());
  }
  static Result<std::size_t> append(File& file, std::string bytes) {
    const std::array parts{iovec{bytes.data(), bytes.size()}};
    return file.writev(parts);
  }
  std::string contents(const std::string& path) { return fs_.read_file(path).value(); }
  Names names() {
    Names found = fs_.list(dir_.path()).value();
    std::sort(found.begin(), found.end());
    return found;
  }

  test::TempDir dir_;
  RealFs fs_;
  const std::string path_ = dir_ / "a.log";
};

TEST_F(FsTest, AppendsBehindWhatIsThereAndWhatOthersAppend) {
  const auto file = open(path_, OpenMode::kAppend);
  EXPECT_EQ(append(*file, "one").value(), 3U);
  EXPECT_EQ(file->position().value(), 3U);
  ASSERT_TRUE(append(*open(path_, OpenMode::kAppend), "foreign"));
  EXPECT_EQ(append(*file, "two").value(), 3U);
  EXPECT_EQ(file->position().value(), 13U) << "where our bytes ended, not how many we wrote";
  EXPECT_EQ(contents(path_), "oneforeigntwo");
}

TEST_F(FsTest, WritesSeveralPartsInOneCall) {
  std::string a = "left", b = "", c = "right";
  const std::array parts{iovec{a.data(), a.size()}, iovec{b.data(), b.size()},
                         iovec{c.data(), c.size()}};
  EXPECT_EQ(open(path_, OpenMode::kAppend)->writev(parts).value(), 9U);
  EXPECT_EQ(contents(path_), "leftright");
}

TEST_F(FsTest, ReadsAndWritesAtPositions) {
  const auto file = open(path_, OpenMode::kReadWrite);
  ASSERT_TRUE(file->pwrite_all("0123456789", 0));
  ASSERT_TRUE(file->pwrite_all("XX", 4));
  std::array<char, 20> buffer{};
  EXPECT_EQ(file->pread_all(buffer, 2).value(), 8U) << "short at the end only";
  EXPECT_EQ(std::string_view(buffer.data(), 8), "23XX6789");
  ASSERT_TRUE(file->truncate(3));
  EXPECT_EQ(file->info().value().size_bytes, 3U);
  EXPECT_TRUE(file->sync_data());
  EXPECT_TRUE(file->close());
}

TEST_F(FsTest, ReservesSpaceWithoutMovingTheEnd) {
  const auto file = open(path_, OpenMode::kReadWrite);
  const auto reserved = file->reserve(1U << 20U);
  if (!reserved) GTEST_SKIP() << "this file system has no fallocate";
  EXPECT_EQ(file->info().value().size_bytes, 0U);
  EXPECT_GE(file->info().value().allocated_bytes, 1U << 20U);
}

TEST_F(FsTest, EveryErrorNamesCallPathAndReason) {
  const std::string missing = dir_ / "missing";
  EXPECT_EQ(fs_.open(missing, OpenMode::kRead, 0).error().message(),
            "open " + missing + ": No such file or directory");
  EXPECT_EQ(fs_.open(missing, OpenMode::kRead, 0).error().code(), Errc::kNotFound);
  EXPECT_EQ(fs_.remove(missing).error().message(),
            "unlink " + missing + ": No such file or directory");
  EXPECT_EQ(fs_.list(missing).error().code(), Errc::kNotFound);
  (void)open(path_, OpenMode::kAppend);
  EXPECT_EQ(fs_.open(path_, OpenMode::kCreateNew, 0600).error().code(), Errc::kExists);
  const auto file = open(path_, OpenMode::kRead);
  EXPECT_EQ(append(*file, "x").error().message(), "write " + path_ + ": Bad file descriptor");
}

TEST_F(FsTest, RenameReplacesAndRenameNewDoesNot) {
  ASSERT_TRUE(fs_.replace_file(dir_ / "new", "new"));
  ASSERT_TRUE(fs_.replace_file(dir_ / "old", "old"));
  EXPECT_EQ(fs_.rename_new(dir_ / "new", dir_ / "old").error().code(), Errc::kExists);
  EXPECT_EQ(contents(dir_ / "old"), "old");
  ASSERT_TRUE(fs_.rename(dir_ / "new", dir_ / "old"));
  EXPECT_EQ(contents(dir_ / "old"), "new");
  ASSERT_TRUE(fs_.rename_new(dir_ / "old", dir_ / "free"));
  EXPECT_EQ(names(), Names{"free"});
}

TEST_F(FsTest, ReplacingAFileLeavesNoTemporaryOne) {
  ASSERT_TRUE(fs_.replace_file(dir_ / "state.tmp", "leftover of a crash"));
  ASSERT_TRUE(fs_.replace_file(dir_ / "state", "1", 0600, Fs::Sync::kYes));
  ASSERT_TRUE(fs_.replace_file(dir_ / "state", "2"));
  EXPECT_EQ(contents(dir_ / "state"), "2");
  EXPECT_EQ(names(), Names{"state"});
}

TEST_F(FsTest, AFailedReplacementKeepsTheOldFile) {
  ASSERT_TRUE(fs_.replace_file(dir_ / "state", "old"));
  std::filesystem::create_directories(dir_ / "state.tmp/in_the_way");
  EXPECT_FALSE(fs_.replace_file(dir_ / "state", "new"));
  EXPECT_EQ(contents(dir_ / "state"), "old");
}

TEST_F(FsTest, MakesDirectoriesAllTheWay) {
  ASSERT_TRUE(fs_.make_directories(dir_ / "a/b/c", 0700));
  ASSERT_TRUE(fs_.make_directories(dir_ / "a/b/c", 0700));
  EXPECT_TRUE(fs_.info(dir_ / "a/b/c").value().is_directory);
  ASSERT_TRUE(fs_.replace_file(dir_ / "file", ""));
  EXPECT_FALSE(fs_.make_directories(dir_ / "file", 0700));
  EXPECT_FALSE(fs_.make_directories(dir_ / "file/below", 0700));
}

TEST_F(FsTest, InfoTellsWhoMayReadAFile) {
  (void)open(path_, OpenMode::kAppend);
  ASSERT_EQ(::chmod(path_.c_str(), 0604), 0);
  EXPECT_EQ(fs_.info(path_)->permissions, 0604U);
  EXPECT_EQ(open(path_, OpenMode::kRead)->info()->permissions, 0604U);
}

TEST_F(FsTest, InfoTellsFilesApart) {
  ASSERT_TRUE(fs_.replace_file(dir_ / "a", "12345"));
  ASSERT_TRUE(fs_.replace_file(dir_ / "b", ""));
  const FileInfo a = fs_.info(dir_ / "a").value();
  EXPECT_EQ(a.size_bytes, 5U);
  EXPECT_TRUE(a.is_regular);
  EXPECT_FALSE(a.is_directory);
  EXPECT_NE(a.inode, fs_.info(dir_ / "b").value().inode);
  EXPECT_EQ(a.device, fs_.info(dir_ / "b").value().device);
  EXPECT_GT(a.modified_ns, 0);
}

TEST_F(FsTest, AFileLargerThanExpectedIsCorrupt) {
  ASSERT_TRUE(fs_.replace_file(path_, "123456"));
  EXPECT_EQ(fs_.read_file(path_, 5).error().code(), Errc::kCorrupt);
  EXPECT_EQ(fs_.read_file(path_, 6).value(), "123456");
}

TEST_F(FsTest, KnowsTheSpaceOfItsDisk) {
  const DiskSpace space = fs_.disk_space(dir_.path()).value();
  EXPECT_GT(space.total_bytes, 0U);
  EXPECT_LE(space.free_bytes, space.total_bytes);
}

TEST_F(FsTest, AFifoInALogsPlaceDoesNotHang) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(fs_.open(path_, OpenMode::kAppend, 0640)) << "nobody reads it";
}

TEST_F(FsTest, AReaderTakesRegularFilesOfABoundedSize) {
  ASSERT_TRUE(fs_.replace_file(path_, "12345"));
  EXPECT_EQ(read_file_as(std::nullopt, path_, 100).value(), "12345");
  EXPECT_FALSE(read_file_as(std::nullopt, path_, 4));
  EXPECT_FALSE(read_file_as(std::nullopt, dir_.path(), 100));
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  EXPECT_FALSE(read_file_as(std::nullopt, dir_ / "fifo", 100));
}

// Files of another user: only root can.
class FsOwnerTest : public FsTest {
 protected:
  static constexpr uid_t kNobody = 65534;
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
    ASSERT_TRUE(fs_.make_directories(dir_ / "his", 0755));
    ASSERT_EQ(::chown((dir_ / "his").c_str(), kNobody, kNobody), 0);
  }
  RealFs his_{FileOwner{kNobody, kNobody}};
};

TEST_F(FsOwnerTest, WhatIsMadeBelongsToTheOwner) {
  ASSERT_TRUE(his_.open(dir_ / "his/a.log", OpenMode::kAppend, 0640));
  ASSERT_TRUE(his_.make_directories(dir_ / "his/sub", 0700));
  for (const std::string name : {"his/a.log", "his/sub"}) {
    struct stat st {};
    ASSERT_EQ(::stat((dir_ / name).c_str(), &st), 0);
    EXPECT_EQ(st.st_uid, kNobody) << name;
    EXPECT_EQ(st.st_gid, kNobody) << name;
  }
}

TEST_F(FsOwnerTest, RootsFilesAreOutOfReach) {
  ASSERT_TRUE(fs_.replace_file(dir_ / "secret", "of root", 0600));
  EXPECT_EQ(his_.open(dir_ / "secret", OpenMode::kRead, 0).error().sys_errno(), EACCES);
  EXPECT_EQ(his_.open(dir_ / "new", OpenMode::kAppend, 0640).error().sys_errno(), EACCES);
  EXPECT_FALSE(his_.rename(dir_ / "secret", dir_ / "his/secret"));
  EXPECT_FALSE(his_.remove(dir_ / "secret"));
  EXPECT_EQ(contents(dir_ / "secret"), "of root");
}

TEST_F(FsOwnerTest, ALogThatIsASymbolicLinkIsRefused) {
  std::filesystem::create_symlink("/etc/shadow", dir_ / "his/a.log");
  EXPECT_EQ(his_.open(dir_ / "his/a.log", OpenMode::kAppend, 0640).error().sys_errno(), ELOOP);
  std::filesystem::create_symlink("b.log", dir_ / "his/link_to_his_own");
  EXPECT_EQ(his_.open(dir_ / "his/link_to_his_own", OpenMode::kAppend, 0640).error().sys_errno(),
            ELOOP);
}

TEST_F(FsOwnerTest, AReaderReadsThroughLinksWhatHeMayRead) {
  const FileReader he{kNobody, kNobody, {}};
  ASSERT_TRUE(fs_.replace_file(dir_ / "secret", "of root", 0600));
  ASSERT_TRUE(fs_.replace_file(dir_ / "shared", "of all", 0644));
  for (const char* name : {"secret", "shared"})
    std::filesystem::create_symlink(dir_ / name, dir_ / ("his/" + std::string(name)));
  EXPECT_EQ(read_file_as(he, dir_ / "his/shared", 100).value(), "of all");
  EXPECT_EQ(read_file_as(he, dir_ / "his/secret", 100).error().sys_errno(), EACCES);
  EXPECT_EQ(read_file_as(std::nullopt, dir_ / "his/secret", 100).value(), "of root");
}

TEST_F(FsOwnerTest, AReaderHasHisGroups) {
  constexpr gid_t kTeam = 54321;
  ASSERT_TRUE(fs_.replace_file(dir_ / "teams", "of the team", 0640));
  ASSERT_EQ(::chown((dir_ / "teams").c_str(), 0, kTeam), 0);
  ASSERT_EQ(::chmod((dir_ / "teams").c_str(), 0640), 0);
  EXPECT_FALSE(read_file_as(FileReader{kNobody, kNobody, {}}, dir_ / "teams", 100));
  EXPECT_TRUE(read_file_as(FileReader{kNobody, kNobody, {kTeam}}, dir_ / "teams", 100));
}

TEST_F(FsOwnerTest, OurOwnRightsAreBackAfterwards) {
  ASSERT_TRUE(his_.list(dir_ / "his"));
  EXPECT_FALSE(his_.remove(dir_ / "secret"));
  EXPECT_TRUE(fs_.replace_file(dir_ / "secret", "of root", 0600));
  struct stat st {};
  ASSERT_EQ(::stat((dir_ / "secret").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 0U);
}

}  // namespace
}  // namespace pmx
