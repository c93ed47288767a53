#include <gmock/gmock.h>

#include "supervisor/reload_fixture.h"

namespace pmx::test {
namespace {

using supervisor::ExitCause;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class WorkerReloadTest : public ReloadFixture {};

// ---- When the next run takes over.

TEST_F(WorkerReloadTest, TakesOverWhenItListensOnAllThatItsPredecessorServes) {
  const WorkerId id = serving();
  const RunId old = record(id).run;
  listens(old, 1);
  reload({id});
  const RunId next = successor_of(id);
  EXPECT_EQ(record(id).run, old);
  listens(next, 0);
  EXPECT_EQ(record(id).run, old);
  EXPECT_FALSE(has_changed(id));
  listens(next, 1);
  EXPECT_EQ(record(id).run, next);
  EXPECT_TRUE(has_changed(id));
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(status(id), "online");
  EXPECT_TRUE(noticed("App [web:0] reloaded: pid 5000000 is followed by 5000001"));
  EXPECT_THAT(link_.spawns_, SizeIs(2));
  EXPECT_THAT(signals_to(old), SizeIs(0));
}

TEST_F(WorkerReloadTest, MoreAddressesThanItsPredecessorsAreFine) {
  const WorkerId id = serving();
  reload({id});
  const RunId next = successor_of(id);
  listens(next, 3);
  EXPECT_NE(record(id).run, next);
  listens(next, 0);
  EXPECT_EQ(record(id).run, next);
}

TEST_F(WorkerReloadTest, TakesOverWhenItSaysThatItIsReady) {
  AppSpec spec = web();
  spec.wait_ready = true;
  const WorkerId id = online(spec);
  run_says(record(id).run, "\"ready\"");
  listens(record(id).run);
  reload({id}, changed(spec));
  const RunId next = successor_of(id);
  listens(next);
  EXPECT_NE(record(id).run, next);
  run_says(next, "\"ready\"");
  EXPECT_EQ(record(id).run, next);
  EXPECT_EQ(status(id), "online");
}

TEST_F(WorkerReloadTest, WhereNothingIsServedItTakesOverAfterMinUptime) {
  AppSpec spec = web();
  spec.min_uptime = 1s;
  const WorkerId id = online(spec);
  reload({id}, changed(spec));
  const RunId next = successor_of(id);
  clock_.advance(700ms);
  EXPECT_NE(record(id).run, next);
  clock_.advance(300ms);
  EXPECT_EQ(record(id).run, next);
}

TEST_F(WorkerReloadTest, IsRestartedWhereItIsNoCluster) {
  const WorkerId id = online();
  const RunId old = record(id).run;
  AppSpec spec = app();
  reload({id}, changed(spec));
  EXPECT_EQ(status(id), "stopping");
  exits(id, kExit0);
  EXPECT_NE(record(id).run, old);
  EXPECT_TRUE(has_changed(id));
}

TEST_F(WorkerReloadTest, IsStartedWhereItDoesNotRun) {
  const WorkerId id = added(web());
  reload({id});
  EXPECT_EQ(status(id), "launching");
  EXPECT_TRUE(has_changed(id));
  EXPECT_FALSE(record(id).successor);
}

TEST_F(WorkerReloadTest, TheNextRunHasANumberOfItsOwn) {
  const WorkerId id = serving();
  reload({id});
  const auto number = [this](std::size_t spawn) {
    const auto& env = link_.spawns_[spawn].env;
    return *std::find_if(env.begin(), env.end(), [](const std::string& variable) {
      return variable.starts_with("NODE_UNIQUE_ID=");
    });
  };
  EXPECT_EQ(number(0), "NODE_UNIQUE_ID=1");
  EXPECT_EQ(number(1), "NODE_UNIQUE_ID=2");
}

// ---- When it does not.

TEST_F(WorkerReloadTest, OneThatDoesNotListenInTimeIsEndedAndTheOldOneStays) {
  const WorkerId id = serving();
  const RunId old = record(id).run;
  reload({id});
  const RunId next = successor_of(id);
  clock_.advance(2700ms);
  EXPECT_TRUE(record(id).successor);
  clock_.advance(200ms);
  EXPECT_FALSE(record(id).successor);
  EXPECT_EQ(record(id).run, old);
  EXPECT_FALSE(has_changed(id));
  EXPECT_EQ(record(id).restarts, 0);
  EXPECT_THAT(answers_, SizeIs(0));  // Until the failed one is gone.
  // It has no clients, and to a node at its start a channel that closes is an error.
  EXPECT_FALSE(has(told(next), "disconnect"));
  EXPECT_THAT(signals_to(next), ElementsAre(SIGINT));
  leaves(next);
  EXPECT_THAT(answers_, ElementsAre("web (id 0): the new process does not listen on what the old "
                                    "one does within listen_timeout (3000 ms); the old one stays"));
  EXPECT_THAT(record(id).trouble, HasSubstr("reload: "));
  EXPECT_THAT(signals_to(old), SizeIs(0));
  EXPECT_FALSE(has(told(old), "drain"));
}

TEST_F(WorkerReloadTest, OneThatIsNotReadyInTimeIsSaid) {
  AppSpec spec = web();
  spec.wait_ready = true;
  const WorkerId id = online(spec);
  run_says(record(id).run, "\"ready\"");
  reload({id}, changed(spec));
  const RunId next = successor_of(id);
  clock_.advance(3s);
  leaves(next);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("has not sent 'ready' within listen_timeout (3000 ms)"));
}

TEST_F(WorkerReloadTest, OneThatDiesLeavesTheOldOneAsItIs) {
  const WorkerId id = serving();
  const RunId old = record(id).run;
  reload({id});
  run_exits(successor_of(id), kExit1);
  EXPECT_EQ(record(id).run, old);
  EXPECT_EQ(status(id), "online");
  EXPECT_FALSE(has_changed(id));
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("web (id 0): the new process exited with code [1]"));
  EXPECT_THAT(answers_[0], HasSubstr("before it was ready; the old one stays"));
  EXPECT_FALSE(record(id).last_exit);
  clock_.advance(1min);
  EXPECT_THAT(link_.spawns_, SizeIs(2));
}

