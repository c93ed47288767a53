#include "rotate/log_dir.h"

#include <gtest/gtest.h>

#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

class LogDirTest : public testing::Test {
 protected:
  void put(const std::string& path, std::string_view bytes = "x") {
    ASSERT_TRUE(fs_.make_directories(path.substr(0, path.rfind('/'))));
    ASSERT_TRUE(fs_.replace_file(path, bytes));
  }
  LogDir log(const std::string& name) const { return {home_ / "state", home_ / ("logs/" + name)}; }
  static SealedName sealed(std::uint64_t segment, Compression compression = Compression::kNone) {
    return {segment, "2026-11-23T10-00-00Z", 0, compression};
  }
  std::vector<std::string> names(const LogDir& dir) {
    std::vector<std::string> found;
    const auto files = dir.sealed_files(fs_);
    EXPECT_TRUE(files);
    for (const SealedFile& file : *files)
      found.push_back(file.path.substr(file.path.rfind('/') + 1));
    return found;
  }

  test::TempDir home_;
  test::FaultFs fs_;
};

TEST_F(LogDirTest, NamesSealedFilesByTimeAndSegment) {
  const LogDir web("/home/state", "/logs/web-out.log");
  EXPECT_EQ(web.sealed_path(sealed(41)), "/logs/web-out__2026-11-23T10-00-00Z_000041.log");
  EXPECT_EQ(web.sealed_path(sealed(41, Compression::kZstd)),
            "/logs/web-out__2026-11-23T10-00-00Z_000041.log.zst");
  EXPECT_EQ(web.sealed_path({1'234'567, "2026-11-23T10-00-00Z", 2, Compression::kGzip}),
            "/logs/web-out__2026-11-23T10-00-00Z_1234567-2.log.gz");
  EXPECT_EQ(web.index_path(42), web.index_directory() + "/000042.idx");
  EXPECT_TRUE(web.index_directory().starts_with("/home/state/logs/web-out-"));
}

