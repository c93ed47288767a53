#include "supervisor/reloads.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "supervisor/reload_fixture.h"

namespace pmx::test {
namespace {

using supervisor::Worker;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class ReloadsTest : public ReloadFixture {
 protected:
  std::vector<WorkerId> workers(int count, const std::string& name = "web") {
    std::vector<WorkerId> ids;
    for (int i = 0; i < count; ++i) ids.push_back(serving(web(name)));
    return ids;
  }
  // Those that have a successor under way.
  std::vector<WorkerId> in_work(const std::vector<WorkerId>& ids) const {
    std::vector<WorkerId> found;
    for (const WorkerId id : ids)
      if (record(id).successor) found.push_back(id);
    return found;
  }
  // The socket that it was given for its question, which is taken out of its channel here.
  ino_t socket_number_of(RunId run) {
    for (;;) {
      const auto message = sys::receive_message(link_.channel_of(run), 65536);
      if (!message || !*message) break;
      struct stat info {};
      if (!(*message)->fds.empty() && ::fstat((*message)->fds[0].get(), &info) == 0)
        return info.st_ino;
    }
    ADD_FAILURE() << "run " << run.value << " was given none";
    return 0;
  }
  bool busy() {
    const std::size_t before = answers_.size();
    supervisor_->reload({{WorkerId{0}, web()}}, 1, note());
    return answers_.size() > before && answers_.back() == "web is being reloaded already";
  }
};

TEST_F(ReloadsTest, ReloadsOneWorkerAfterTheOther) {
  const auto ids = workers(3);
  reload(ids);
  for (const WorkerId id : ids) {
    EXPECT_THAT(in_work(ids), ElementsAre(id));
    EXPECT_THAT(answers_, SizeIs(0));
    leaves(follow(id));
    EXPECT_TRUE(has_changed(id));
  }
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_THAT(link_.spawns_, SizeIs(6));
}

TEST_F(ReloadsTest, DoesNotWaitForARunThatLeavesBeforeTheNextWorker) {
  const auto ids = workers(2);
  reload(ids);
  const RunId first = follow(ids[0]);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[1]));
  const RunId second = follow(ids[1]);
  leaves(second);
  EXPECT_THAT(answers_, SizeIs(0));  // The answer does.
  leaves(first);
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(ReloadsTest, TheCanaryIsAloneAndThenAsManyAreInWorkAsWasSaid) {
  const auto ids = workers(6);
  reload(ids, changed(), 2);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[0]));
  (void)follow(ids[0]);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[1], ids[2]));
  (void)follow(ids[2]);  // Whichever is ready first.
  EXPECT_THAT(in_work(ids), ElementsAre(ids[1], ids[3]));
  (void)follow(ids[1]);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[3], ids[4]));
  (void)follow(ids[3]);
  (void)follow(ids[4]);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[5]));
  (void)follow(ids[5]);
  EXPECT_THAT(link_.spawns_, SizeIs(12));
}

TEST_F(ReloadsTest, NobodyIsBesideACanaryThatIsStillOnTrial) {
  AppSpec spec = web();
  spec.min_uptime = 1s;
  const std::vector<WorkerId> ids{serving(spec), serving(spec), serving(spec)};
  reload(ids, changed(spec), 3);
  listens(successor_of(ids[0]));
  clock_.advance(600ms);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[0]));
  clock_.advance(400ms);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[1], ids[2]));
  (void)follow(ids[1]);  // At once: the release has been tried.
  EXPECT_THAT(in_work(ids), ElementsAre(ids[2]));
}

TEST_F(ReloadsTest, AFailureBesideAnotherOneInWorkBeginsNoMore) {
  const auto ids = workers(4);
  reload(ids, changed(), 2);
  leaves(follow(ids[0]));
  run_exits(successor_of(ids[1]), kExit1);
  EXPECT_THAT(in_work(ids), ElementsAre(ids[2]));
  EXPECT_THAT(answers_, SizeIs(0));
  leaves(follow(ids[2]));
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("web (id 1): the new process exited with code [1]"));
  EXPECT_FALSE(has_changed(ids[1]) || has_changed(ids[3]));
  EXPECT_FALSE(record(ids[3]).reload_to);
}

TEST_F(ReloadsTest, EndsWithTheFirstWorkerThatFails) {
  const auto ids = workers(3);
  reload(ids);
  run_exits(successor_of(ids[0]), kExit1);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("web (id 0): the new process exited with code [1]"));
  clock_.advance(1min);
  for (const WorkerId id : ids) {
    EXPECT_FALSE(has_changed(id));
    EXPECT_FALSE(record(id).reload_to);
    EXPECT_EQ(status(id), "online");
  }
  EXPECT_THAT(link_.spawns_, SizeIs(4));
}