TEST_F(WorkerReloadTest, OneThatCannotBeStartedLeavesTheOldOneAsItIs) {
  const WorkerId id = serving();
  const RunId old = record(id).run;
  link_.spawn_errno_ = EAGAIN;
  reload({id});
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("the new process cannot be started: "));
  link_.spawn_errno_ = 0;
  reload({id});
  link_.exec_fails(record(id).successor->run, ENOENT, "exec /usr/bin/node");
  settle();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("cannot be started: exec /usr/bin/node"));
  EXPECT_EQ(record(id).run, old);
  EXPECT_EQ(status(id), "online");
}

TEST_F(WorkerReloadTest, AfterAFailureItCanBeReloadedAgain) {
  const WorkerId id = serving();
  reload({id});
  run_exits(successor_of(id), kExit1);
  leaves(reload_and_follow(id));
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_TRUE(record(id).trouble.empty());
}

TEST_F(WorkerReloadTest, WhereTheOldOneDiesTheNextOneIsTheWorker) {
  const WorkerId id = serving();
  reload({id});
  const RunId next = successor_of(id);
  run_exits(record(id).run, kExit1);
  EXPECT_EQ(record(id).run, next);
  EXPECT_TRUE(has_changed(id));
  EXPECT_EQ(status(id), "online");
  EXPECT_THAT(link_.spawns_, SizeIs(2));
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(WorkerReloadTest, WhereTheOldOneDiesEarlyTheNextOneIsLaunchedAsAnyOther) {
  const WorkerId id = serving();
  reload({id});
  const RunId next = record(id).successor->run;
  run_exits(record(id).run, kExit1);
  EXPECT_EQ(record(id).run, next);
  EXPECT_EQ(status(id), "launching");
  link_.run(next);
  EXPECT_EQ(status(id), "online");
  run_exits(next, kExit1);
  EXPECT_EQ(link_.spawns_.size(), 3U);
}

// ---- How the one that was followed leaves.

TEST_F(WorkerReloadTest, LeavesStepByStep) {
  AppSpec spec = web();
  spec.shutdown_with_message = true;
  const WorkerId id = serving(spec);
  const RunId old = record(id).run;
  (void)told(old);
  (void)reload_and_follow(id, changed(spec));
  EXPECT_EQ(told(old), "{\"cmd\":\"NODE_PMX\",\"act\":\"drain\"}\n");
  clock_.advance(800ms);
  EXPECT_EQ(told(old), "");
  clock_.advance(100ms);
  const std::string words = told(old);
  EXPECT_TRUE(words.starts_with("\"shutdown\"\n{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\""));
  clock_.advance(500ms);
  EXPECT_THAT(signals_to(old), SizeIs(0));  // It finishes what it has.
  hangs_up(old);
  clock_.advance(299ms);
  EXPECT_THAT(signals_to(old), SizeIs(0));  // An exit of its own.
  clock_.advance(1ms);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT));
  clock_.advance(700ms);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT));
  clock_.advance(100ms);  // kill_timeout, from the disconnect on.
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT, SIGKILL));
  EXPECT_TRUE(
      noticed("pid 5000000 has not let go within 1600ms, and held 0 connections: sending SIGKILL"));
  EXPECT_THAT(answers_, SizeIs(0));
  run_exits(old, SIGKILL);
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(WorkerReloadTest, ARunWhoseClientsAreGoneNeedNotWait) {
  const WorkerId id = serving();
  const RunId old = reload_and_follow(id);
  ASSERT_FALSE(has(told(old), R"("act":"disconnect")"));
  run_says(old, R"({"cmd":"NODE_PMX","act":"drained"})");
  EXPECT_TRUE(has(told(old), R"("act":"disconnect")"));
  clock_.advance(1s);
  EXPECT_EQ(told(old), "");  // Once.
}

