#include "rotate/retention.h"

#include <gtest/gtest.h>

#include <csignal>

#include "base/crash_point.h"
#include "support/sealed_log.h"

namespace pmx::rotate {
namespace {

using test::SealedLog;
using Call = test::FaultFs::Call;

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    policy_.retain = 0;
    for (const std::uint64_t segment : {1U, 2U, 3U, 4U}) web_.seal(segment);  // 8 bytes each.
    web_.put_index(5);
  }
  Result<RetentionResult> retire(std::uint64_t floor = kNoFloor) {
    const std::int64_t now =
        SealedLog::kFirstSealNs + 4 * SealedLog::kHourNs;  // When 4 was sealed.
    return rotate::retire(fs_, fs_, web_.dir, policy_, now, floor);
  }

  test::TempDir home_;
  test::FaultFs fs_;
  SealedLog web_{fs_, home_, "web.log"};
  RotatePolicy policy_;
};

TEST_F(RetentionTest, KeepsEverythingWithoutABound) {
  EXPECT_EQ(retire()->files_removed, 0U);
  EXPECT_EQ(web_.sealed(), "1 2 3 4");
  EXPECT_EQ(web_.indexes(), "1 2 3 4 5");
}

TEST_F(RetentionTest, KeepsTheNewestByCount) {
  policy_.retain = 2;
  const auto result = retire();
  ASSERT_TRUE(result);
  EXPECT_EQ(web_.sealed(), "3 4");
  EXPECT_EQ(web_.indexes(), "3 4 5");
  EXPECT_EQ(result->files_removed, 2U);
  EXPECT_EQ(result->bytes_removed, 16U);
  EXPECT_EQ(result->segments, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(RetentionTest, RemovesWhatIsOlderThanItsStampAllows) {
  policy_.max_age = std::chrono::hours(2);
  ASSERT_TRUE(retire());
  EXPECT_EQ(web_.sealed(), "2 3 4");
}

TEST_F(RetentionTest, RemovesTheOldestWhileAllTakeTooMuch) {
  policy_.max_total_size_bytes = 17;
  ASSERT_TRUE(retire());
  EXPECT_EQ(web_.sealed(), "3 4");
}

TEST_F(RetentionTest, NeverRemovesWhatIsNotYetShipped) {
  policy_.retain = 1;
  policy_.max_age = std::chrono::milliseconds(1);
  policy_.max_total_size_bytes = 1;
  ASSERT_TRUE(retire(2));
  EXPECT_EQ(web_.sealed(), "2 3 4");
  EXPECT_EQ(web_.indexes(), "2 3 4 5");
}

TEST_F(RetentionTest, NeverTouchesTheActiveFileOrAnotherLog) {
  SealedLog other(fs_, home_, "web");
  other.seal(1);
  ASSERT_TRUE(fs_.make_directories(home_ / "logs/web__2026-11-23T11-00-00Z_000009.log"));
  policy_.max_total_size_bytes = 1;
  ASSERT_TRUE(retire());
  EXPECT_EQ(web_.sealed(), "");
  EXPECT_EQ(*fs_.read_file(web_.dir.active_path()), "active\n");
  EXPECT_EQ(other.sealed(), "1");
  EXPECT_EQ(*fs_.read_file(other.dir.active_path()), "active\n");
}

TEST_F(RetentionTest, CountsASegmentThatIsPackedAndPlainAsOne) {
  web_.pack_beside(3);
  policy_.retain = 2;
  ASSERT_TRUE(retire());
  EXPECT_EQ(web_.sealed(), "3.zst 4");
}

TEST_F(RetentionTest, FinishesWhatAPackerThatDiedLeft) {
  web_.pack_beside(3);
  web_.pack(2);
  web_.put_index(2);
  const auto result = retire();
  ASSERT_TRUE(result);
  EXPECT_EQ(web_.sealed(), "1 2.zst 3.zst 4");
  EXPECT_TRUE(result->segments.empty());
  ASSERT_TRUE(retire());
  EXPECT_EQ(web_.indexes(), "1 4 5");
}

TEST_F(RetentionTest, KeepsThePlainFileWhileItsArchiveIsNotWhole) {
  web_.pack_beside(3);
  const std::string whole = *fs_.read_file(web_.packed(3));
  web_.put(web_.packed(3), whole.substr(0, whole.size() - 1));
  ASSERT_TRUE(retire());
  web_.put(web_.plain(3), "one\ntwo\nthree\n");  // Not what was packed.
  web_.put(web_.packed(3), whole);
  web_.put_index(3, "one\ntwo\nthree\n");
  EXPECT_EQ(web_.sealed(), "1 2 3 3.zst 4");
}

TEST_F(RetentionTest, RemovesIndexesWithoutTextButNotTheTwoNewest) {
  for (const std::uint64_t segment : {1U, 2U, 4U}) ASSERT_TRUE(fs_.remove(web_.plain(segment)));
  ASSERT_TRUE(retire(2));
  EXPECT_EQ(web_.indexes(), "2 3 4 5");  // 2 is still needed, 4 may be about to be renamed.
  ASSERT_TRUE(retire());
  EXPECT_EQ(web_.indexes(), "3 4 5");
}

TEST_F(RetentionTest, GoesOnAfterAFileThatCannotBeRemoved) {
  fs_.fail(Call::kRemove, "_000001.log", EPERM);
  policy_.retain = 2;
  EXPECT_FALSE(retire());
  EXPECT_EQ(web_.sealed(), "1 3 4");
  EXPECT_EQ(web_.indexes(), "1 3 4 5");
  fs_.heal();
  EXPECT_TRUE(retire());
  EXPECT_EQ(web_.sealed(), "3 4");
}

TEST_F(RetentionTest, RemovesTheIndexLaterWhereACrashCameBetween) {
  policy_.retain = 2;
  EXPECT_EXIT(
      {
        crash_points::arm("after_retire:2", 0);
        (void)retire();
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_EQ(web_.sealed(), "3 4");
  EXPECT_EQ(web_.indexes(), "2 3 4 5");
  ASSERT_TRUE(retire());
  EXPECT_EQ(web_.indexes(), "3 4 5");
}

TEST_F(RetentionTest, FreesTheOldestUntilEnoughIsGained) {
  const auto result = free_space(fs_, fs_, web_.dir, 1);
  ASSERT_TRUE(result);
  EXPECT_GE(result->bytes_removed, 1U);
  EXPECT_EQ(web_.sealed(), "2 3 4");
  ASSERT_TRUE(free_space(fs_, fs_, web_.dir, 1U << 30U, 3));
  EXPECT_EQ(web_.sealed(), "3 4");
  ASSERT_TRUE(free_space(fs_, fs_, web_.dir, 1U << 30U));
  EXPECT_EQ(web_.sealed(), "4");
  EXPECT_EQ(web_.indexes(), "4 5");
  EXPECT_EQ(free_space(fs_, fs_, web_.dir, 1U << 30U)->files_removed, 0U);
}

TEST_F(RetentionTest, RemovesHalfArchivesOfThisLogOnly) {
  SealedLog other(fs_, home_, "web-2.log");
  for (const std::string& path :
       {web_.packed(2) + ".tmp", other.packed(2) + ".tmp", web_.dir.active_path() + ".tmp"})
    web_.put(path, "half");
  ASSERT_TRUE(remove_half_archives(fs_, web_.dir));
  EXPECT_FALSE(fs_.info(web_.packed(2) + ".tmp"));
  EXPECT_TRUE(fs_.info(other.packed(2) + ".tmp"));
  EXPECT_TRUE(fs_.info(web_.dir.active_path() + ".tmp"));
}

}  // namespace
}  // namespace pmx::rotate