TEST_F(ReloadsTest, WhatWasReloadedBeforeAFailureStays) {
  const auto ids = workers(3);
  reload(ids);
  const RunId old = follow(ids[0]);
  run_exits(successor_of(ids[1]), kExit1);
  EXPECT_THAT(answers_, SizeIs(0));  // The first one's old run is still there.
  leaves(old);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("web (id 1): "));
  EXPECT_TRUE(has_changed(ids[0]));
  EXPECT_FALSE(has_changed(ids[1]) || has_changed(ids[2]));
  EXPECT_THAT(link_.spawns_, SizeIs(5));
}

TEST_F(ReloadsTest, AWorkerThatDiesAfterItHasTakenOverEndsTheReloadForTheOthers) {
  const auto ids = workers(3);
  reload(ids);
  const RunId first = follow(ids[0]);
  const RunId second = successor_of(ids[1]);
  const RunId old = record(ids[1]).run;
  run_exits(record(ids[0]).run, kExit1);
  EXPECT_FALSE(record(ids[1]).successor);
  leaves(second);
  leaves(first);
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_THAT(answers_[0], HasSubstr("web (id 0): the new process exited with code [1] after"));
  EXPECT_EQ(record(ids[1]).run, old);
  EXPECT_FALSE(has_changed(ids[1]) || has_changed(ids[2]));
}

TEST_F(ReloadsTest, AWorkerThatIsToldToStopAfterItWasReloadedEndsNothing) {
  const auto ids = workers(2);
  reload(ids);
  leaves(follow(ids[0]));
  supervisor_->stop(ids[0], Worker::Wanted::kNoLonger, note());
  run_exits(record(ids[0]).run);
  leaves(follow(ids[1]));
  EXPECT_EQ(answers_.back(), "ok");
  EXPECT_TRUE(has_changed(ids[1]));
}

TEST_F(ReloadsTest, AnAppIsReloadedOnceAtATime) {
  const auto ids = workers(1);
  reload(ids);
  EXPECT_TRUE(busy());
  const RunId old = follow(ids[0]);
  EXPECT_TRUE(busy());
  answers_.clear();
  leaves(old);
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_FALSE(busy());
}

TEST_F(ReloadsTest, AppsDoNotWaitForEachOther) {
  const auto web_ids = workers(1), api_ids = workers(1, "api");
  reload(web_ids);
  reload(api_ids, changed(web("api")));
  EXPECT_THAT(in_work(web_ids), SizeIs(1));
  EXPECT_THAT(in_work(api_ids), SizeIs(1));
  run_exits(successor_of(web_ids[0]), kExit1);
  leaves(follow(api_ids[0]));
  EXPECT_EQ(answers_.back(), "ok");
}

TEST_F(ReloadsTest, OneNamespacesAppIsNotTheOthers) {
  AppSpec other = web();
  other.app_namespace = "other";
  const WorkerId mine = serving(), theirs = serving(other);
  reload({mine});
  reload({theirs}, changed(other));
  EXPECT_THAT(in_work({mine, theirs}), SizeIs(2));
}

TEST_F(ReloadsTest, NothingToReloadIsDone) {
  supervisor_->reload({}, 1, note());
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(ReloadsTest, WorkersThatAreNotOnlineAreStarted) {
  const auto ids = workers(1);
  const WorkerId stopped = added(web());
  reload({ids[0], stopped});
  EXPECT_EQ(status(stopped), "stopped");
  leaves(follow(ids[0]));
  EXPECT_EQ(status(stopped), "launching");
  link_.run(record(stopped).run);
  settle();
  EXPECT_TRUE(has_changed(stopped));
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(ReloadsTest, AWorkerThatWasDeletedMeanwhileIsLeftOut) {
  const auto ids = workers(3);
  reload(ids);
  supervisor_->remove_worker(ids[1], nullptr);
  exits(ids[1], kExit0);
  settle();
  ASSERT_EQ(supervisor_->find(ids[1]), nullptr);
  leaves(follow(ids[0]));
  EXPECT_THAT(in_work({ids[0], ids[2]}), ElementsAre(ids[2]));
  leaves(follow(ids[2]));
  EXPECT_THAT(answers_, ElementsAre("ok"));
  EXPECT_THAT(link_.spawns_, SizeIs(5));
}

TEST_F(ReloadsTest, AWorkerThatDiesBeforeItsTurnStartsAsWhatItShallBe) {
  const auto ids = workers(2);
  reload(ids);
  run_exits(record(ids[1]).run, kExit1);
  link_.run(record(ids[1]).run);
  leaves(follow(ids[0]));
  leaves(follow(ids[1]));
  EXPECT_TRUE(has_changed(ids[1]));
  EXPECT_THAT(answers_, ElementsAre("ok"));
}

TEST_F(ReloadsTest, TheAddressIsServedAllTheTime) {
  const auto ids = workers(2);
  const auto sockets = [this] {
    std::vector<std::string> names = link_.names();
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("port."); });
    return names;
  };
  const auto before = sockets();
  reload(ids);
  for (const WorkerId id : ids) leaves(follow(id));
  clock_.advance(1min);
  for (const std::string& name : before) EXPECT_THAT(sockets(), testing::Contains(name));
}

