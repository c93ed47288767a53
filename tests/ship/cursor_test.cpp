#include "ship/cursor.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

class CursorTest : public ::testing::Test {
 protected:
  static LaneCursor cursor_at(std::uint64_t seq) {
    LaneCursor cursor;
    LogCursor& log = cursor["/logs/api-out.log"];
    log.at = {3, seq, {{StreamId{1795428000000000001}, seq + 5}}, 42};
    log.begin = 7;
    log.tally.delivered = seq - 7;
    log.tally.drop(Drop::kSampled, 2);
    return cursor;
  }
  test::TempDir dir_;
  RealFs fs_;
  std::string base_ = dir_.path() + "/lane";
};

TEST_F(CursorTest, ComesBackAsItWasSaved) {
  CursorFile file(fs_, base_);
  EXPECT_FALSE(*file.load());
  ASSERT_TRUE(file.save(cursor_at(100)));
  CursorFile again(fs_, base_);
  const auto loaded = again.load();
  ASSERT_TRUE(loaded && *loaded);
  EXPECT_EQ(**loaded, cursor_at(100));
  EXPECT_EQ(again.serial(), 1U);
}

TEST_F(CursorTest, TheNewerOfTheTwoFilesCounts) {
  CursorFile file(fs_, base_);
  ASSERT_TRUE(file.save(cursor_at(100)));
  ASSERT_TRUE(file.sync());
  EXPECT_TRUE(file.synced());
  ASSERT_TRUE(file.save(cursor_at(200)));
  EXPECT_EQ(**CursorFile(fs_, base_).load(), cursor_at(200));
}

TEST_F(CursorTest, AFileCutAnywhereGivesTheSyncedOneOrSaysSo) {
  CursorFile file(fs_, base_);
  ASSERT_TRUE(file.save(cursor_at(100)));
  ASSERT_TRUE(file.sync());
  ASSERT_TRUE(file.save(cursor_at(200)));
  const std::string whole = *fs_.read_file(base_ + ".cursor");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    ASSERT_TRUE(fs_.replace_file(base_ + ".cursor", whole.substr(0, cut)));
    const auto loaded = CursorFile(fs_, base_).load();
    ASSERT_TRUE(loaded && *loaded) << "cut at byte " << cut;
    EXPECT_EQ(**loaded, cursor_at(100)) << "cut at byte " << cut;
  }
  ASSERT_TRUE(fs_.remove(base_ + ".cursor.synced"));
  EXPECT_FALSE(CursorFile(fs_, base_).load());
}

TEST_F(CursorTest, WhatWasSettledOfALogThatIsGoneStaysCounted) {
  LaneCursor cursor = cursor_at(100);
  const std::string path = cursor.begin()->first;
  cursor["/logs/other.log"].tally.delivered = 5;
  forget_log(cursor, path);
  forget_log(cursor, path);
  EXPECT_EQ(cursor.at(kGoneLogs).tally, cursor_at(100).at(path).tally);
  forget_log(cursor, "/logs/other.log");
  EXPECT_EQ(cursor.size(), 1U);
  EXPECT_EQ(cursor.at(kGoneLogs).tally.delivered, 98U);
  EXPECT_EQ(lane_cursor_from(to_json(cursor)), cursor);
}

TEST_F(CursorTest, ATallySettlesWhatItDeliversAndDrops) {
  Tally tally;
  tally.delivered = 5;
  tally.drop(Drop::kRefused, 2);
  tally.drop(Drop::kRetention, 1);
  EXPECT_EQ(tally.settled(), 8U);
  EXPECT_EQ(to_json(tally)["dropped"].dump(), R"({"refused":2,"retention":1})");
}

}  // namespace
}  // namespace pmx::ship
