#include "rotate/log_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <filesystem>

#include "support/fake_clock.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::rotate {
namespace {

using test::SegmentBuilder;
using test::write_bytes;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Lines = std::vector<std::string>;
constexpr auto kStamp = "2026-11-23T10-00-00Z";

class LogFollowerTest : public ::testing::Test {
 protected:
  LogFollowerTest() { segment_.stream(10, WorkerId{0}, StreamKind::kOut); }

  bool wakes() {
    pollfd event{follower_.fd(), POLLIN, 0};
    return ::poll(&event, 1, 0) == 1;
  }
  // What the follower leads to: lines of the readers that it names.
  Lines new_lines() {
    Lines lines;
    for (const auto key : follower_.take_changed()) {
      if (key != 0) continue;
      while (const auto line = reader_.next()) lines.emplace_back(line->text);
    }
    return lines;
  }
  void append(SegmentBuilder& segment, const std::string& text) {
    segment.data(0, text);
    segment.write();
  }

  test::TempDir home_;
  RealFs fs_;
  LogDir dir_{home_ / "home/state", home_ / "home/logs/web-out.log"};
  LogReader reader_{fs_, dir_};
  test::FakeClock clock_;
  LogFollower follower_{clock_};
  SegmentBuilder segment_{dir_, 1};
};

TEST_F(LogFollowerTest, LooksOnceAtTheBeginning) {
  append(segment_, "a\n");
  follower_.follow(reader_, 0);
  EXPECT_FALSE(wakes());
  EXPECT_THAT(new_lines(), ElementsAre("a"));
  EXPECT_THAT(follower_.take_changed(), IsEmpty());
}

TEST_F(LogFollowerTest, WakesForARecordAndOnlyThen) {
  append(segment_, "a\n");
  follower_.follow(reader_, 0);
  EXPECT_THAT(new_lines(), ElementsAre("a"));
  EXPECT_FALSE(wakes());
  append(segment_, "b\n");
  EXPECT_TRUE(wakes());
  EXPECT_THAT(new_lines(), ElementsAre("b"));
  EXPECT_FALSE(wakes());
}

TEST_F(LogFollowerTest, GoesOverARotation) {
  append(segment_, "a\n");
  follower_.follow(reader_, 0);
  EXPECT_THAT(new_lines(), ElementsAre("a"));
  segment_.data(0, "b\n");
  segment_.seal(kStamp);
  SegmentBuilder second(dir_, 2, segment_.next());
  second.stream(10, WorkerId{0}, StreamKind::kOut);
  append(second, "c\n");
  EXPECT_THAT(new_lines(), ElementsAre("b", "c"));
  append(second, "d\n");
  EXPECT_THAT(new_lines(), ElementsAre("d"));
}

TEST_F(LogFollowerTest, WaitsForALogWhoseDirectoriesAreNotThereYet) {
  follower_.follow(reader_, 0);
  EXPECT_THAT(new_lines(), IsEmpty());
  std::filesystem::create_directories(home_ / "home/state");
  EXPECT_THAT(new_lines(), IsEmpty());
  append(segment_, "first\n");
  EXPECT_TRUE(wakes());
  EXPECT_THAT(new_lines(), ElementsAre("first"));
  append(segment_, "second\n");
  EXPECT_THAT(new_lines(), ElementsAre("second"));
}

TEST_F(LogFollowerTest, SurvivesThatTheStateIsRemovedAndMadeAgain) {
  append(segment_, "a\n");
  follower_.follow(reader_, 0);
  EXPECT_THAT(new_lines(), ElementsAre("a"));
  std::filesystem::remove_all(home_ / "home");
  EXPECT_THAT(new_lines(), IsEmpty());
  SegmentBuilder second(dir_, 2, segment_.next());
  second.stream(12, WorkerId{0}, StreamKind::kOut);
  append(second, "b\n");
  EXPECT_THAT(new_lines(), ElementsAre("b"));
}

TEST_F(LogFollowerTest, LooksAgainForADirectoryWhoseEndNobodyTold) {
  append(segment_, "a\n");
  follower_.follow(reader_, 0);
  EXPECT_THAT(new_lines(), ElementsAre("a"));
  std::filesystem::remove(dir_.index_path(1));
  EXPECT_THAT(new_lines(), IsEmpty());  // The directory is still there.
  std::filesystem::remove_all(home_ / "home");
  SegmentBuilder second(dir_, 2, segment_.next());
  second.stream(12, WorkerId{0}, StreamKind::kOut);
  append(second, "b\n");
  ASSERT_TRUE(follower_.poll_timeout().has_value());
  clock_.advance(*follower_.poll_timeout());
  EXPECT_THAT(new_lines(), ElementsAre("b"));
  EXPECT_FALSE(follower_.poll_timeout().has_value());
  append(second, "c\n");
  EXPECT_THAT(new_lines(), ElementsAre("c"));
}

TEST_F(LogFollowerTest, ReadsNothingOfAHalfRecordUntilItIsWhole) {
  append(segment_, "a\n");
  follower_.follow(reader_, 0);
  EXPECT_THAT(new_lines(), ElementsAre("a"));
  segment_.data(0, "b\n");
  const std::string index = segment_.index_bytes();
  write_bytes(dir_.active_path(), segment_.text());
  write_bytes(dir_.index_path(1), index.substr(0, index.size() - 30));
  EXPECT_THAT(new_lines(), IsEmpty());
  write_bytes(dir_.index_path(1), index.substr(0, index.size() - kRecordBytes));  // Recovery.
  EXPECT_THAT(new_lines(), IsEmpty());
  segment_.write();
  EXPECT_THAT(new_lines(), ElementsAre("b"));
}

TEST_F(LogFollowerTest, TellsManyLogsApart) {
  const LogDir other_dir(home_ / "home/state", home_ / "home/logs/api-out.log");
  SegmentBuilder other(other_dir, 1);
  other.stream(20, WorkerId{1}, StreamKind::kOut);
  append(segment_, "a\n");
  append(other, "b\n");
  LogReader other_reader(fs_, other_dir);
  follower_.follow(reader_, 0);
  follower_.follow(other_reader, 1);
  EXPECT_THAT(follower_.take_changed(), ElementsAre(0U, 1U));
  append(other, "c\n");
  EXPECT_THAT(follower_.take_changed(), ElementsAre(1U));
  append(segment_, "d\n");
  append(other, "e\n");
  EXPECT_THAT(follower_.take_changed(), ElementsAre(0U, 1U));
}

TEST_F(LogFollowerTest, TellsThatAFileWasReplaced) {
  const std::string apps = home_ / "home/state/apps.json";
  follower_.watch_file(apps, 7);
  EXPECT_THAT(follower_.take_changed(), ElementsAre(7U));
  write_bytes(apps + ".tmp", "{}");
  std::filesystem::rename(apps + ".tmp", apps);
  EXPECT_THAT(follower_.take_changed(), ElementsAre(7U));
  write_bytes(home_ / "home/state/other.json", "{}");
  EXPECT_THAT(follower_.take_changed(), IsEmpty());
}

TEST_F(LogFollowerTest, FollowsAnActiveFileWithoutIndex) {
  write_bytes(dir_.active_path(), "a\n");
  reader_.seek_end();
  follower_.follow(reader_, 0);
  EXPECT_THAT(new_lines(), IsEmpty());
  write_bytes(dir_.active_path(), "a\nb\n");
  EXPECT_THAT(new_lines(), ElementsAre("b"));
}

TEST_F(LogFollowerTest, AsksToBeCalledAgainWhereThereIsNoInotify) {
  EXPECT_FALSE(follower_.poll_timeout().has_value());
  LogFollower polling(clock_, LogFollower::Use::kPolling);
  EXPECT_EQ(polling.fd(), -1);
  EXPECT_TRUE(polling.poll_timeout().has_value());
  append(segment_, "a\n");
  polling.follow(reader_, 0);
  EXPECT_THAT(polling.take_changed(), ElementsAre(0U));
  EXPECT_EQ(reader_.next()->text, "a");
  append(segment_, "b\n");
  EXPECT_THAT(polling.take_changed(), ElementsAre(0U));
  EXPECT_EQ(reader_.next()->text, "b");
}

}  // namespace
}  // namespace pmx::rotate