TEST_F(ReloadsTest, AStickyInstancesSuccessorHasItsSlot) {
  AppSpec spec = web();
  spec.balance = "sticky";
  const std::vector<WorkerId> ids{serving(spec), serving(spec), serving(spec)};
  const auto before = link_.names();
  const auto count = [](const std::vector<std::string>& names) {
    return std::count_if(names.begin(), names.end(),
                         [](const std::string& name) { return name.starts_with("port."); });
  };
  std::map<WorkerId, ino_t> sockets;
  for (const WorkerId id : ids) sockets[id] = socket_number_of(record(id).run);
  reload(ids, changed(spec), 2);
  for (const WorkerId id : ids) {
    const RunId old = follow(id);
    EXPECT_EQ(socket_number_of(record(id).run), sockets[id]);
    leaves(old);
  }
  EXPECT_EQ(count(before), 3);
  EXPECT_EQ(count(link_.names()), 3);
}

// ---- The next daemon.

TEST_F(ReloadsTest, ANewDaemonGoesOnWithTheRest) {
  const auto ids = workers(3);
  reload(ids);
  leaves(follow(ids[0]));
  (void)successor_of(ids[1]);
  next_daemon();
  settle();
  EXPECT_THAT(in_work(ids), ElementsAre(ids[1]));
  EXPECT_TRUE(busy());
  leaves(follow(ids[1]));
  EXPECT_THAT(in_work(ids), ElementsAre(ids[2]));
  leaves(follow(ids[2]));
  for (const WorkerId id : ids) EXPECT_TRUE(has_changed(id));
  EXPECT_THAT(link_.spawns_, SizeIs(6));
  EXPECT_TRUE(noticed("web: the reload that another daemon had begun is done"));
  EXPECT_FALSE(busy());
}

TEST_F(ReloadsTest, ANewDaemonSaysThatTheReloadHasFailed) {
  const auto ids = workers(2);
  reload(ids);
  const RunId next = successor_of(ids[0]);
  next_daemon();
  settle();
  run_exits(next, kExit1);
  EXPECT_TRUE(noticed("web: reload: reload: web (id 0): the new process exited with code [1]"));
  clock_.advance(1min);
  for (const WorkerId id : ids) EXPECT_FALSE(has_changed(id) || record(id).reload_to);
  EXPECT_THAT(link_.spawns_, SizeIs(3));
}

TEST_F(ReloadsTest, ANewDaemonGoesOnWithAllThatAreInWorkAndThenWithOneAtATime) {
  const auto ids = workers(6);
  reload(ids, changed(), 2);
  leaves(follow(ids[0]));
  for (const WorkerId id : in_work(ids)) (void)successor_of(id);
  next_daemon();
  settle();
  EXPECT_THAT(in_work(ids), ElementsAre(ids[1], ids[2]));
  leaves(follow(ids[2]));
  EXPECT_THAT(in_work(ids), ElementsAre(ids[1]));
  for (const WorkerId id : {ids[1], ids[3], ids[4], ids[5]}) {
    EXPECT_THAT(in_work(ids), ElementsAre(id));
    leaves(follow(id));
  }
  for (const WorkerId id : ids) EXPECT_TRUE(has_changed(id));
  EXPECT_THAT(link_.spawns_, SizeIs(12));
  EXPECT_TRUE(noticed("web: the reload that another daemon had begun is done"));
}

TEST_F(ReloadsTest, ANewDaemonWaitsForTheOneInWorkWhicheverItIs) {
  const auto ids = workers(3);
  reload({ids[2], ids[0], ids[1]});
  const RunId next = successor_of(ids[2]);
  next_daemon();
  settle();
  EXPECT_THAT(in_work(ids), ElementsAre(ids[2]));
  run_exits(next, kExit1);
  clock_.advance(1min);
  EXPECT_TRUE(noticed("web: reload: reload: web (id 2): the new process exited with code [1]"));
  for (const WorkerId id : ids) EXPECT_FALSE(has_changed(id) || record(id).reload_to);
  EXPECT_THAT(link_.spawns_, SizeIs(4));
}

