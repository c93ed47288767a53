#include "rotate/internal/segment_list.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>

#include "support/fault_fs.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

using Segment = std::optional<std::uint64_t>;

class SegmentListTest : public ::testing::Test {
 protected:
  void index(std::uint64_t segment) { test::write_bytes(dir_.index_path(segment), ""); }
  void sealed(std::uint64_t segment, Compression compression = Compression::kNone) {
    test::write_bytes(dir_.sealed_path({segment, "2026-11-23T10-00-00Z", 0, compression}), "");
  }

  test::TempDir home_;
  test::FaultFs fs_;
  LogDir dir_{home_ / "state", home_ / "logs/web-out.log"};
  SegmentList list_{fs_, dir_, true};
};

TEST_F(SegmentListTest, IsEmptyWhereThereIsNothing) {
  EXPECT_EQ(*list_.newest(), Segment());
  EXPECT_EQ(*list_.oldest(), Segment());
  EXPECT_EQ(*list_.after(1), Segment());
}

TEST_F(SegmentListTest, WalksIndexesAndSealedFilesWithoutOne) {
  for (const std::uint64_t n : {2, 5, 6}) index(n);
  for (const std::uint64_t n : {1, 4, 5}) sealed(n);
  sealed(4, Compression::kZstd);
  EXPECT_EQ(*list_.newest(), Segment(6));
  EXPECT_EQ(*list_.before(6), Segment(5));
  EXPECT_EQ(*list_.before(5), Segment(4));
  EXPECT_EQ(*list_.before(4), Segment(2));
  EXPECT_EQ(*list_.before(2), Segment(1));
  EXPECT_EQ(*list_.before(1), Segment());
  EXPECT_EQ(*list_.oldest(), Segment(1));
  EXPECT_EQ(*list_.after(2), Segment(4));
  EXPECT_EQ(*list_.after(5), Segment(6));
}

TEST_F(SegmentListTest, SeesTheNextSegmentAtOnceAndOthersWhenToldToLook) {
  index(3);
  EXPECT_EQ(*list_.after(3), Segment());
  index(4);
  EXPECT_EQ(*list_.after(3), Segment(4));
  index(9);
  EXPECT_EQ(*list_.after(4), Segment());
  list_.look_again();
  EXPECT_EQ(*list_.after(4), Segment(9));
}

TEST_F(SegmentListTest, ReadsAnActiveFileWithoutIndexBehindTheSealedOnes) {
  sealed(1);
  test::write_bytes(dir_.active_path(), "text\n");
  EXPECT_EQ(*list_.newest(), Segment(kUnindexedActive));
  EXPECT_EQ(*list_.after(1), Segment(kUnindexedActive));
  EXPECT_EQ(*list_.before(kUnindexedActive), Segment(1));
  EXPECT_EQ(*list_.after(kUnindexedActive), Segment());
  index(2);
  list_.look_again();
  EXPECT_EQ(*list_.after(kUnindexedActive), Segment(2));
}

TEST_F(SegmentListTest, AnIndexThatCameWithTheActiveFileIsSeenWithIt) {
  EXPECT_EQ(*list_.oldest(), Segment());
  index(1);
  test::write_bytes(dir_.active_path(), "text\n");
  EXPECT_EQ(*list_.oldest(), Segment(1));
}

TEST_F(SegmentListTest, WhoWantsIndexedSegmentsOnlyGetsNoActiveFileWithoutOne) {
  sealed(1);
  test::write_bytes(dir_.active_path(), "text\n");
  SegmentList indexed(fs_, dir_, false);
  EXPECT_EQ(*indexed.newest(), Segment(1));
  EXPECT_EQ(*indexed.after(1), Segment());
}

TEST_F(SegmentListTest, DoesNotReadTheActiveFileAgainWhenItsIndexIsRemoved) {
  index(1);
  test::write_bytes(dir_.active_path(), "text\n");
  EXPECT_EQ(*list_.newest(), Segment(1));
  std::filesystem::remove(dir_.index_path(1));
  list_.look_again();
  EXPECT_EQ(*list_.after(1), Segment());
}

TEST_F(SegmentListTest, ADirectoryThatCannotBeReadIsNoEmptyOne) {
  for (const std::uint64_t n : {3, 6}) index(n);
  sealed(4);
  for (const int failed : {EMFILE, EIO, EACCES})
    for (const std::string directory : {"/state/logs/", "/logs"}) {
      list_.look_again();
      fs_.fail(test::FaultFs::Call::kList, home_.path() + directory, failed);
      for (const auto& found : {list_.oldest(), list_.before(6), list_.after(3)}) {
        ASSERT_FALSE(found) << directory << failed;
        EXPECT_TRUE(retryable(found.error())) << directory << failed;
      }
      fs_.heal();
      EXPECT_EQ(*list_.oldest(), Segment(3));
      EXPECT_EQ(*list_.before(6), Segment(4));
      EXPECT_EQ(*list_.after(3), Segment(4));
    }
}

TEST_F(SegmentListTest, AnIndexThatCannotBeAskedForMayBeThere) {
  index(3);
  index(4);
  EXPECT_EQ(*list_.after(3), Segment(4));
  fs_.fail(test::FaultFs::Call::kInfo, dir_.index_path(5), EIO);
  EXPECT_FALSE(list_.after(4));
  fs_.heal();
  EXPECT_EQ(*list_.after(4), Segment());
}

}  // namespace
}  // namespace pmx::rotate
