#include "ship/lane_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

LaneFile lane() {
  LaneFile file;
  file.origin.app = "web";
  file.origin.app_namespace = "shop";
  file.origin.env = "production";
  file.origin.host = "h1";
  LaneLog log;
  log.path = "/logs/web-out.log";
  log.owner = FileOwner{1000, 1001};
  log.begin.at.next_seq = log.begin.begin = 77;
  log.begin.at.segment = 5;
  file.logs.push_back(log);
  return file;
}

TEST(LaneFileTest, ComesBackAsItWasWritten) {
  const auto back = lane_file_from(to_json(lane()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->origin.app, "web");
  EXPECT_EQ(back->origin.app_namespace, "shop");
  EXPECT_EQ(back->origin.env, "production");
  EXPECT_TRUE(back->wanted);
  ASSERT_EQ(back->logs.size(), 1U);
  EXPECT_EQ(back->logs[0].begin, lane().logs[0].begin);
  EXPECT_EQ(back->logs[0].owner->gid, 1001U);
  EXPECT_TRUE(back->logs[0].wanted);
}

TEST(LaneFileTest, KnowsTheLogsThatNobodyHasAnyMore) {
  LaneFile file = lane();
  file.logs[0].wanted = false;
  const auto back = lane_file_from(to_json(file));
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->logs[0].wanted);
}

TEST(LaneFileTest, AllLanesOfAHomeAreFoundAndNothingElse) {
  const test::TempDir home;
  RealFs fs;
  const std::string state = home.path() + "/state";
  EXPECT_TRUE(known_lanes(fs, state)->empty());
  std::filesystem::create_directories(state + "/ship/aaaa");
  const std::string base = state + "/ship/aaaa/" + lane_name("web");
  ASSERT_TRUE(fs.replace_file(base + ".lane.json", to_json(lane()).dump()));
  ASSERT_TRUE(fs.replace_file(base + ".cursor", "x"));
  ASSERT_TRUE(fs.replace_file(state + "/ship/aaaa/sink.json", "{}"));
  const auto lanes = known_lanes(fs, state);
  ASSERT_TRUE(lanes);
  ASSERT_EQ(lanes->size(), 1U);
  EXPECT_EQ((*lanes)[0].base, base);
  EXPECT_EQ((*lanes)[0].sink_id, "aaaa");
}

TEST(LaneFileTest, OneThatIsNoLaneIsSaidByItsPathAndKeepsNoOther) {
  const test::TempDir home;
  RealFs fs;
  std::filesystem::create_directories(home.path() + "/ship/aaaa");
  ASSERT_TRUE(fs.replace_file(home.path() + "/ship/aaaa/x.lane.json", "{"));
  ASSERT_TRUE(fs.replace_file(home.path() + "/ship/aaaa/y.lane.json", to_json(lane()).dump()));
  const auto lanes = known_lanes(fs, home.path());
  ASSERT_TRUE(lanes);
  ASSERT_EQ(lanes->size(), 2U);
  int good = 0;
  for (const KnownLane& one : *lanes) {
    if (one.file) {
      ++good;
      continue;
    }
    EXPECT_NE(one.file.error().message().find("x.lane.json"), std::string::npos);
  }
  EXPECT_EQ(good, 1);
}

}  // namespace
}  // namespace pmx::ship
