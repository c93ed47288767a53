#include "supervisor/roster.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "supervisor/supervisor_fixture.h"

namespace pmx::test {
namespace {

using supervisor::Roster;
using supervisor::RosterContents;
using supervisor::WorkerRecord;

class RosterTest : public SupervisorFixture {
 protected:
  Roster roster() { return {path_, files_, link_, small_codec()}; }
  WorkerRecord full() const {
    WorkerRecord worker;
    worker.id.value = 7;
    worker.spec = app("web \"quoted\" \n name");
    worker.spec.env = {{"SECRET", "x"}};
    worker.state = supervisor::WorkerState::kWaiting;
    worker.should_run = true;
    worker.instance = 3;
    worker.unique_id = "u";
    worker.restarts = 12;
    worker.memory.unstable_ns = {1, 2, 3};
    worker.memory.backoff_delay = 150ms;
    worker.last_exit = supervisor::ExitFacts{std::nullopt,
                                             9,
                                             55,
                                             66,
                                             77,
                                             supervisor::ExitCause::kOutOfMemory,
                                             RunId{1'795'427'000'000'000'002}};
    worker.cron_due_ns = 88;
    worker.limit_runs_ns = {10, 11};
    worker.run = RunId{1'795'428'000'000'000'002};
    worker.pid = 99;
    worker.start_ticks = 1234;
    worker.started_ns = 66;
    worker.created_ns = 77;
    worker.logs = {"/a", "/b", "/c"};
    worker.links = supervisor::Links{{"/srv/current", "/srv/2"}};
    worker.successor_links = supervisor::Links{};
    worker.proven = true;
    worker.before = supervisor::Release{app("before"), {{"/srv/current", "/srv/1"}}, 44};
    worker.trouble = "none to speak of";
    return worker;
  }
  void expect_full(const RosterContents& contents) {
    ASSERT_EQ(contents.workers.size(), 1U);
    const WorkerRecord& got = contents.workers[0];
    const WorkerRecord want = full();
    EXPECT_EQ(got.id, want.id);
    EXPECT_EQ(got.spec.name, want.spec.name);
    EXPECT_EQ(got.spec.env, want.spec.env);
    EXPECT_EQ(got.state, want.state);
    EXPECT_EQ(got.should_run, want.should_run);
    EXPECT_EQ(got.memory.unstable_ns, want.memory.unstable_ns);
    EXPECT_EQ(got.memory.backoff_delay, want.memory.backoff_delay);
    EXPECT_EQ(got.last_exit, want.last_exit);
    EXPECT_EQ(got.cron_due_ns, want.cron_due_ns);
    EXPECT_EQ(got.limit_runs_ns, want.limit_runs_ns);
    EXPECT_EQ(got.run, want.run);
    EXPECT_EQ(got.pid, want.pid);
    EXPECT_EQ(got.start_ticks, want.start_ticks);
    EXPECT_EQ(got.logs, want.logs);
    EXPECT_EQ(got.restarts, want.restarts);
    EXPECT_EQ(got.links, want.links);
    EXPECT_EQ(got.successor_links, want.successor_links);
    EXPECT_TRUE(got.proven);
    ASSERT_TRUE(got.before);
    EXPECT_EQ(got.before->app.name, "before");
    EXPECT_EQ(got.before->links, want.before->links);
    EXPECT_EQ(got.before->at_ns, 44);
    EXPECT_EQ(contents.next_id, 9U);
    EXPECT_EQ(contents.last_run, RunId{88});
  }
  void save() {
    WorkerRecord worker = full();
    roster().save(9, RunId{88}, {&worker});
    link_.reconnect();
  }
  void write(const std::string& text) { (void)files_.replace_file(path_, text); }
  const std::string path_ = home_ + "/state/apps.json";
};

TEST_F(RosterTest, ComesBackWholeFromTheKeeper) {
  save();
  write("garbage");
  expect_full(roster().load(false));
}

TEST_F(RosterTest, ComesBackWholeFromTheDisk) {
  save();
  link_.forget_everything();
  expect_full(roster().load(false));
}

TEST_F(RosterTest, TheNewerCopyCounts) {
  WorkerRecord worker = full();
  Roster list = roster();
  list.save(1, RunId{2}, {&worker});
  link_.state_errno_ = ENOMEM;  // The daemon's last save reaches only the disk …
  list.save(9, RunId{88}, {&worker});
  link_.reconnect();
  expect_full(roster().load(false));
  link_.state_errno_ = 0;
  Roster next = roster();
  (void)next.load(false);
  std::filesystem::rename(home_ + "/state", home_ + "/gone");  // … and the next only the keeper.
  next.save(5, RunId{99}, {&worker});
  std::filesystem::rename(home_ + "/gone", home_ + "/state");
  link_.reconnect();
  EXPECT_EQ(roster().load(false).last_run, RunId{99});
}

TEST_F(RosterTest, IsReadableByItsOwnerOnly) {
  save();
  struct stat st {};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600U);
}

TEST_F(RosterTest, NothingSavedIsAnEmptyList) {
  const auto contents = roster().load(false);
  EXPECT_TRUE(contents.workers.empty());
  EXPECT_TRUE(contents.notices.empty());
}

TEST_F(RosterTest, AFileThatCannotBeReadIsKeptAside) {
  write("{\"workers\": [");
  const auto contents = roster().load(false);
  EXPECT_TRUE(contents.workers.empty());
  ASSERT_EQ(contents.notices.size(), 1U);
  EXPECT_EQ(*files_.read_file(path_ + ".unreadable"), "{\"workers\": [");
}

TEST_F(RosterTest, OneAppThatCannotBeReadDoesNotTakeTheOthersAlong) {
  WorkerRecord good = full(), bad = full();
  bad.spec.name = "unreadable";
  bad.id.value = 11;
  roster().save(12, RunId{88}, {&bad, &good});
  link_.forget_everything();
  const auto contents = roster().load(false);
  ASSERT_EQ(contents.workers.size(), 1U);
  EXPECT_EQ(contents.next_id, 12U);
  EXPECT_NE(contents.notices.at(0).find("kept as"), std::string::npos);
}

TEST_F(RosterTest, CutAtAnyByteItIsNeverTakenForAList) {
  save();
  link_.forget_everything();
  const std::string whole = *files_.read_file(path_);
  for (std::size_t cut = 0; cut + 2 < whole.size(); ++cut) {
    write(whole.substr(0, cut));
    EXPECT_TRUE(roster().load(false).workers.empty()) << "cut at byte " << cut;
  }
}

TEST_F(RosterTest, AFullDiskIsTroubleUntilASaveSucceeds) {
  WorkerRecord worker = full();
  Roster list(home_ + "/no/such/dir/apps.json", files_, link_, small_codec());
  list.save(1, RunId{2}, {&worker});
  EXPECT_NE(list.trouble().find("cannot be saved"), std::string::npos);
  EXPECT_FALSE(link_.state_.empty());
  std::filesystem::create_directories(home_ + "/no/such/dir");
  list.save(1, RunId{2}, {&worker});
  EXPECT_EQ(list.trouble(), "");
}

}  // namespace
}  // namespace pmx::test