TEST_F(LogDirTest, ReadsBackEveryNameThatItWrites) {
  for (const char* active : {"web.log", "web", "a__b.log", "web.log.log", "x_000001.log"})
    for (const std::uint64_t segment : {1ULL, 999'999ULL, 1'000'000ULL, 10'000'000ULL})
      for (const std::uint64_t number : {0ULL, 2ULL, 17ULL})
        for (const Compression packed :
             {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
          const LogDir dir = log(active);
          const std::string path =
              dir.sealed_path({segment, "2026-11-23T10-00-00Z", number, packed});
          const auto name = dir.parse_sealed(path.substr(path.rfind('/') + 1));
          ASSERT_TRUE(name) << path;
          EXPECT_EQ(dir.sealed_path(*name), path);
          EXPECT_EQ(name->segment, segment);
          EXPECT_EQ(name->number, number);
        }
}

TEST_F(LogDirTest, RefusesNamesThatItWouldNotWrite) {
  for (const char* name :
       {"web.log", "web__.log", "web__2026-11-23T10-00-00Z_000041",
        "web__2026-11-23T10-00-00Z_41.log", "web__2026-11-23T10-00-00Z_0000041.log",
        "web__2026-11-23T10-00-00Z_000041-0.log", "web__2026-11-23T10-00-00Z_000041-02.log",
        "web__2026-11-23T10-00-00Z_000041.log.zst.gz", "web__2026-11-23T10-00-00Z_000041.log.tmp",
        "web__2026-11-23 10-00-00Z_000041.log", "web-2__2026-11-23T10-00-00Z_000041.log",
        "we__2026-11-23T10-00-00Z_000041.log", "web__2026-11-23T10-00-00Z_+00041.log",
        "web__2026-11-23T10-00-00Z_.log", "web__2026-11-23T10-00-00Z_99999999999999999999.log",
        "xweb__2026-11-23T10-00-00Z_000041.log"})
    EXPECT_FALSE(log("web.log").parse_sealed(name)) << name;
}

TEST_F(LogDirTest, NeverTakesTheFilesOfALogWithANameThatBeginsAlike) {
  const std::vector<std::string> actives{"web.log",    "web",         "web-out.log",
                                         "web__x.log", "web.log.log", "web.log.log.log"};
  for (const std::string& mine : actives)
    for (const std::string& other : actives) {
      const std::string path = log(mine).sealed_path(sealed(1'000'041));
      const auto name = log(other).parse_sealed(path.substr(path.rfind('/') + 1));
      EXPECT_EQ(name.has_value(), mine == other) << mine << " and " << other;
    }
}

TEST_F(LogDirTest, ShortensNamesThatADirectoryCouldNotHold) {
  const LogDir a = log(std::string(251, 'a') + ".log");
  const LogDir b = log(std::string(250, 'a') + "b.log");
  const std::string path = a.sealed_path({41, "2026-11-23T10-00-00Z", 12, Compression::kZstd});
  put(path);
  put(a.index_path(1));
  EXPECT_EQ(names(a).size(), 1U);
  EXPECT_TRUE(names(b).empty());
}

TEST_F(LogDirTest, ListsSealedFilesBySegment) {
  const LogDir dir = log("web.log");
  for (const std::uint64_t segment : {10U, 9U, 11U}) put(dir.sealed_path(sealed(segment)));
  put(dir.sealed_path(sealed(10, Compression::kZstd)));
  put(dir.active_path());
  put(log("web-2.log").sealed_path(sealed(12)));
  ASSERT_TRUE(fs_.make_directories(dir.sealed_path(sealed(13))));
  EXPECT_EQ(names(dir), (std::vector<std::string>{"web__2026-11-23T10-00-00Z_000009.log",
                                                  "web__2026-11-23T10-00-00Z_000010.log",
                                                  "web__2026-11-23T10-00-00Z_000010.log.zst",
                                                  "web__2026-11-23T10-00-00Z_000011.log"}));
}

TEST_F(LogDirTest, ListsIndexesBySegment) {
  const LogDir dir = log("web.log");
  EXPECT_TRUE(dir.index_segments(fs_)->empty());
  for (const std::uint64_t segment : {2U, 1U, 1'000'000U}) put(dir.index_path(segment));
  put(dir.index_path(3) + ".tmp");
  put(dir.index_directory() + "/log.json");
  EXPECT_EQ(*dir.index_segments(fs_), (std::vector<std::uint64_t>{1, 2, 1'000'000}));
}

TEST_F(LogDirTest, FindsNothingWhereTheDirectoryIsMissing) {
  EXPECT_TRUE(names(log("web.log")).empty());
  EXPECT_TRUE(known_logs(fs_, home_ / "state")->empty());
}

TEST_F(LogDirTest, ReportsADirectoryThatCannotBeRead) {
  fs_.fail(test::FaultFs::Call::kList, "logs", EIO);
  EXPECT_FALSE(log("web.log").sealed_files(fs_));
  EXPECT_FALSE(known_logs(fs_, home_ / "state"));
}

TEST_F(LogDirTest, KnowsEachLogWhoseDescriptionIsGood) {
  for (const char* name : {"web.log", "api.log"})
    put(log(name).index_directory() + "/log.json",
        Json::object({{"path", log(name).active_path()}}).dump());
  put(log("broken.log").index_directory() + "/log.json", "{\"path\":");
  put(home_ / "state/logs/copy-0000000000000000/log.json",
      Json::object({{"path", log("web.log").active_path()}}).dump());
  ASSERT_TRUE(fs_.make_directories(log("empty.log").index_directory()));
  const auto logs = known_logs(fs_, home_ / "state");
  ASSERT_TRUE(logs);
  ASSERT_EQ(logs->size(), 2U);
  EXPECT_EQ((*logs)[0].active_path(), log("api.log").active_path());
  EXPECT_EQ((*logs)[1].index_directory(), log("web.log").index_directory());
}

}  // namespace
}  // namespace pmx::rotate
