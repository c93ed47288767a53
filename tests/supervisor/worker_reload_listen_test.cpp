#include <gmock/gmock.h>

#include <cerrno>
#include <filesystem>

#include "supervisor/listen_socket.h"
#include "supervisor/reload_fixture.h"
#include "support/loopback.h"

namespace pmx::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Workers that are started with their sockets, in fork mode.
class WorkerReloadListenTest : public ReloadFixture {
 protected:
  WorkerReloadListenTest() {
    const Fd free = std::move(supervisor::open_listener({.address = "127.0.0.1"}, false)).value();
    port_ = port_of(free.get());
  }
  AppSpec passed() const {
    AppSpec spec = app("web");
    spec.interpreter = "/usr/bin/python3";
    spec.min_uptime = 500ms;
    spec.listen = {"127.0.0.1:" + std::to_string(port_)};
    return spec;
  }
  std::vector<std::string> ports() const {
    std::vector<std::string> names;
    for (const std::string& name : link_.names())
      if (name.starts_with("port.")) names.push_back(name);
    return names;
  }
  // As a daemon does that dies between the cluster's note of it and the list's.
  void rename_by_half() {
    supervisor_->save_now();
    const std::string list = link_.state_;
    supervisor_->rename_app(supervisor::app_key(passed()), {"api", "default"});
    link_.state_ = list;
  }
  int port_ = 0;
};

TEST_F(WorkerReloadListenTest, AreLaunchedWithTheirSockets) {
  const WorkerId id = online(passed());
  EXPECT_THAT(link_.spawns_[0].socket_fds, SizeIs(1));
  EXPECT_LT(link_.spawns_[0].trap_fd, 0);
  EXPECT_THAT(ports(), SizeIs(1));
  EXPECT_EQ(supervisor_->port_sharing(passed()), "sockets passed as LISTEN_FDS");
  EXPECT_TRUE(client_of(port_));  // It need not accept for that.
  run_exits(record(id).run);
  EXPECT_TRUE(client_of(port_));
}

TEST_F(WorkerReloadListenTest, ASuccessorHasLivedForMinUptimeAndTheOldOneIsSignalledASecondLater) {
  const WorkerId id = online(passed());
  const RunId old = record(id).run;
  reload({id}, changed(passed()));
  const RunId next = successor_of(id);
  clock_.advance(200ms);
  EXPECT_EQ(record(id).run, old);
  clock_.advance(400ms);
  EXPECT_EQ(record(id).run, next);
  EXPECT_THAT(ports(), SizeIs(2));
  EXPECT_THAT(signals_to(old), IsEmpty());
  clock_.advance(1s);
  EXPECT_THAT(signals_to(old), ElementsAre(SIGTERM));
}

TEST_F(WorkerReloadListenTest, ASuccessorThatDiesLeavesTheOldOne) {
  const WorkerId id = online(passed());
  const RunId old = record(id).run;
  reload({id}, changed(passed()));
  run_exits(successor_of(id), kExit1);
  EXPECT_EQ(record(id).run, old);
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("the old one stays")));
}

TEST_F(WorkerReloadListenTest, AnAddressThatSomebodyHasIsTheStartsError) {
  const Fd other =
      std::move(supervisor::open_listener({.address = "127.0.0.1", .port = port_}, false)).value();
  const WorkerId id = added(passed());
  supervisor_->start(id, std::nullopt, note());
  settle();
  EXPECT_THAT(answers_, ElementsAre(HasSubstr("bind 127.0.0.1:" + std::to_string(port_) +
                                              ": Address already in use")));
  EXPECT_THAT(link_.spawns_, IsEmpty());
  EXPECT_THAT(ports(), IsEmpty());
}

TEST_F(WorkerReloadListenTest, ALaunchThatFailsIsNoMember) {
  const WorkerId id = online(passed());
  link_.spawn_errno_ = EAGAIN;
  reload({id}, changed(passed()));
  link_.spawn_errno_ = 0;
  reload({id}, changed(passed()));
  (void)successor_of(id);
  EXPECT_THAT(ports(), SizeIs(2));  // The second slot is free again.
}

TEST_F(WorkerReloadListenTest, ARestartThatCouldNotHaveItsAddressIsRefusedBefore) {
  const WorkerId id = online(passed());
  const Fd other = std::move(supervisor::open_listener({.address = "127.0.0.1"}, false)).value();
  AppSpec more = passed();
  more.cwd = "/";
  more.interpreter = "/bin/sh";
  more.listen.push_back("127.0.0.1:" + std::to_string(port_of(other.get())));
  EXPECT_THAT(supervisor_->check_start(id, more).error().message(),
              HasSubstr("web (id 0) stays as it is"));
}

TEST_F(WorkerReloadListenTest, ARestartUnderAnotherNameKeepsTheAddressOpen) {
  const WorkerId id = online(passed());
  const std::string pid_file = supervisor_->pid_file_of(record(id));
  EXPECT_TRUE(std::filesystem::exists(pid_file));
  AppSpec renamed = passed();
  renamed.name = "api";
  supervisor_->rename_app(supervisor::app_key(passed()), supervisor::app_key(renamed));
  EXPECT_FALSE(std::filesystem::exists(pid_file));
  EXPECT_TRUE(supervisor_->check_start(id, record(id).spec));
  supervisor_->restart(id, renamed, note());
  run_exits(record(id).run);
  EXPECT_TRUE(client_of(port_));
  link_.run(link_.starting().back());
  settle();
  EXPECT_EQ(status(id), "online");
  EXPECT_THAT(ports(), SizeIs(1));
  next_daemon();
  EXPECT_EQ(record(id).spec.name, "api");
  EXPECT_TRUE(client_of(port_));
}

TEST_F(WorkerReloadListenTest, AnAppThatADyingDaemonHasHalfRenamedHasTheNameOfTheList) {
  const WorkerId id = online(passed());
  rename_by_half();
  next_daemon();
  EXPECT_EQ(record(id).spec.name, "web");
  run_exits(record(id).run, kExit1);
  EXPECT_THAT(link_.starting(), SizeIs(1));  // It gets its address again.
  EXPECT_THAT(ports(), SizeIs(1));
}

TEST_F(WorkerReloadListenTest, OneThatIsHalfRenamedAndDiesMeanwhileGetsItsAddressAgain) {
  const WorkerId id = online(passed());
  rename_by_half();
  const RunId run = record(id).run;
  supervisor_.reset();
  link_.exit(run, kExit1, clock_.system_ns());
  next_daemon();
  settle();
  EXPECT_EQ(record(id).trouble, "");
  EXPECT_THAT(link_.starting(), SizeIs(1));
  EXPECT_THAT(ports(), SizeIs(1));
}

TEST_F(WorkerReloadListenTest, AStopClosesThem) {
  const WorkerId id = online(passed());
  supervisor_->stop(id, supervisor::Worker::Wanted::kNoLonger, note());
  run_exits(record(id).run);
  EXPECT_THAT(ports(), IsEmpty());
  EXPECT_FALSE(client_of(port_));
}

}  // namespace
}  // namespace pmx::test