TEST_F(ReloadsTest, ANewDaemonGoesOnWithEachAppByItself) {
  const auto web_ids = workers(2), api_ids = workers(2, "api");
  reload(web_ids);
  reload(api_ids, changed(web("api")));
  next_daemon();
  settle();
  EXPECT_THAT(in_work(web_ids), ElementsAre(web_ids[0]));
  EXPECT_THAT(in_work(api_ids), ElementsAre(api_ids[0]));
  run_exits(successor_of(web_ids[0]), kExit1);
  for (const WorkerId id : api_ids) leaves(follow(id));
  EXPECT_TRUE(noticed("web: reload: reload: web (id 0): "));
  EXPECT_TRUE(noticed("api: the reload that another daemon had begun is done"));
  for (const WorkerId id : api_ids) EXPECT_TRUE(has_changed(id) && record(id).spec.name == "api");
  for (const WorkerId id : web_ids) EXPECT_FALSE(has_changed(id) || record(id).reload_to);
}

TEST_F(ReloadsTest, ACanaryThatDiedWithoutADaemonEndsTheReload) {
  const auto ids = workers(3);
  reload(ids);
  const RunId next = successor_of(ids[0]);
  supervisor_.reset();
  link_.exit(next, kExit1, clock_.system_ns());
  next_daemon();
  settle();
  EXPECT_THAT(in_work(ids), SizeIs(0));
  for (const WorkerId id : ids) EXPECT_FALSE(has_changed(id) || record(id).reload_to);
  EXPECT_THAT(link_.spawns_, SizeIs(4));
}

TEST_F(ReloadsTest, AnEarlierFailureDoesNotEndTheReloadThatComesAfterIt) {
  const auto ids = workers(2);
  reload(ids);
  const RunId failed = successor_of(ids[0]);
  run_exits(failed, kExit1);
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("the old one stays")));
  reload(ids);
  (void)successor_of(ids[0]);
  next_daemon();
  settle();
  for (const WorkerId id : ids) leaves(follow(id));
  for (const WorkerId id : ids) EXPECT_TRUE(has_changed(id));
}

TEST_F(ReloadsTest, ACanaryThatWasReadyAndDiedWithoutADaemonDoesNotTakeOver) {
  AppSpec spec = web();
  spec.wait_ready = true;
  const WorkerId id = online(spec);
  run_says(record(id).run, "\"ready\"");
  AppSpec next_spec = changed(spec);
  next_spec.min_uptime = 1s;
  reload({id}, next_spec);
  const RunId old = record(id).run, next = successor_of(id);
  run_says(next, "\"ready\"");
  EXPECT_EQ(record(id).run, old);
  supervisor_->save_now();
  supervisor_.reset();
  clock_.advance(2s);
  link_.exit(next, kExit1, clock_.system_ns());
  next_daemon();
  settle();
  EXPECT_EQ(record(id).run, old);
  EXPECT_EQ(status(id), "online");
  EXPECT_FALSE(has_changed(id));
  EXPECT_THAT(signals_to(old), SizeIs(0));
}

TEST_F(ReloadsTest, ANewDaemonGoesOnWithTheCanarysTrial) {
  AppSpec spec = web();
  spec.min_uptime = 1s;
  const std::vector<WorkerId> ids{serving(spec), serving(spec)};
  reload(ids, changed(spec));
  listens(successor_of(ids[0]));
  next_daemon();
  settle();
  EXPECT_FALSE(has_changed(ids[0]));
  EXPECT_THAT(in_work(ids), ElementsAre(ids[0]));
}

TEST_F(ReloadsTest, AStoppedWorkerIsNotStartedByAReloadThatIsUnderWay) {
  const WorkerId a = serving(), b = serving();
  reload({a, b});
  supervisor_->stop(b, Worker::Wanted::kNoLonger, note());
  exits(b, kExit0);
  settle();
  ASSERT_EQ(status(b), "stopped");
  leaves(follow(a));
  EXPECT_EQ(status(b), "stopped");
}

TEST_F(ReloadsTest, AWorkerThatIsBeingDeletedIsNotStartedByAReload) {
  const WorkerId a = serving(), b = serving();
  const RunId run_b = record(b).run;
  reload({a, b});
  supervisor_->remove_worker(b, note());  // It is told, and takes its time.
  leaves(follow(a));
  link_.exit(run_b, kExit0, clock_.system_ns());
  settle();
  EXPECT_THAT(link_.spawns_, SizeIs(3));
  answers_.clear();
  supervisor_->reload({{a, web()}}, 1, note());
  EXPECT_THAT(answers_, testing::Not(testing::Contains("web is being reloaded already")));
}

}  // namespace
}  // namespace pmx::test
