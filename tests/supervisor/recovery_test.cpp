#include <gtest/gtest.h>
#include <signal.h>

#include "supervisor/supervisor_fixture.h"

namespace pmx::test {
namespace {

using supervisor::Child;
using supervisor::Worker;
constexpr int code(int value) { return value << 8; }

class RecoveryTest : public SupervisorFixture {};

TEST_F(RecoveryTest, ARunningChildIsOnlineAgainWithItsUptime) {
  const WorkerId id = online();
  const auto before = record(id);
  clock_.advance(1h);
  next_daemon();
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(record(id).started_ns, before.started_ns);
  EXPECT_EQ(record(id).run, before.run);
  EXPECT_EQ(record(id).restarts, 0);
  EXPECT_EQ(link_.spawns_.size(), 1U);
}

TEST_F(RecoveryTest, AnExitThatNobodyAnsweredIsHandledNow) {
  const WorkerId id = online();
  supervisor_.reset();
  link_.exit(RunId{link_.spawns_[0].run}, code(4), clock_.system_ns());
  next_daemon();
  settle();
  EXPECT_EQ(record(id).last_exit->code, 4);
  EXPECT_EQ(link_.spawns_.size(), 2U);
  EXPECT_EQ(link_.acknowledged_, std::vector<RunId>{link_.spawns_[0].run});
}

TEST_F(RecoveryTest, AnExitThatWasSavedIsNotCountedTwice) {
  const WorkerId id = online();
  const RunId run = record(id).run;
  exits(id, code(4));
  settle();
  link_.run(record(id).run);
  settle();
  Child again;  // The daemon died between save and acknowledgement.
  again.run = run;
  again.state = Child::State::kExited;
  link_.add_child(again);
  next_daemon();
  settle();
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(link_.acknowledged_.back(), run);
}

TEST_F(RecoveryTest, AStartThatWasNotSavedYetIsAdopted) {
  const WorkerId id = online();
  exits(id, code(1));
  clock_.run_due();  // Started again; the list on file still has the first run.
  ASSERT_EQ(link_.spawns_.size(), 2U);
  link_.run(link_.spawns_[1].run);
  next_daemon();
  settle();
  EXPECT_EQ(record(id).run, link_.spawns_[1].run);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(link_.spawns_.size(), 2U);
}

TEST_F(RecoveryTest, TheSecondHalfOfARestartThatWasNotSavedIsAdopted) {
  const WorkerId id = online();
  Child ended;
  ended.run = record(id).run;
  supervisor_->restart(id, std::nullopt, nullptr);
  settle();
  const std::string half_way = link_.state_;
  exits(id, SIGINT);
  ASSERT_EQ(link_.spawns_.size(), 2U);
  link_.run(link_.spawns_[1].run);
  // A daemon that died there had saved neither, and the keeper still holds the end.
  ended.state = Child::State::kExited;
  ended.wait_status = SIGINT;
  ended.ended_ns = clock_.system_ns();
  supervisor_.reset();
  link_.add_child(ended);
  link_.state_ = half_way;
  next_daemon();
  settle();
  EXPECT_EQ(record(id).run, link_.spawns_[1].run);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(link_.spawns_.size(), 2U);
  for (const auto& signal : link_.signals_) EXPECT_NE(signal.signal, SIGKILL);
}

TEST_F(RecoveryTest, AChildOfNoAppIsEnded) {
  (void)online();
  Child stranger;
  stranger.run = RunId{1234};
  stranger.pid = 3'999'999;
  stranger.state = Child::State::kRunning;
  link_.add_child(stranger);
  next_daemon();
  EXPECT_EQ(link_.signals_.back(), (FakeKeeperLink::Signal{RunId{1234}, SIGKILL, true}));
}

TEST_F(RecoveryTest, AStopThatWasUnderWayGoesOn) {
  const WorkerId id = online();
  supervisor_->stop(id, Worker::Wanted::kNoLonger, nullptr);
  settle();
  next_daemon();
  EXPECT_EQ(status(id), "stopping");
  clock_.advance(1600ms);
  EXPECT_EQ(link_.signals_.back().signal, SIGKILL);
}

TEST_F(RecoveryTest, ARestartThatWasUnderWayGoesOn) {
  const WorkerId id = online();
  supervisor_->restart(id, std::nullopt, nullptr);
  settle();
  next_daemon();
  exits(id, SIGINT);
  EXPECT_EQ(link_.spawns_.size(), 2U);
  EXPECT_EQ(status(id), "launching");
}

TEST_F(RecoveryTest, AWaitForRestartIsWaitedAgain) {
  AppSpec spec = app();
  spec.restart_delay = 2s;
  const WorkerId id = online(spec);
  exits(id, code(1));
  settle();
  next_daemon();
  EXPECT_EQ(status(id), "waiting restart");
  EXPECT_EQ(link_.spawns_.size(), 1U);
  clock_.advance(2s);
  EXPECT_EQ(link_.spawns_.size(), 2U);
}

TEST_F(RecoveryTest, WhatIsWantedStartsAgainAfterBothWereKilled) {
  const WorkerId wanted = online(app("wanted")), stopped = online(app("stopped"));
  supervisor_->stop(stopped, Worker::Wanted::kNoLonger, nullptr);
  exits(stopped, SIGINT);
  settle();
  supervisor_.reset();
  link_.forget_everything();
  begin();
  EXPECT_EQ(status(wanted), "launching");
  EXPECT_EQ(status(stopped), "stopped");
  EXPECT_TRUE(noticed("may be lost"));
  EXPECT_EQ(record(wanted).last_exit->cause, supervisor::ExitCause::kPmxLost);
  EXPECT_EQ(record(stopped).last_exit->cause, supervisor::ExitCause::kAsked);
}

TEST_F(RecoveryTest, AShutdownLeavesWhatIsWantedForTheNextStart) {
  const WorkerId id = online();
  supervisor_->stop(id, Worker::Wanted::kStill, nullptr);
  exits(id, SIGINT);
  settle();
  supervisor_.reset();
  link_.forget_everything();
  begin();
  EXPECT_EQ(status(id), "launching");
}

TEST_F(RecoveryTest, ASafeStartReadsTheFileAndTrustsTheTable) {
  const WorkerId id = online();
  link_.state_ = "{\"workers\": garbage";
  link_.safe_ = true;
  next_daemon();
  EXPECT_EQ(status(id), "online");
}

TEST_F(RecoveryTest, GarbageInTheKeepersCopyFallsBackToTheFile) {
  const WorkerId id = online();
  link_.state_ = "garbage";
  next_daemon();
  EXPECT_EQ(status(id), "online");
  EXPECT_TRUE(noticed("keeper's copy"));
}

AppSpec waiting() {
  AppSpec spec;
  spec.name = "slow";
  spec.script = "/bin/true";
  spec.cwd = "/";
  spec.wait_ready = true;
  return spec;
}

TEST_F(RecoveryTest, OneThatIsNotReadyIsStillWaitedForAndNoLongerThanBefore) {
  const WorkerId id = added(waiting());
  supervisor_->start(id, std::nullopt, nullptr);
  link_.run(record(id).run);
  clock_.advance(2s);
  next_daemon();
  EXPECT_EQ(status(id), "launching");
  clock_.advance(999ms);
  EXPECT_TRUE(record(id).trouble.empty());
  clock_.advance(1ms);
  EXPECT_NE(record(id).trouble.find("has not sent 'ready'"), std::string::npos);
  says(id, "\"ready\"");
  EXPECT_EQ(status(id), "online");
}

TEST_F(RecoveryTest, AReadyThatNoDaemonHasSeenIsSeenByTheNext) {
  const WorkerId id = added(waiting());
  supervisor_->start(id, std::nullopt, nullptr);
  supervisor_->save_now();
  supervisor_.reset();
  link_.run(link_.spawns_[0].run);
  ASSERT_TRUE(sys::send_bytes(link_.channel_of(link_.spawns_[0].run), "\"ready\"\n"));
  next_daemon();
  watches_.changed();
  EXPECT_EQ(status(id), "online");
}

TEST_F(RecoveryTest, AReadyThatWasNotSavedYetIsThereForTheNextDaemon) {
  const WorkerId id = added(waiting());
  supervisor_->start(id, std::nullopt, nullptr);
  link_.run(record(id).run);
  supervisor_->save_now();
  says(id, "\"ready\"");
  EXPECT_EQ(status(id), "online");
  next_daemon();  // Before the list was saved.
  EXPECT_EQ(status(id), "launching");
  watches_.changed();
  EXPECT_EQ(status(id), "online");
  settle();  // Saved: now it is out of the channel.
  EXPECT_EQ(
      sys::pipe_bytes_waiting(link_.get("chan." + std::to_string(record(id).run.value))->get())
          .value(),
      0U);
  next_daemon();
  EXPECT_EQ(status(id), "online");
}

TEST_F(RecoveryTest, AStopByMessageThatWasUnderWayGoesOnByMessage) {
  AppSpec spec = waiting();
  spec.wait_ready = false;
  spec.shutdown_with_message = true;
  const WorkerId id = online(spec);
  const RunId run = record(id).run;
  supervisor_->stop(id, Worker::Wanted::kNoLonger, nullptr);
  settle();
  EXPECT_EQ(all_of(link_.channel_of(run)), "\"shutdown\"\n");
  next_daemon();
  EXPECT_EQ(status(id), "stopping");
  EXPECT_EQ(all_of(link_.channel_of(run)), "\"shutdown\"\n");
  EXPECT_TRUE(link_.signals_.empty());
}

TEST_F(RecoveryTest, WhatAppsHaveDeclaredIsKnownToTheNextDaemon) {
  const WorkerId id = online(waiting());
  says(id, R"({"type":"axm:action","data":{"action_name":"gc"}})");
  settle();
  next_daemon();
  EXPECT_EQ(record(id).actions.dump(), R"([{"action_name":"gc"}])");
}

TEST_F(RecoveryTest, ChannelsAndInputsOfRunsThatAreOverAreDropped) {
  const WorkerId id = online(waiting());
  const RunId over = record(id).run;
  const std::string run = std::to_string(over.value);
  supervisor_.reset();
  link_.exit(over, code(0), clock_.system_ns());
  next_daemon();
  for (const std::string& name : link_.names()) {
    EXPECT_NE(name, "chan." + run);
    EXPECT_NE(name, "stdin." + run);
  }
}

TEST_F(RecoveryTest, WithoutAutosaveANewKeepersListIsEmptyAndTheSameOnesIsNot) {
  autosave_ = false;
  const WorkerId id = online();
  settle();
  next_daemon();
  EXPECT_EQ(status(id), "online");
  supervisor_.reset();
  link_.forget_everything();
  begin();
  EXPECT_TRUE(supervisor_->workers().empty());
  EXPECT_EQ(added(), WorkerId{0});
}

TEST_F(RecoveryTest, InTheForegroundTheOneAppIsStartedOnceAndKept) {
  supervisor_.reset();
  begin({}, {app("fg")});
  ASSERT_EQ(link_.spawns_.size(), 1U);
  link_.run(link_.spawns_[0].run);
  settle();
  EXPECT_FALSE(std::filesystem::exists(home_ + "/state/apps.json") &&
               RealFs().read_file(home_ + "/state/apps.json")->find("fg") != std::string::npos);
  link_.reconnect();
  link_.safe_ = true;  // Even where the keeper's copy must not be read.
  std::vector<RunSpec> runs;
  for (const supervisor::RunFds& run : supervisor::held_by(link_).runs) runs.push_back(run.spec);
  begin(runs, {app("fg")});
  EXPECT_EQ(link_.spawns_.size(), 1U);
  EXPECT_EQ(status(WorkerId{0}), "online");
}

}  // namespace
}  // namespace pmx::test
