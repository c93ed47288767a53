#include <gmock/gmock.h>

#include <filesystem>

#include "supervisor/reload_fixture.h"

namespace pmx::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// Workers that bind by themselves. These serve nothing, so that a successor has lived for
// min_uptime before it takes over; cluster_binds_test.cpp has those that do.
class WorkerReloadTrappedTest : public ReloadFixture {
 protected:
  static AppSpec plain() {
    AppSpec spec = web();
    spec.interpreter = "/usr/bin/python3";
    return spec;
  }
  // Returns the run that was followed, which leaves.
  RunId followed(WorkerId id, const AppSpec& spec = changed(plain())) {
    const RunId old = record(id).run;
    reload({id}, spec);
    const RunId next = successor_of(id);
    settle();
    EXPECT_EQ(record(id).run, next);
    return old;
  }
};

TEST_F(WorkerReloadTrappedTest, AreLaunchedWithATrap) {
  const WorkerId id = online(plain());
  EXPECT_GE(link_.spawns_[0].trap_fd, 0);
  EXPECT_TRUE(link_.get("trap." + std::to_string(record(id).run.value)));
  EXPECT_EQ(supervisor_->port_sharing(plain()), "bind(2) answered by pmx (no_new_privs)");
  (void)online(web());
  EXPECT_LT(link_.spawns_[1].trap_fd, 0);
  EXPECT_EQ(supervisor_->port_sharing(web()), "Node's cluster protocol");
  EXPECT_EQ(supervisor_->port_sharing(app()), "");
}

TEST_F(WorkerReloadTrappedTest, GoOnAcceptingForASecondAndThenGetTheirSignal) {
  const WorkerId id = online(plain());
  const RunId old = followed(id);
  clock_.advance(700ms);
  EXPECT_THAT(signals_to(old), SizeIs(0));
  clock_.advance(200ms);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGTERM));
  EXPECT_THAT(answers_, SizeIs(0));
  run_exits(old);
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_FALSE(link_.get("trap." + std::to_string(old.value)));
}

TEST_F(WorkerReloadTrappedTest, OfBunAreToldASecondBefore) {
  AppSpec spec = plain();
  spec.interpreter = "/opt/bun/bin/bun";
  const WorkerId id = online(spec);
  EXPECT_TRUE(std::filesystem::exists(home_ + "/state/drain-hook-bun.cjs"));
  const RunId old = followed(id, changed(spec));
  EXPECT_THAT(signals_to(old), ElementsAre(SIGURG));
  clock_.advance(1s);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGURG, SIGTERM));
}

TEST_F(WorkerReloadTrappedTest, OfBunHearNothingWhereTheAppDoesNotWantIt) {
  AppSpec spec = plain();
  spec.interpreter = "/opt/bun/bin/bun";
  spec.drain_hook = false;
  const RunId old = followed(online(spec), changed(spec));
  EXPECT_FALSE(std::filesystem::exists(home_ + "/state/drain-hook-bun.cjs"));
  clock_.advance(1s);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGTERM));
}

TEST_F(WorkerReloadTrappedTest, AreKilledAtKillTimeout) {
  const WorkerId id = online(plain());
  const RunId old = followed(id);
  clock_.advance(1s);
  clock_.advance(plain().kill_timeout);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGTERM, SIGKILL));
}

TEST_F(WorkerReloadTrappedTest, HearNothingOfTheClusterOverTheirChannel) {
  AppSpec spec = plain();
  spec.wait_ready = true;  // So they have one.
  const WorkerId id = online(spec);
  const RunId old = record(id).run;
  run_says(old, "\"ready\"");
  reload({id}, changed(spec));
  const RunId next = successor_of(id);
  run_says(next, "\"ready\"");
  EXPECT_EQ(record(id).run, next);
  clock_.advance(1s);
  EXPECT_EQ(told(old), "");
  EXPECT_THAT(signals_to(old), ElementsAre(SIGTERM));
}

TEST_F(WorkerReloadTrappedTest, ThatCloseTheirChannelGoOn) {
  AppSpec spec = plain();
  spec.wait_ready = true;
  const WorkerId id = online(spec);
  const RunId old = record(id).run;
  run_says(old, "\"ready\"");
  hangs_up(old);
  settle();
  EXPECT_EQ(status(id), "online");
  const RunId left = followed(id, changed(plain()));
  EXPECT_EQ(left, old);
  EXPECT_THAT(signals_to(old), SizeIs(0));
}

TEST_F(WorkerReloadTrappedTest, ThatAreToldToShutDownGetNoSignal) {
  AppSpec spec = plain();
  spec.shutdown_with_message = true;
  const WorkerId id = online(spec);
  const RunId old = record(id).run;
  reload({id}, changed(spec));
  (void)successor_of(id);
  settle();
  clock_.advance(1s);
  EXPECT_EQ(told(old), "\"shutdown\"\n");
  EXPECT_THAT(signals_to(old), SizeIs(0));
}

TEST_F(WorkerReloadTrappedTest, GetOneSignalWhereAStopHurriesThem) {
  const WorkerId id = online(plain());
  const RunId old = followed(id);
  supervisor_->stop(id, supervisor::Worker::Wanted::kNoLonger, note());
  settle();
  EXPECT_THAT(signals_to(old), ElementsAre(SIGTERM));
}

TEST_F(WorkerReloadTrappedTest, GoOnLeavingUnderTheNextDaemon) {
  const WorkerId id = online(plain());
  const RunId old = followed(id);
  supervisor_->save_now();
  next_daemon();
  clock_.advance(1s);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGTERM));
}

TEST_F(WorkerReloadTrappedTest, AreRestartedWhereBindsCannotBeTrapped) {
  no_traps_ = "seccomp: Operation not permitted";
  begin();
  const WorkerId id = online(plain());
  EXPECT_LT(link_.spawns_[0].trap_fd, 0);
  EXPECT_THAT(supervisor_->port_sharing(plain()),
              HasSubstr("none: separate processes, because bind(2) cannot be answered here "
                        "(seccomp: Operation not permitted)"));
  const RunId old = record(id).run;
  reload({id}, changed(plain()));
  EXPECT_FALSE(record(id).successor);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGINT));
}

}  // namespace
}  // namespace pmx::test
