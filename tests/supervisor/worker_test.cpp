#include "supervisor/worker.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>

#include "supervisor/supervisor_fixture.h"

namespace pmx::test {
namespace {

using supervisor::Worker;
using Signal = FakeKeeperLink::Signal;
constexpr int code(int value) { return value << 8; }

class WorkerTest : public SupervisorFixture {};

TEST_F(WorkerTest, IsLaunchingUntilTheKeeperSaysThatItRuns) {
  const WorkerId id = added();
  supervisor_->start(id, std::nullopt, note());
  EXPECT_EQ(status(id), "launching");
  EXPECT_TRUE(answers_.empty());
  link_.run(record(id).run);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(answers_, std::vector<std::string>{"ok"});
}

TEST_F(WorkerTest, IsRestartedWhenItEndsAndKeepsItsTrueExit) {
  const WorkerId id = online();
  exits(id, SIGSEGV);
  EXPECT_EQ(status(id), "waiting restart");
  settle();
  EXPECT_EQ(link_.spawns_.size(), 2U);
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(record(id).last_exit->signal, SIGSEGV);
  EXPECT_FALSE(record(id).last_exit->code);
  EXPECT_EQ(supervisor_->find(id)->restarts_in_last_minute(), 1);
}

TEST_F(WorkerTest, StopSignalsTheGroupAndEndsWithTheLeader) {
  const WorkerId id = online();
  const RunId run = record(id).run;
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  EXPECT_EQ(status(id), "stopping");
  EXPECT_EQ(link_.signals_, (std::vector<Signal>{{run, SIGINT, true}}));
  exits(id, SIGINT);
  EXPECT_EQ(status(id), "stopped");
  EXPECT_EQ(answers_.back(), "ok");
  settle();
  EXPECT_EQ(link_.spawns_.size(), 1U);
  EXPECT_FALSE(record(id).should_run);
}

TEST_F(WorkerTest, OneThatDoesNotStopIsKilledAfterKillTimeout) {
  const WorkerId id = online();
  const RunId run = record(id).run;
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  clock_.advance(1599ms);
  EXPECT_EQ(link_.signals_.size(), 1U);
  clock_.advance(1ms);
  EXPECT_EQ(link_.signals_.back(), (Signal{run, SIGKILL, true}));
  exits(id, SIGKILL);
  EXPECT_EQ(status(id), "stopped");
}

TEST_F(WorkerTest, WithoutTreekillOnlyTheLeaderIsSignalled) {
  AppSpec spec = app();
  spec.treekill = false;
  const WorkerId id = online(spec);
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  EXPECT_FALSE(link_.signals_.back().group);
}

TEST_F(WorkerTest, OneThatOutlivesSigkillIsAnsweredFor) {
  const WorkerId id = online();
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  clock_.advance(10s);
  EXPECT_NE(answers_.back().find("does not end even by SIGKILL"), std::string::npos);
  supervisor_->start(id, std::nullopt, note());  // Waits: two lives at once would be worse.
  EXPECT_EQ(link_.spawns_.size(), 1U);
  exits(id, SIGKILL);
  EXPECT_EQ(link_.spawns_.size(), 2U);
}

TEST_F(WorkerTest, StopCancelsAWaitForRestart) {
  AppSpec spec = app();
  spec.restart_delay = 5s;
  const WorkerId id = online(spec);
  exits(id, code(1));
  EXPECT_EQ(status(id), "waiting restart");
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  EXPECT_EQ(status(id), "stopped");
  clock_.advance(1min);
  EXPECT_EQ(link_.spawns_.size(), 1U);
}

TEST_F(WorkerTest, RestartKeepsTheIdAndCountsOnlyWhatRan) {
  const WorkerId id = online();
  supervisor_->restart(id, std::nullopt, note());
  exits(id, SIGINT);
  EXPECT_EQ(status(id), "launching");
  link_.run(record(id).run);
  EXPECT_EQ(record(id).restarts, 1);
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  exits(id, SIGINT);
  supervisor_->restart(id, std::nullopt, note());
  link_.run(record(id).run);
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(answers_, (std::vector<std::string>{"ok", "ok", "ok", "ok"}));
}

TEST_F(WorkerTest, OperationsDoNotOverlap) {
  const WorkerId id = online();
  supervisor_->restart(id, std::nullopt, note());
  supervisor_->restart(id, std::nullopt, note());
  EXPECT_EQ(link_.signals_.size(), 1U);
  exits(id, SIGINT);
  EXPECT_EQ(link_.spawns_.size(), 2U);
  EXPECT_EQ(link_.signals_.size(), 1U);  // The second waits until the first has it online.
  link_.run(record(id).run);
  EXPECT_EQ(link_.signals_.size(), 2U);
}

TEST_F(WorkerTest, AQueueThatIsFullRefuses) {
  const WorkerId id = online();
  for (int i = 0; i < 40; ++i) supervisor_->restart(id, std::nullopt, note());
  EXPECT_NE(answers_.back().find("too many operations"), std::string::npos);
}

TEST_F(WorkerTest, ANewSpecTakesEffectWithTheStart) {
  const WorkerId id = online();
  AppSpec changed = app();
  changed.args = {"--new"};
  supervisor_->restart(id, changed, note());
  EXPECT_TRUE(record(id).spec.args.empty());
  exits(id, SIGINT);
  EXPECT_EQ(link_.spawns_.back().argv.back(), "--new");
}

TEST_F(WorkerTest, ACrashLoopEndsErroredAndIsNamed) {
  const WorkerId id = online();
  for (int i = 0; i < 15; ++i) {
    exits(id, code(7));
    clock_.run_due();
    link_.run(record(id).run);
  }
  exits(id, code(7));
  EXPECT_EQ(status(id), "errored");
  EXPECT_EQ(record(id).restarts, 15);
  EXPECT_NE(record(id).trouble.find("crash loop: 16 ends"), std::string::npos);
  settle();
  EXPECT_EQ(link_.spawns_.size(), 16U);
}

TEST_F(WorkerTest, StartAfterErroredBeginsWithACleanRecord) {
  AppSpec spec = app();
  spec.max_restarts = 1;
  const WorkerId id = online(spec);
  exits(id, code(1));
  ASSERT_EQ(status(id), "errored");
  supervisor_->start(id, std::nullopt, note());
  link_.run(record(id).run);
  EXPECT_EQ(status(id), "online");
  EXPECT_TRUE(record(id).trouble.empty());
}

TEST_F(WorkerTest, AFailedExecIsAnErrorWithItsStepAndReason) {
  const WorkerId id = added();
  supervisor_->start(id, std::nullopt, note());
  link_.exec_fails(record(id).run, ENOENT);
  EXPECT_EQ(status(id), "errored");
  EXPECT_EQ(answers_.back(), "web (id 0) cannot be started: exec: No such file or directory");
}

TEST_F(WorkerTest, WantOfDescriptorsIsWaitedOut) {
  const WorkerId id = added();
  link_.spawn_errno_ = EMFILE;
  supervisor_->start(id, std::nullopt, note());
  EXPECT_EQ(status(id), "waiting restart");
  EXPECT_NE(answers_.back().find("no descriptors left"), std::string::npos);
  link_.spawn_errno_ = 0;
  clock_.advance(2s);
  link_.run(record(id).run);
  EXPECT_EQ(status(id), "online");
  EXPECT_TRUE(record(id).trouble.empty());
}

TEST_F(WorkerTest, StopWhileItIsRestartedSignalsOnce) {
  const WorkerId id = online();
  exits(id, code(1));
  settle();
  ASSERT_EQ(status(id), "launching");
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  link_.run(record(id).run);  // A second SIGINT would make many programs give up their clean-up.
  EXPECT_EQ(link_.signals_.size(), 1U);
  EXPECT_EQ(status(id), "stopping");
  exits(id, SIGINT);
  EXPECT_EQ(status(id), "stopped");
}

class WorkerReadyTest : public SupervisorFixture {
 protected:
  static AppSpec waiting() {
    AppSpec spec = app();
    spec.wait_ready = true;
    return spec;
  }
  WorkerId launched(AppSpec spec = waiting()) {
    const WorkerId id = added(std::move(spec));
    supervisor_->start(id, std::nullopt, note());
    link_.run(record(id).run);
    return id;
  }
};

TEST_F(WorkerReadyTest, IsLaunchingUntilItSaysThatItIsReady) {
  const WorkerId id = launched();
  EXPECT_EQ(status(id), "launching");
  EXPECT_TRUE(answers_.empty());
  says(id, "\"ready\"");
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(answers_, std::vector<std::string>{"ok"});
  clock_.advance(1min);
  EXPECT_EQ(status(id), "online");
  EXPECT_TRUE(record(id).trouble.empty());
}

TEST_F(WorkerReadyTest, ATimeoutIsAnErrorAndNoEndOfTheWorker) {
  const WorkerId id = launched();
  clock_.advance(2999ms);
  EXPECT_TRUE(answers_.empty());
  clock_.advance(1ms);
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_NE(answers_[0].find("has not sent 'ready' within 3000 ms"), std::string::npos);
  EXPECT_EQ(status(id), "launching");
  EXPECT_EQ(record(id).trouble, answers_[0]);
  EXPECT_TRUE(link_.signals_.empty());
  says(id, "\"ready\"");
  EXPECT_EQ(status(id), "online");
  EXPECT_TRUE(record(id).trouble.empty());
}

TEST_F(WorkerReadyTest, OneThatEndsBeforeItIsReadyHasNotStarted) {
  const WorkerId id = launched();
  exits(id, code(3));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_NE(answers_[0].find("ended before it was ready: it exited with code [3]"),
            std::string::npos);
  settle();
  link_.run(record(id).run);  // By the policy, as any other.
  EXPECT_EQ(status(id), "launching");
  says(id, "\"ready\"");
  EXPECT_EQ(status(id), "online");
}

TEST_F(WorkerReadyTest, IsStoppedAndRestartedWhileItIsNotReady) {
  const WorkerId id = launched();
  clock_.advance(3s);
  supervisor_->restart(id, std::nullopt, note());
  exits(id, SIGINT);
  link_.run(record(id).run);
  EXPECT_EQ(answers_.size(), 1U);
  says(id, "\"ready\"");
  EXPECT_EQ(answers_.back(), "ok");
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  exits(id, SIGINT);
  EXPECT_EQ(status(id), "stopped");
}

TEST_F(WorkerReadyTest, ReadyOfAnAppThatNobodyWaitsForIsNothing) {
  AppSpec spec = app();
  spec.interpreter = "/usr/bin/node";
  const WorkerId id = online(spec);
  says(id, "\"ready\"");
  EXPECT_EQ(status(id), "online");
}

TEST_F(WorkerReadyTest, TheMessageInPlaceOfSigintIsFollowedBySigkill) {
  AppSpec spec = app();
  spec.shutdown_with_message = true;
  const WorkerId id = online(spec);
  const RunId run = record(id).run;
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  EXPECT_EQ(all_of(link_.channel_of(run)), "\"shutdown\"\n");
  EXPECT_TRUE(link_.signals_.empty());
  clock_.advance(1600ms);
  EXPECT_EQ(link_.signals_, (std::vector<Signal>{{run, SIGKILL, true}}));
}

TEST_F(WorkerReadyTest, WhereTheChannelIsClosedSigintComesAfterAll) {
  AppSpec spec = app();
  spec.shutdown_with_message = true;
  const WorkerId id = online(spec);
  const RunId run = record(id).run;
  ASSERT_EQ(::shutdown(link_.channel_of(run), SHUT_RDWR), 0);  // process.disconnect()
  watches_.changed();
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  EXPECT_EQ(link_.signals_, (std::vector<Signal>{{run, SIGINT, true}}));
}

TEST_F(WorkerReadyTest, WhatItDeclaresLastsAsLongAsItsRun) {
  const WorkerId id = launched();
  says(id, R"({"type":"axm:action","data":{"action_name":"gc"}})");
  says(id, R"({"type":"axm:monitor","data":{"heap":{"value":1}}})");
  EXPECT_EQ(record(id).actions.dump(), R"([{"action_name":"gc"}])");
  clock_.advance(100ms);  // What is said behind it is heard once it has been saved.
  EXPECT_EQ(supervisor_->find(id)->monitor().dump(), R"({"heap":{"value":1}})");
  exits(id, code(1));
  EXPECT_EQ(record(id).actions.dump(), "[]");
  EXPECT_EQ(supervisor_->find(id)->monitor().dump(), "{}");
}

TEST_F(WorkerTest, CronRestartsItAlsoWhenItIsStopped) {
  AppSpec spec = app();
  spec.cron_restart = "*/5 * * * *";
  const WorkerId id = online(spec);
  clock_.advance(5min);
  EXPECT_EQ(status(id), "stopping");
  exits(id, SIGINT);
  EXPECT_EQ(record(id).last_exit->cause, supervisor::ExitCause::kCron);
  link_.run(record(id).run);
  EXPECT_EQ(record(id).restarts, 1);
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  exits(id, SIGINT);
  EXPECT_EQ(status(id), "stopped");
  clock_.advance(5min);
  EXPECT_EQ(status(id), "launching");
}

TEST_F(WorkerTest, AJobIsStartedAtItsTimesAndNeverTwiceAtOnce) {
  AppSpec spec = app();
  spec.cron_restart = "* * * * *";
  spec.autorestart = false;
  const WorkerId id = online(spec);
  clock_.advance(90s);
  EXPECT_EQ(status(id), "online");  // It still runs: that time is left out.
  exits(id, code(0));
  EXPECT_EQ(status(id), "stopped");
  clock_.advance(60s);
  EXPECT_EQ(status(id), "launching");
  link_.run(record(id).run);
  EXPECT_EQ(link_.spawns_.size(), 2U);
  EXPECT_EQ(record(id).restarts, 0);
}

TEST_F(WorkerTest, TheNextDaemonStartsAJobThatFellDueMeanwhile) {
  AppSpec spec = app();
  spec.cron_restart = "*/5 * * * *";
  spec.autorestart = false;
  const WorkerId id = online(spec);
  exits(id, code(0));
  settle();
  supervisor_.reset();
  clock_.advance(5min);
  next_daemon();
  clock_.run_due();
  EXPECT_EQ(status(id), "launching");
}

TEST_F(WorkerTest, WithoutAutorestartItStaysStopped) {
  AppSpec spec = app();
  spec.autorestart = false;
  const WorkerId id = online(spec);
  exits(id, code(0));
  settle();
  EXPECT_EQ(status(id), "stopped");
  EXPECT_FALSE(record(id).should_run);
  EXPECT_EQ(record(id).last_exit->code, 0);
}

}  // namespace
}  // namespace pmx::test
