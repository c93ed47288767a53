#include "supervisor/memory_guard.h"

#include <gmock/gmock.h>
#include <signal.h>

#include "supervisor/reload_fixture.h"

namespace pmx::test {
namespace {

using supervisor::ExitCause;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kMib = 1U << 20U;

class MemoryGuardTest : public SupervisorFixture {
 protected:
  WorkerId bounded(const std::string& name = "web") {
    AppSpec spec = app(name);
    spec.max_memory_restart = 100 * kMib;
    return online(spec);
  }
  void has(WorkerId id, std::uint64_t mib) { rss_bytes_[record(id).pid] = mib * kMib; }
  bool is_stopping(WorkerId id) { return status(id) == "stopping"; }
};

TEST_F(MemoryGuardTest, RestartsWithinASecondWhatHasTooMuch) {
  const WorkerId id = bounded();
  has(id, 100);
  clock_.advance(2s);
  EXPECT_FALSE(is_stopping(id));
  has(id, 101);
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(id));
  exits(id, SIGINT);
  EXPECT_EQ(record(id).last_exit->cause, ExitCause::kMemoryLimit);
  EXPECT_EQ(record(id).limit_runs_ns.size(), 1U);
  link_.run(record(id).run);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(supervisor_->find(id)->restarts_in_last_minute(), 1) << "nobody has asked for it";
}

TEST_F(MemoryGuardTest, OneOfAnAppAtATimeAndTheLargestFirst) {
  const WorkerId small = bounded(), large = bounded(), other = bounded("other");
  has(small, 150);
  has(large, 200);
  has(other, 150);
  clock_.advance(1s);
  EXPECT_FALSE(is_stopping(small));
  EXPECT_TRUE(is_stopping(large));
  EXPECT_TRUE(is_stopping(other));
  exits(large, SIGINT);
  clock_.advance(1s);
  EXPECT_FALSE(is_stopping(small));  // The large one has not come up yet.
  rss_bytes_.clear();
  has(small, 150);
  link_.run(record(large).run);
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(small));
}

TEST_F(MemoryGuardTest, NobodyIsLookedAtWithoutALimit) {
  const WorkerId id = online();
  has(id, 10'000);
  clock_.advance(5s);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(clock_.waiting(), 0U);
}

TEST_F(MemoryGuardTest, TheNextDaemonGoesOnLooking) {
  const WorkerId id = bounded();
  next_daemon();
  has(id, 200);
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(id));
}

TEST_F(MemoryGuardTest, ALimitThatIsSetLaterHolds) {
  const WorkerId id = online();
  has(id, 200);
  supervisor_->change_specs([](AppSpec& spec) {
    spec.max_memory_restart = 100 * kMib;
    return true;
  });
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(id));
}

// ---- Cluster workers.

class ClusterMemoryGuardTest : public ReloadFixture {
 protected:
  WorkerId bounded() {
    AppSpec spec = web();
    spec.max_memory_restart = 100 * kMib;
    return serving(spec);
  }
  void grows(WorkerId id, std::uint64_t mib = 101) { rss_bytes_[record(id).pid] = mib * kMib; }
  // Returns its successor, which has not shown that it serves.
  RunId grows_until_it_is_followed(WorkerId id) {
    grows(id);
    clock_.advance(1s);
    const RunId next = successor_of(id);
    EXPECT_NE(next.value, 0U);
    return next;
  }
  void expect_it_serves(WorkerId id, RunId run) {
    EXPECT_EQ(record(id).run, run);
    EXPECT_EQ(status(id), "online");
    EXPECT_THAT(signals_to(run), IsEmpty());
    EXPECT_FALSE(has(told(run), R"("act":"drain")"));
  }
};

TEST_F(ClusterMemoryGuardTest, IsFollowedBeforeItLeaves) {
  const WorkerId id = bounded();
  const RunId old = record(id).run;
  grows(id);
  clock_.advance(1s);
  ASSERT_TRUE(record(id).successor);
  expect_it_serves(id, old);
  EXPECT_EQ(follow(id), old);
  EXPECT_EQ(status(id), "online");
  EXPECT_TRUE(has(told(old), R"("act":"drain")"));
  EXPECT_THAT(signals_to(old), IsEmpty());
  leaves(old);
  EXPECT_EQ(record(id).last_exit->cause, ExitCause::kMemoryLimit);
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(supervisor_->find(id)->restarts_in_last_minute(), 1) << "nobody has asked for it";
}

TEST_F(ClusterMemoryGuardTest, StaysWhereItsSuccessorDies) {
  const WorkerId id = bounded();
  const RunId old = record(id).run, next = grows_until_it_is_followed(id);
  run_exits(next, kExit1);
  EXPECT_TRUE(noticed("exited with code [1] before it was ready; the old one stays"));
  expect_it_serves(id, old);
}

TEST_F(ClusterMemoryGuardTest, StaysWhereItsSuccessorIsNotReadyWithinListenTimeout) {
  const WorkerId id = bounded();
  const RunId old = record(id).run, next = grows_until_it_is_followed(id);
  clock_.advance(3s);
  EXPECT_THAT(signals_to(next), ElementsAre(SIGINT));
  expect_it_serves(id, old);
}

TEST_F(ClusterMemoryGuardTest, AReloadThatItsWorkerIsOwedIsNotLostToIt) {
  const WorkerId first = bounded(), second = bounded();
  reload({first, second}, changed(record(first).spec));
  const RunId next = successor_of(first);
  grows(second);
  clock_.advance(1s);
  const RunId old = record(first).run;
  listens(next);
  leaves(old);
  rss_bytes_.clear();
  while (record(second).successor) {
    const RunId followed = follow(second);
    EXPECT_THAT(signals_to(record(second).run), IsEmpty());  // It serves.
    leaves(followed);
  }
  EXPECT_EQ(status(second), "online");
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_TRUE(has_changed(first));
  EXPECT_TRUE(has_changed(second));
}

TEST_F(ClusterMemoryGuardTest, AReloadThatComesMeanwhileReloadsItsWorkerToo) {
  const WorkerId id = bounded();
  grows(id);
  clock_.advance(1s);
  const RunId given_up = successor_of(id);
  reload({id}, changed(record(id).spec));
  run_exits(given_up);
  rss_bytes_.clear();
  while (record(id).successor) leaves(follow(id));
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_TRUE(has_changed(id));
}

TEST_F(ClusterMemoryGuardTest, DoesNotTryAgainAtOnceWhereItsSuccessorDies) {
  const WorkerId id = bounded();
  grows(id);
  for (int i = 0; i < 60; ++i) {  // A minute.
    clock_.advance(1s);
    if (record(id).successor) run_exits(successor_of(id), kExit1);
  }
  EXPECT_LT(link_.spawns_.size(), 20U);
}

TEST_F(ClusterMemoryGuardTest, OneOfAnAppIsFollowedAtATime) {
  const WorkerId small = bounded(), large = bounded();
  grows(small, 150);
  grows(large, 200);
  clock_.advance(1s);
  (void)successor_of(large);
  clock_.advance(2s);  // Its successor takes its time.
  EXPECT_FALSE(record(small).successor);
  (void)follow(large);
  clock_.advance(1s);
  EXPECT_TRUE(record(small).successor);
}

}  // namespace
}  // namespace pmx::test