TEST_F(WorkerReloadTest, WithoutTheHookItIsDisconnectedAtOnce) {
  AppSpec spec = web();
  spec.drain_hook = false;
  const WorkerId id = serving(spec);
  const RunId old = reload_and_follow(id, changed(spec));
  const std::string words = told(old);
  EXPECT_FALSE(has(words, "drain"));
  EXPECT_FALSE(has(words, "shutdown"));
  EXPECT_TRUE(has(words, R"("act":"disconnect")"));
}

TEST_F(WorkerReloadTest, ARunThatEndsByItselfGetsNoSignal) {
  const WorkerId id = serving();
  const RunId old = reload_and_follow(id);
  clock_.advance(1s);
  hangs_up(old);
  run_exits(old);
  clock_.advance(1min);
  EXPECT_THAT(signals_to(old), SizeIs(0));
  EXPECT_EQ(record(id).last_exit->run, old);
  EXPECT_EQ(record(id).last_exit->cause, ExitCause::kAsked);
  EXPECT_THAT(record(id).leaving, SizeIs(0));
  EXPECT_EQ(status(id), "online");
  EXPECT_THAT(link_.spawns_, SizeIs(2));
}

TEST_F(WorkerReloadTest, ARunWithoutAChannelGetsTheSignal) {
  AppSpec spec = web();
  spec.drain_hook = false;
  const WorkerId id = serving(spec);
  hangs_up(record(id).run);  // process.disconnect(): it is no worker of a cluster any more.
  reload({id}, changed(spec));
  const RunId old = record(id).run;
  (void)successor_of(id);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT));
  clock_.advance(1600ms);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT, SIGKILL));
}

TEST_F(WorkerReloadTest, AnotherReloadNeedNotWaitForARunThatLeaves) {
  const WorkerId id = serving();
  const RunId first = reload_and_follow(id);
  supervisor_->reload({{id, changed()}}, 1, note());
  EXPECT_THAT(answers_, ElementsAre("web is being reloaded already"));
  leaves(first);
  EXPECT_THAT(answers_, ElementsAre("web is being reloaded already", "ok"));
  const RunId second = reload_and_follow(id);
  EXPECT_THAT(record(id).leaving, SizeIs(1));
  leaves(second);
  EXPECT_EQ(record(id).restarts, 2);
}

// ---- Stops.

TEST_F(WorkerReloadTest, AStopHurriesTheRunThatLeaves) {
  const WorkerId id = serving();
  const RunId old = reload_and_follow(id), current = record(id).run;
  answers_.clear();
  supervisor_->stop(id, supervisor::Worker::Wanted::kNoLonger, note());
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT));
  EXPECT_THAT(signals_to(current), ElementsAre(SIGINT));
  run_exits(current);
  EXPECT_EQ(status(id), "stopped");
  EXPECT_THAT(answers_, SizeIs(0));
  clock_.advance(1600ms);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT, SIGKILL));
  run_exits(old, SIGKILL);
  EXPECT_THAT(answers_, ElementsAre("ok", "ok"));
  EXPECT_THAT(link_.names(), testing::Not(testing::Contains(testing::StartsWith("port."))));
}

TEST_F(WorkerReloadTest, AStopWaitsForAReloadInWork) {
  const WorkerId id = serving();
  reload({id});
  supervisor_->stop(id, supervisor::Worker::Wanted::kNoLonger, note());
  const RunId old = follow(id), next = record(id).run;
  EXPECT_EQ(status(id), "stopping");
  run_exits(next);
  run_exits(old);
  EXPECT_EQ(status(id), "stopped");
  EXPECT_THAT(answers_, SizeIs(2));
  EXPECT_THAT(link_.spawns_, SizeIs(2));
}

TEST_F(WorkerReloadTest, ARunThatClosesItsChannelWhileItDrainsIsKilledInTheEnd) {
  const WorkerId id = serving();
  const RunId old = reload_and_follow(id);
  hangs_up(old);
  clock_.advance(1min);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT, SIGKILL));
}

TEST_F(WorkerReloadTest, ANewListenTimeoutCountsForTheRunThatHasIt) {
  const WorkerId id = serving();
  AppSpec slow = changed();
  slow.listen_timeout = 30s;
  reload({id}, slow);
  (void)successor_of(id);
  clock_.advance(10s);
  EXPECT_TRUE(record(id).successor);
}

TEST_F(WorkerReloadTest, ASuccessorIsNotOnlineBeforeItIsReady) {
  AppSpec spec = web();
  spec.wait_ready = true;
  const WorkerId id = online(spec);
  run_says(record(id).run, "\"ready\"");
  reload({id}, changed(spec));
  (void)successor_of(id);
  run_exits(record(id).run, kExit1);
  EXPECT_EQ(status(id), "launching");
}

TEST_F(WorkerReloadTest, TheEndOfARunThatDiesWhileItIsReloadedIsKept) {
  const WorkerId id = serving();
  reload({id});
  (void)successor_of(id);
  const RunId old = record(id).run;
  run_exits(old, kExit1);
  ASSERT_TRUE(record(id).last_exit);
  EXPECT_EQ(record(id).last_exit->run, old);
}

}  // namespace
}  // namespace pmx::test
