#include "rotate/home_disk.h"

#include <gtest/gtest.h>

#include "base/units.h"
#include "support/sealed_log.h"

namespace pmx::rotate {
namespace {

using test::SealedLog;
using Call = test::FaultFs::Call;

class HomeDiskTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kFile = 64U << 10U;

  HomeDiskTest() {
    // By age: web 1, api 2, web 3, api 4, job 5.
    for (const std::uint64_t segment : {1U, 3U}) seal(web_, segment);
    for (const std::uint64_t segment : {2U, 4U}) seal(api_, segment);
    seal(job_, 5);
    fs_.set_disk_space({100_GiB, 90_GiB});
  }
  void seal(SealedLog& log, std::uint64_t segment) { log.seal(segment, std::string(kFile, 'x')); }
  Result<HomeResult> enforce(HomeLimit limit) {
    const std::vector<HomeLog> logs{
        {web_.dir, &fs_, web_floor_}, {api_.dir, &fs_, kNoFloor}, {job_.dir, &fs_, kNoFloor}};
    return enforce_max_disk(fs_, home_ / "state", logs, limit);
  }
  std::string left() { return web_.sealed() + "|" + api_.sealed() + "|" + job_.sealed(); }

  test::TempDir home_;
  test::FaultFs fs_;
  SealedLog web_{fs_, home_, "web.log"}, api_{fs_, home_, "api.log"}, job_{fs_, home_, "job.log"};
  std::uint64_t web_floor_ = kNoFloor;
};

TEST_F(HomeDiskTest, RemovesNothingBelowTheLimit) {
  const auto result = enforce({5 * kFile, 0});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->sealed_bytes, 5 * kFile);
  EXPECT_TRUE(result->removed.empty());
  ASSERT_TRUE(enforce({}));
  EXPECT_EQ(left(), "1 3|2 4|5");
}

TEST_F(HomeDiskTest, ListsADirectoryOnceForAllItsLogs) {
  const int before = fs_.calls(Call::kList);
  ASSERT_TRUE(enforce({5 * kFile, 0}));
  EXPECT_EQ(fs_.calls(Call::kList), before + 1);
}

TEST_F(HomeDiskTest, RemovesTheOldestOfAllLogs) {
  const auto result = enforce({4 * kFile, 0});
  ASSERT_TRUE(result);
  EXPECT_EQ(left(), "3|2 4|5");
  EXPECT_EQ(web_.indexes(), "3");
  ASSERT_EQ(result->removed.size(), 1U);
  EXPECT_EQ(result->removed[0].active_path, web_.dir.active_path());
  EXPECT_FALSE(result->removed[0].still_needed);
}

TEST_F(HomeDiskTest, CountsWhatElseTheHomeHolds) {
  ASSERT_TRUE(enforce({5 * kFile, kFile}));
  EXPECT_EQ(left(), "3|2 4|5");
}

TEST_F(HomeDiskTest, LeavesEachLogOneWhileItCan) {
  ASSERT_TRUE(enforce({3 * kFile, 0}));
  EXPECT_EQ(left(), "3|4|5");
  ASSERT_TRUE(enforce({2 * kFile, 0}));
  EXPECT_EQ(left(), "|4|5");
}

TEST_F(HomeDiskTest, RemovesWhatIsStillNeededOnlyAfterAllElse) {
  web_floor_ = 1;
  ASSERT_TRUE(enforce({4 * kFile, 0}));
  EXPECT_EQ(left(), "1 3|4|5");
  const auto result = enforce({3 * kFile, 0});
  ASSERT_TRUE(result);
  EXPECT_EQ(left(), "3|4|5");
  EXPECT_TRUE(result->removed[0].still_needed);
}

TEST_F(HomeDiskTest, TakesATenthOfTheDiskByDefault) {
  fs_.set_disk_space({31 * kFile, 31 * kFile});  // Less than 128 MiB: only the share counts.
  ASSERT_TRUE(enforce({}));
  EXPECT_EQ(left(), "3|4|5");
}

TEST_F(HomeDiskTest, DoesNotGiveUpTheLastHistoryWhereOthersFillTheDisk) {
  fs_.set_disk_space({100_GiB, 0});
  ASSERT_TRUE(enforce({}));
  EXPECT_EQ(left(), "1 3|2 4|5");
}

TEST_F(HomeDiskTest, KeepsAShareOfTheDiskFree) {
  // Sparse files: large for the rule, nothing for the disk that runs this test.
  for (const std::string& path : {web_.plain(1), api_.plain(2)}) {
    auto file = fs_.open(path, OpenMode::kReadWrite);
    ASSERT_TRUE(file && (*file)->truncate(200_MiB));
  }
  fs_.set_disk_space({100_GiB, 100_GiB / 100 * 15 - 100_MiB});
  ASSERT_TRUE(enforce({}));
  EXPECT_EQ(left(), "3|2 4|5");
}

TEST_F(HomeDiskTest, BoundsTheOthersWhereOneFileCannotBeRemoved) {
  fs_.fail(Call::kRemove, web_.plain(1), EPERM);
  EXPECT_FALSE(enforce({4 * kFile, 0}));
  EXPECT_EQ(left(), "1 3|4|5");
}

}  // namespace
}  // namespace pmx::rotate
