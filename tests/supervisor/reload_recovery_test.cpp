#include <gmock/gmock.h>

#include "supervisor/reload_fixture.h"
#include "support/loopback.h"

namespace pmx::test {
namespace {

using supervisor::Worker;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// Daemons that die while a worker is reloaded, and what the next one makes of it.
class ReloadRecoveryTest : public ReloadFixture {
 protected:
  void SetUp() override {
    id_ = serving();
    old_ = record(id_).run;
    reload({id_});
    next_ = record(id_).successor->run;
  }
  // While no daemon lives.
  void exits_unseen(RunId run, int wait_status) {
    supervisor_.reset();
    link_.exit(run, wait_status, clock_.system_ns());
  }
  void next_daemon() {
    ReloadFixture::next_daemon();
    settle();
  }
  void expect_the_old_one_stays() {
    EXPECT_EQ(record(id_).run, old_);
    EXPECT_EQ(status(id_), "online");
    EXPECT_FALSE(has_changed(id_) || record(id_).reload_to || record(id_).successor);
  }
  void expect_it_is_followed() {
    EXPECT_EQ(record(id_).run, next_);
    EXPECT_EQ(status(id_), "online");
    EXPECT_TRUE(has_changed(id_));
  }

  WorkerId id_;
  RunId old_, next_;
};

// ---- Before the next run has taken over.

TEST_F(ReloadRecoveryTest, BeforeItsExec) {
  next_daemon();
  EXPECT_EQ(record(id_).run, old_);
  EXPECT_EQ(status(id_), "online");
  leaves(follow(id_));
  expect_it_is_followed();
  EXPECT_THAT(link_.spawns_, SizeIs(2));
}

TEST_F(ReloadRecoveryTest, BeforeItListens) {
  (void)successor_of(id_);
  next_daemon();
  leaves(follow(id_));
  expect_it_is_followed();
}

TEST_F(ReloadRecoveryTest, WithItsQuestionInTheChannel) {
  (void)successor_of(id_);
  supervisor_.reset();
  const std::string query =
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":"127.0.0.1","addressType":4,)"
      R"("data":null,"index":0,"port":0,"seq":1})";
  ASSERT_TRUE(sys::send_bytes(link_.channel_of(next_), query + "\n"));
  next_daemon();
  watches_.changed();
  EXPECT_TRUE(has(told(next_), R"("errno":0)"));
}

TEST_F(ReloadRecoveryTest, ListenTimeoutBeginsAnew) {
  (void)successor_of(id_);
  clock_.advance(2s);
  next_daemon();
  clock_.advance(2800ms);
  EXPECT_TRUE(record(id_).successor);
  clock_.advance(200ms);
  expect_the_old_one_stays();
  EXPECT_THAT(signals_to(next_), ElementsAre(SIGINT));
}

TEST_F(ReloadRecoveryTest, TheNextRunHasDiedMeanwhile) {
  (void)successor_of(id_);
  exits_unseen(next_, kExit1);
  next_daemon();
  EXPECT_EQ(record(id_).run, old_);
  EXPECT_EQ(status(id_), "online");
  EXPECT_EQ(link_.acknowledged_, std::vector<RunId>{next_});
  EXPECT_THAT(signals_to(old_), SizeIs(0));
}

TEST_F(ReloadRecoveryTest, TheOldRunHasDiedMeanwhile) {
  (void)successor_of(id_);
  exits_unseen(old_, kExit1);
  next_daemon();
  expect_it_is_followed();
  EXPECT_THAT(link_.spawns_, SizeIs(2));
  EXPECT_EQ(link_.acknowledged_, std::vector<RunId>{old_});
}

TEST_F(ReloadRecoveryTest, BothHaveDiedMeanwhile) {
  (void)successor_of(id_);
  exits_unseen(old_, kExit1);
  link_.exit(next_, kExit1, clock_.system_ns());
  next_daemon();
  ASSERT_THAT(link_.spawns_, SizeIs(3));
  link_.run(link_.spawns_[2].run);
  EXPECT_EQ(record(id_).run, link_.spawns_[2].run);
  EXPECT_EQ(status(id_), "online");
}

// ---- While the old one leaves.

TEST_F(ReloadRecoveryTest, ARunThatDrainsIsAskedAgainAndGoesOn) {
  (void)follow(id_);
  (void)told(old_);
  next_daemon();
  expect_it_is_followed();
  EXPECT_EQ(told(old_), "{\"cmd\":\"NODE_PMX\",\"act\":\"drain\"}\n");
  clock_.advance(1s);
  EXPECT_TRUE(has(told(old_), R"("act":"disconnect")"));
  leaves(old_);
  EXPECT_THAT(record(id_).leaving, SizeIs(0));
}

TEST_F(ReloadRecoveryTest, ARunThatWasToldToCloseIsNotToldAgain) {
  (void)follow(id_);
  clock_.advance(1s);
  (void)told(old_);
  next_daemon();
  EXPECT_EQ(told(old_), "");
  hangs_up(old_);
  clock_.advance(300ms);
  EXPECT_THAT(signals_to(old_), ElementsAre(SIGINT));
  clock_.advance(2s);
  EXPECT_THAT(signals_to(old_), ElementsAre(SIGINT, SIGKILL));
}

TEST_F(ReloadRecoveryTest, ARunThatHasClosedItsChannelEndsAtTheLatestByItsKillTimeout) {
  (void)follow(id_);
  clock_.advance(1s);
  hangs_up(old_);
  next_daemon();
  clock_.advance(2s);
  ASSERT_FALSE(signals_to(old_).empty());
  EXPECT_EQ(signals_to(old_).back(), SIGKILL);
  run_exits(old_, SIGKILL);
  expect_it_is_followed();
  EXPECT_THAT(record(id_).leaving, SizeIs(0));
}

TEST_F(ReloadRecoveryTest, TheRunThatLeavesHasEndedMeanwhile) {
  (void)follow(id_);
  exits_unseen(old_, kExit0);
  next_daemon();
  expect_it_is_followed();
  EXPECT_THAT(record(id_).leaving, SizeIs(0));
  EXPECT_EQ(link_.acknowledged_, std::vector<RunId>{old_});
}

TEST_F(ReloadRecoveryTest, AStopEndsBoth) {
  (void)follow(id_);
  next_daemon();
  supervisor_->stop(id_, supervisor::Worker::Wanted::kNoLonger, note());
  EXPECT_THAT(signals_to(old_), ElementsAre(SIGINT));
  run_exits(next_);
  run_exits(old_);
  EXPECT_EQ(status(id_), "stopped");
  EXPECT_EQ(answers_.back(), "ok");
}

// What else is true at a daemon's start of workers that serve.
class ClusterRecoveryTest : public ReloadFixture {};

TEST_F(ClusterRecoveryTest, WhatWaitsForARunThatEndedWithoutADaemonGoesToAnother) {
  const WorkerId a = serving();
  std::string name;
  for (const std::string& held : link_.names())
    if (held.starts_with("port.")) name = held;
  const Fd slot = std::move(link_.get(name)).value();
  const Fd client = client_of(port_of(slot.get()));
  ASSERT_TRUE(queue_reaches(slot.get(), 1));
  const WorkerId b = serving();
  (void)told(record(b).run);
  const RunId run_a = record(a).run;
  supervisor_.reset();
  link_.exit(run_a, kExit1, clock_.system_ns());
  next_daemon();
  settle();
  EXPECT_THAT(told(record(b).run), HasSubstr("newconn"));
}

TEST_F(ClusterRecoveryTest, AStopAfterADaemonsStartInTheMiddleOfAReloadEndsBoth) {
  const WorkerId id = serving();
  reload({id});
  const RunId old = record(id).run, next = successor_of(id);
  next_daemon();
  settle();
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  run_exits(old);  // As it is told to.
  clock_.advance(5s);
  EXPECT_FALSE(signals_to(next).empty());
  run_exits(next);
  EXPECT_EQ(status(id), "stopped");
  EXPECT_THAT(answers_, Contains("ok"));
}

TEST_F(ClusterRecoveryTest, ASuccessorThatDiedWithoutADaemonEndsTheReload) {
  const WorkerId id = serving();
  reload({id});
  const RunId next = successor_of(id);
  supervisor_.reset();
  link_.exit(next, kExit1, clock_.system_ns());
  next_daemon();
  settle();
  EXPECT_FALSE(record(id).reload_to);
  EXPECT_THAT(record(id).trouble, HasSubstr("exited with code [1]"));
  EXPECT_THAT(link_.spawns_, SizeIs(2));
}

TEST_F(ClusterRecoveryTest, TheEndOfALeavingRunWithoutADaemonIsKept) {
  const WorkerId id = serving();
  const RunId old = reload_and_follow(id);
  supervisor_.reset();
  link_.exit(old, kExit0, clock_.system_ns());
  next_daemon();
  settle();
  ASSERT_TRUE(record(id).last_exit);
  EXPECT_EQ(record(id).last_exit->run, old);
}

TEST_F(ClusterRecoveryTest, ARunThatHadClosedItsChannelGetsSigintFromTheNextDaemon) {
  const WorkerId id = serving();
  const RunId old = reload_and_follow(id);
  clock_.advance(1s);
  hangs_up(old);
  next_daemon();
  clock_.advance(1s);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT));
}

}  // namespace
}  // namespace pmx::test
