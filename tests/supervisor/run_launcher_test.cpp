#include "supervisor/run_launcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "supervisor/supervisor_fixture.h"

namespace pmx::test {
namespace {

constexpr int code(int value) { return value << 8; }

class RunLauncherTest : public SupervisorFixture {
 protected:
  bool holds(const std::string& name) const {
    const auto names = link_.names();
    return std::find(names.begin(), names.end(), name) != names.end();
  }
};

TEST_F(RunLauncherTest, EverythingIsHandedOverBeforeTheSpawn) {
  link_.put_errno_ = 0;
  const WorkerId id = online();
  const RunId run = record(id).run;
  const StreamId out = stream_of(run, StreamKind::kOut);
  EXPECT_EQ(run.value % 2, 0U);
  for (const std::string& name :
       {supervisor::run_name(run), supervisor::pipe_name(out), supervisor::ring_name(out)})
    EXPECT_TRUE(holds(name)) << name;
  EXPECT_EQ(pipeline_.runs_.size(), 1U);
  EXPECT_EQ(pipeline_.intents_.size(), 2U);
  EXPECT_GE(link_.spawns_[0].stdout_fd, 0);
}

TEST_F(RunLauncherTest, ALogsIntentIsMadeOnce) {
  const WorkerId id = online();
  exits(id, code(1));
  settle();
  EXPECT_EQ(pipeline_.runs_.size(), 2U);
  EXPECT_EQ(pipeline_.intents_.size(), 2U);
}

TEST_F(RunLauncherTest, NothingIsLeftOfALaunchThatFailed) {
  link_.put_errno_ = EMFILE;
  const WorkerId id = added();
  supervisor_->start(id, std::nullopt, note());
  EXPECT_TRUE(link_.names().empty());
  EXPECT_EQ(status(id), "waiting restart");
}

TEST_F(RunLauncherTest, AChannelIsForThoseWhoKnowOfItAndAnInputForAllInForkMode) {
  const WorkerId plain = online();
  AppSpec spec = app("js");
  spec.interpreter = "/usr/bin/node";
  spec.exec_mode = "cluster_mode";
  const WorkerId node = online(spec);
  const std::string of_plain = std::to_string(record(plain).run.value);
  const std::string of_node = std::to_string(record(node).run.value);
  EXPECT_FALSE(holds("chan." + of_plain));
  EXPECT_TRUE(holds("stdin." + of_plain));
  EXPECT_TRUE(holds("chan." + of_node));
  EXPECT_FALSE(holds("stdin." + of_node));
  exits(plain, code(0));
  exits(node, code(0));
  EXPECT_FALSE(holds("stdin." + of_plain));
  EXPECT_FALSE(holds("chan." + of_node));
}

TEST_F(RunLauncherTest, NothingIsLeftOfASpawnThatFailed) {
  link_.spawn_errno_ = EMFILE;
  AppSpec spec = app();
  spec.wait_ready = true;
  supervisor_->start(added(spec), std::nullopt, note());
  for (const std::string& name : link_.names())
    EXPECT_FALSE(name.starts_with("chan.") || name.starts_with("stdin.")) << name;
}

TEST_F(RunLauncherTest, DescriptorsAreDroppedWhenTheirStreamsHaveEnded) {
  const WorkerId id = online();
  const RunId run = record(id).run;
  const StreamId err = stream_of(run, StreamKind::kErr);
  supervisor_->stream_ended(err);
  EXPECT_FALSE(holds(supervisor::pipe_name(err)));
  EXPECT_TRUE(holds(supervisor::run_name(run)));
  EXPECT_EQ(pipeline_.dropped_, std::vector<StreamId>{err});
  supervisor_->streams_done(run);
  EXPECT_FALSE(holds(supervisor::run_name(run)));
  EXPECT_TRUE(supervisor_->live_runs().empty());
}

TEST_F(RunLauncherTest, RunIdsGrowEvenWhereTheClockDoesNot) {
  const WorkerId one = added(), two = added();
  supervisor_->start(one, std::nullopt, note());
  clock_.step_wall(-1h);
  supervisor_->start(two, std::nullopt, note());
  EXPECT_EQ(record(two).run.value, record(one).run.value + 2);
}

TEST_F(RunLauncherTest, TheDescriptionIsEnoughToGoOnWith) {
  const WorkerId id = online();
  const auto held = supervisor::held_by(link_);
  ASSERT_EQ(held.runs.size(), 1U);
  EXPECT_EQ(held.runs[0].spec.worker, id);
  EXPECT_EQ(held.runs[0].streams.size(), 2U);
  EXPECT_EQ(held.runs[0].spec.streams[0].logs.at(0), pipeline_.runs_[0].spec.streams[0].logs.at(0));
  EXPECT_EQ(held.intents.size(), 2U);
  EXPECT_TRUE(held.troubles.empty() && held.strays.empty());
}

TEST_F(RunLauncherTest, WhatBelongsToNoRunIsAStray) {
  const WorkerId id = online();
  const RunId run = record(id).run;
  link_.drop(supervisor::run_name(run));
  EXPECT_EQ(supervisor::held_by(link_).strays.size(), 6U);  // 2 pipes, 2 rings, 2 intents.
}

}  // namespace
}  // namespace pmx::test
