#include "supervisor/supervisor.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/sys.h"
#include "supervisor/supervisor_fixture.h"

namespace pmx::test {
namespace {

using supervisor::Worker;
constexpr int code(int value) { return value << 8; }

class SupervisorTest : public SupervisorFixture {
 protected:
  Json saved() const {
    auto text = RealFs().read_file(home_ + "/state/apps.json");
    auto json = text ? Json::parse(*text) : Result<Json>(text.error());
    return json ? *json : Json();
  }
};

TEST_F(SupervisorTest, SavesTheListOnDiskAndInTheKeeper) {
  const WorkerId id = online();
  EXPECT_EQ(saved()["workers"].items().at(0)["status"].as_string(), "online");
  EXPECT_EQ(saved()["workers"].items().at(0)["logs"]["out"].as_string(),
            home_ + "/logs/web-out.log");
  EXPECT_EQ(*Json::parse(link_.state_), saved());
  EXPECT_EQ(saved()["workers"].items().at(0)["id"].as_int(), id.value);
}

TEST_F(SupervisorTest, AnExitIsAcknowledgedOnlyAfterItIsSaved) {
  const WorkerId id = online();
  const RunId run = record(id).run;
  exits(id, code(3));
  EXPECT_TRUE(link_.acknowledged_.empty());
  settle();
  EXPECT_EQ(link_.acknowledged_, std::vector<RunId>{run});
  EXPECT_EQ(saved()["workers"].items().at(0)["exit"]["code"].as_int(), 3);
}

TEST_F(SupervisorTest, WithoutADiskTheKeepersCopyCountsAndTheTroubleShows) {
  std::filesystem::remove_all(home_ + "/state");
  std::ofstream(home_ + "/state") << "in the way";
  const WorkerId id = online();
  EXPECT_NE(supervisor_->trouble().find("cannot be saved"), std::string::npos);
  exits(id, code(1));
  settle();
  EXPECT_EQ(link_.acknowledged_.size(), 1U);
  std::filesystem::remove(home_ + "/state");
  std::filesystem::create_directory(home_ + "/state");
  clock_.advance(6s);
  EXPECT_EQ(supervisor_->trouble(), "");
  EXPECT_TRUE(saved()["workers"].is_array());
}

TEST_F(SupervisorTest, ChangesOfSpecsAreSavedAndReachStartsThatWait) {
  const WorkerId id = online();
  AppSpec next = app("web");
  next.env["NEXT"] = "1";
  supervisor_->restart(id, next, note());  // Waits for the end of the run.
  supervisor_->change_specs([](AppSpec& spec) {
    spec.env["ADDED"] = "1";
    return true;
  });
  settle();
  EXPECT_NE(saved().dump().find("ADDED"), std::string::npos);
  exits(id, SIGINT);
  EXPECT_TRUE(record(id).spec.env.contains("NEXT"));
  EXPECT_TRUE(record(id).spec.env.contains("ADDED"));
}

TEST_F(SupervisorTest, InstancesGetTheLowestFreeNumber) {
  const WorkerId first = added(), second = added();
  EXPECT_EQ(record(first).instance, 0);
  EXPECT_EQ(record(second).instance, 1);
  supervisor_->remove_worker(first, note());
  settle();
  EXPECT_EQ(record(added()).instance, 0);
}

TEST_F(SupervisorTest, IdsStartAgainWhenTheListIsEmpty) {
  const WorkerId first = online(), second = added();
  supervisor_->remove_worker(second, note());
  settle();
  EXPECT_EQ(added().value, 2U);
  supervisor_->remove_worker(WorkerId{2}, note());
  supervisor_->remove_worker(first, note());
  EXPECT_EQ(status(first), "stopping");
  exits(first, SIGINT);
  settle();
  EXPECT_TRUE(supervisor_->workers().empty());
  EXPECT_EQ(added().value, 0U);
}

TEST_F(SupervisorTest, WritesAndRemovesThePidFile) {
  const WorkerId id = online();
  const std::string path = home_ + "/pids/web-0.pid";
  EXPECT_EQ(*RealFs().read_file(path), std::to_string(record(id).pid));
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  exits(id, SIGINT);
  EXPECT_FALSE(std::filesystem::exists(path));
}

// A group whose leader has gone and whose other member holds what we have open now.
pid_t orphaned_group() {
  const pid_t leader = ::fork();
  if (leader == 0) {
    (void)::setpgid(0, 0);
    if (::fork() != 0) ::_exit(0);
    for (;;) ::pause();
  }
  EXPECT_EQ(::waitpid(leader, nullptr, 0), leader);
  return leader;
}

// `npm start` ends before the server behind it.
TEST_F(SupervisorTest, AStopIsOverWhenWhatIsLeftOfTheGroupWasKilledAtKillTimeout) {
  auto pipe = sys::pipe();
  ASSERT_TRUE(pipe);
  const WorkerId id = online();
  link_.set_pid(record(id).run, orphaned_group());
  pipe->write_end.reset();  // Now only the group's has it.
  supervisor_->stop(id, Worker::Wanted::kNoLonger, note());
  exits(id, SIGINT);
  EXPECT_EQ(status(id), "stopping");
  EXPECT_EQ(record(id).run, RunId{});
  EXPECT_TRUE(supervisor_->sweeping());
  pollfd gone{pipe->read_end.get(), 0, 0};
  EXPECT_EQ(::poll(&gone, 1, 0), 0);
  clock_.advance(1500ms);
  EXPECT_EQ(status(id), "stopping");
  clock_.advance(100ms);
  EXPECT_TRUE(noticed("were ended"));
  EXPECT_EQ(::poll(&gone, 1, 10'000), 1);
  clock_.advance(supervisor::Sweeps::kAfterKill);
  EXPECT_EQ(status(id), "stopped");
  EXPECT_FALSE(supervisor_->sweeping());
}

TEST_F(SupervisorTest, TwoWorkersThatShareAFileWriteWholeLines) {
  AppSpec one = app("one"), two = app("two");
  one.out_file = two.out_file = "/tmp/pmx-never-written.log";
  (void)online(one);
  (void)online(two);
  EXPECT_TRUE(pipeline_.runs_.at(1).spec.streams.at(0).logs.at(0).merged);
}

}  // namespace
}  // namespace pmx::test
