#include "supervisor/keeper_link.h"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "keeper/keeper_process.h"
#include "supervisor/keeper_start.h"

namespace pmx::supervisor {
namespace {

using test::KeeperProcess;
using test::read_to_end;
using test::shell;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = Child::State;
using namespace std::chrono_literals;

// A daemon's link, living in the test.
class Link {
 public:
  Link(const KeeperProcess& keeper, test::RelayedDaemon relayed) : relayed_(std::move(relayed)) {
    KeeperLink::Options options;
    options.socket_fd = relayed_.socket.release();
    options.keeper_executable = sys::self_exe();
    options.keeper_arguments =
        keeper_arguments({sys::self_exe(), keeper.home(), sys::self_exe(), {}, false});
    KeeperLink::Events events;
    events.child_changed = [this](const Child& child) {
      seen[child.run.value].push_back(child.state);
      last[child.run.value] = child;
    };
    events.signal_received = [this](int signal) { signals.push_back(signal); };
    events.notice = [this](const std::string& line) { notices.push_back(line); };
    auto made = KeeperLink::connect(*loop_, std::move(options), std::move(events));
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    if (made) link = std::move(*made);
  }

  bool run_until(const std::function<bool()>& condition) {
    bool patient = true, stopped = false;
    const auto stop = [&] {
      if (!std::exchange(stopped, true)) loop_->stop();  // Twice would end the next run as well.
    };
    const auto timer = loop_->call_after(std::chrono::milliseconds(test::kPatienceMs), [&] {
      patient = false;
      stop();
    });
    loop_->after_each_round([&] {
      reap_adopted();
      if (condition()) stop();
    });
    loop_->post([] {});  // A first round.
    loop_->run();
    loop_->after_each_round({});
    loop_->cancel(timer);
    return patient;
  }
  Child when(std::uint64_t run, State state) {
    EXPECT_TRUE(run_until([&] { return last.contains(run) && last[run].state == state; }));
    return last[run];
  }
  void spawn(std::uint64_t run, const std::string& script, int stdin_fd = -1, int stdout_fd = -1) {
    SpawnRequest request;
    request.run = RunId{run};
    request.program = "/bin/sh";
    request.argv = shell(script);
    request.env = {"PATH=/usr/bin:/bin"};
    request.stdin_fd = stdin_fd;
    request.stdout_fd = stdout_fd;
    const auto spawned = link->spawn(request);
    EXPECT_TRUE(spawned) << (spawned ? "" : spawned.error().message());
  }
  // Lives until its standard input ends or a signal ends it.
  Fd spawn_waiting(std::uint64_t run, const std::string& then = "exit 0") {
    sys::Pipe in = std::move(*sys::pipe());
    spawn(run, "read x; " + then, in.read_end.get());
    return std::move(in.write_end);
  }
  // The keeper dies, and another takes over.
  void replace_keeper(int signal = SIGKILL) {
    const pid_t before = link->keeper_pid();
    ::kill(before, signal);
    EXPECT_TRUE(run_until([&] { return link->keeper_pid() != before; }));
  }
  void die() {
    link.reset();
    ::kill(relayed_.pid, SIGKILL);
  }

  std::map<std::uint64_t, std::vector<State>> seen;
  std::map<std::uint64_t, Child> last;
  std::vector<int> signals;
  std::vector<std::string> notices;
  std::unique_ptr<KeeperLink> link;

 private:
  // We are process 1 to workers whose keeper has died, and a good one reaps.
  void reap_adopted() {
    for (const auto& [run, child] : last)
      if (child.adopted && child.state == State::kRunning) ::waitpid(child.pid, nullptr, WNOHANG);
  }
  std::unique_ptr<EventLoop> loop_ = std::move(*EventLoop::create());
  test::RelayedDaemon relayed_;
};

// What a keeper of the first protocol says, which knew nothing of sockets to pass on.
Fd first_keeper(Fd& daemons_end) {
  sys::SocketPair pair = std::move(*sys::seqpacket_pair());
  const Fd table = std::move(*sys::memfd("table", sizeof(keeper::ChildTable)));
  const Fd lock = std::move(*sys::memfd("lock", 1));
  const int table_fd = table.get(), lock_fd = lock.get();
  const int to = pair.first.get();
  EXPECT_TRUE(keeper::send(to, {keeper::Op::kHello, keeper::kProtocolVersion, 0, 1}, "0.1"));
  EXPECT_TRUE(keeper::send(to, {keeper::Op::kFd}, keeper::kChildrenName, {&table_fd, 1}));
  EXPECT_TRUE(keeper::send(to, {keeper::Op::kFd}, keeper::kLockName, {&lock_fd, 1}));
  EXPECT_TRUE(keeper::send(to, {keeper::Op::kEnd}));
  daemons_end = std::move(pair.second);
  return std::move(pair.first);
}

TEST(OlderKeeperTest, PassesNoSocketsAndThatIsSaid) {
  test::RelayedDaemon daemon;
  const Fd keeper = first_keeper(daemon.socket);
  const auto loop = std::move(*EventLoop::create());
  KeeperLink::Options options;
  options.socket_fd = daemon.socket.release();
  const auto link = KeeperLink::connect(*loop, std::move(options), KeeperLink::Events());
  ASSERT_TRUE(link) << link.error().message();
  SpawnRequest request;
  request.run = RunId{2};
  request.program = "/bin/true";
  request.argv = {"true"};
  request.socket_fds = {keeper.get()};
  EXPECT_THAT((*link)->spawn(request).error().message(), testing::HasSubstr("'pmx update'"));
  request.socket_fds.clear();
  EXPECT_TRUE((*link)->spawn(request));
}

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

class KeeperLinkTest : public ::testing::Test {
 protected:
  KeeperLinkTest() { keeper_.start(); }
  ~KeeperLinkTest() override {
    if (!link_ || !link_->link) return;
    for (const Child& child : link_->link->children())
      if (child.state == State::kRunning) ::kill(-child.pid, SIGKILL);
    if (link_->link->keeper_pid() != keeper_.pid()) ::kill(link_->link->keeper_pid(), SIGKILL);
    link_->die();
  }
  Link& connect() {
    link_ = std::make_unique<Link>(keeper_, keeper_.accept());
    return *link_;
  }
  Link& next_daemon() {
    link_->die();
    return connect();
  }

  KeeperProcess keeper_;
  std::unique_ptr<Link> link_;
};

TEST_F(KeeperLinkTest, KnowsItsKeeperAndWhichDaemonItIs) {
  EXPECT_EQ(connect().link->keeper_pid(), keeper_.pid());
  EXPECT_EQ(link_->link->incarnation(), 0U);
  EXPECT_FALSE(link_->link->safe_start());
  EXPECT_THAT(link_->link->names(), IsEmpty());
  next_daemon();
  EXPECT_EQ(link_->link->incarnation(), 1U);
  EXPECT_THAT(link_->notices, ElementsAre("the daemon before this one ended by signal 9"));
}

TEST_F(KeeperLinkTest, GivesBackTheSameOpenFileInTheNextDaemon) {
  Link& first = connect();
  const Fd memory = std::move(*sys::memfd_of("ring", "abcdef"));
  ASSERT_TRUE(first.link->put("ring.2", memory.get()));
  ASSERT_TRUE(first.link->put("ring.4", memory.get()));
  first.link->drop("ring.4");
  EXPECT_THAT(first.link->names(), ElementsAre("ring.2"));
  char two[2];
  ASSERT_EQ(*sys::read(first.link->get("ring.2")->get(), two), 2U);
  Link& second = next_daemon();
  EXPECT_THAT(second.link->names(), ElementsAre("ring.2"));
  EXPECT_EQ(read_to_end(*second.link->get("ring.2")), "cdef");
  EXPECT_EQ(second.link->get("ring.4").error().code(), Errc::kNotFound);
}

TEST_F(KeeperLinkTest, RefusesNamesThatAreTheKeepersOrTooLong) {
  Link& link = connect();
  EXPECT_FALSE(link.link->put("lock", 0));
  EXPECT_FALSE(link.link->put("pidfd.2", 0));
  EXPECT_FALSE(link.link->put(std::string(201, 'x'), 0));
}

TEST_F(KeeperLinkTest, ReplacesTheStateAsAWhole) {
  EXPECT_EQ(connect().link->state(), "");
  const std::string large(300'000, 'x');
  ASSERT_TRUE(link_->link->set_state(large));
  ASSERT_TRUE(link_->link->set_state("second"));
  EXPECT_EQ(link_->link->state(), "") << "as it was when we connected";
  EXPECT_EQ(next_daemon().link->state(), "second");
  EXPECT_EQ(link_->link->state(), "second") << "read twice";
}

TEST_F(KeeperLinkTest, TellsOfRunningAndExitWithStatusAndUsage) {
  Link& link = connect();
  Fd input = link.spawn_waiting(2, "exit 7");
  const Child running = link.when(2, State::kRunning);
  EXPECT_EQ(running.start_ticks, *sys::start_time_ticks(running.pid));
  input.reset();
  const Child ended = link.when(2, State::kExited);
  EXPECT_EQ(WEXITSTATUS(ended.wait_status), 7);
  EXPECT_GT(ended.max_rss_kib, 0U);
  EXPECT_FALSE(ended.adopted);
  EXPECT_THAT(link.seen[2], ElementsAre(State::kRunning, State::kExited));
  EXPECT_EQ(link.link->children().size(), 1U);
  link.link->acknowledge_exit(RunId{2});
  EXPECT_THAT(link.link->children(), IsEmpty());
}

TEST_F(KeeperLinkTest, ManyThatAreStartedInOneGoAreNotAllOpenHere) {
  constexpr std::uint64_t kRuns = 600;
  Link& link = connect();
  const auto before = open_descriptors();
  for (std::uint64_t run = 1; run <= kRuns; ++run) link.spawn(2 * run, "exit 3");
  EXPECT_LT(open_descriptors() - before, 400);
  for (std::uint64_t run = 1; run <= kRuns; ++run) link.when(2 * run, State::kExited);
}

TEST_F(KeeperLinkTest, TellsWhereASpawnFailed) {
  Link& link = connect();
  SpawnRequest request;
  request.run = RunId{2};
  request.program = "/no/such/program";
  ASSERT_TRUE(link.link->spawn(request));
  const Child child = link.when(2, State::kSpawnFailed);
  EXPECT_EQ(child.failed_step, "exec");
  EXPECT_EQ(child.spawn_errno, ENOENT);
  request.argv = {std::string("a\0b", 3)};
  EXPECT_EQ(link.link->spawn(request).error().code(), Errc::kInvalidArgument);
}

TEST_F(KeeperLinkTest, ShowsTheNextDaemonWhatRunsAndWhatHasEnded) {
  Link& first = connect();
  const Fd input = first.spawn_waiting(2);
  first.spawn(4, "exit 3");
  const pid_t pid = first.when(2, State::kRunning).pid;
  first.when(4, State::kExited);
  Link& second = next_daemon();
  const std::vector<Child> children = second.link->children();
  ASSERT_EQ(children.size(), 2U);
  EXPECT_EQ(children[0].state, State::kRunning);
  EXPECT_EQ(children[0].pid, pid);
  EXPECT_EQ(WEXITSTATUS(children[1].wait_status), 3);
  ASSERT_TRUE(second.link->signal(RunId{2}, SIGTERM, true));
  EXPECT_EQ(WTERMSIG(second.when(2, State::kExited).wait_status), SIGTERM);
}

TEST_F(KeeperLinkTest, SignalsTheLeaderAloneOrTheWholeGroup) {
  Link& link = connect();
  sys::Pipe out = std::move(*sys::pipe());
  link.spawn(2, "sleep 1000 & echo ready; exec sleep 1000", -1, out.write_end.get());
  out.write_end.reset();
  char ready[6];
  ASSERT_EQ(*sys::read(out.read_end.get(), ready), 6U);
  link.when(2, State::kRunning);
  ASSERT_TRUE(link.link->signal(RunId{2}, SIGTERM, false));
  link.when(2, State::kExited);
  ASSERT_FALSE(link.link->signal(RunId{2}, SIGTERM, false));
  // The grandchild is left, holds the pipe, and is still reached.
  ASSERT_TRUE(link.link->signal(RunId{2}, SIGKILL, true));
  EXPECT_EQ(read_to_end(out.read_end), "");
  EXPECT_TRUE(test::eventually([&] { return !link.link->signal(RunId{2}, SIGKILL, true); }));
  link.link->acknowledge_exit(RunId{2});
  EXPECT_EQ(link.link->signal(RunId{2}, SIGKILL, true).error().code(), Errc::kNotFound);
}

TEST_F(KeeperLinkTest, SignalsNobodyWhereTheNumberBelongsToAnother) {
  Link& link = connect();
  Fd input = link.spawn_waiting(2);
  const pid_t pid = link.when(2, State::kRunning).pid;
  input.reset();
  link.when(2, State::kExited);
  // The kernel gives the number to somebody else. Another program may be faster: then once more.
  pid_t other = 0;
  for (int tries = 0; tries < 1000 && other != pid; ++tries) {
    if (other > 0) {
      ::kill(other, SIGKILL);
      ::waitpid(other, nullptr, 0);
    }
    const auto chooser = sys::open("/proc/sys/kernel/ns_last_pid", O_WRONLY);
    ASSERT_TRUE(chooser) << "only root may choose the next process's number";
    ASSERT_TRUE(sys::write(chooser->get(), std::to_string(pid - 1)));
    other = ::fork();
    if (other == 0) {
      ::setsid();
      for (;;) ::pause();
    }
  }
  const bool same = other == pid;
  const auto sent = same ? link.link->signal(RunId{2}, SIGKILL, true) : Result<void>();
  const bool alive = ::waitpid(other, nullptr, WNOHANG) == 0;
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  ASSERT_TRUE(same) << "the number always went to another program";
  EXPECT_FALSE(sent);
  EXPECT_TRUE(alive);
}

TEST_F(KeeperLinkTest, HoldsASignalForAChildThatIsOnlyStarting) {
  Link& link = connect();
  const Fd input = link.spawn_waiting(2);
  ASSERT_TRUE(link.link->signal(RunId{2}, SIGTERM, true));
  EXPECT_EQ(WTERMSIG(link.when(2, State::kExited).wait_status), SIGTERM);
}

TEST_F(KeeperLinkTest, HearsOfSignalsToTheKeeperOnce) {
  Link& first = connect();
  ::kill(keeper_.pid(), SIGUSR2);
  EXPECT_TRUE(first.run_until([&] { return !first.signals.empty(); }));
  EXPECT_THAT(first.signals, ElementsAre(SIGUSR2));
  Link& second = next_daemon();
  ::kill(keeper_.pid(), SIGTERM);
  EXPECT_TRUE(second.run_until([&] { return !second.signals.empty(); }));
  EXPECT_THAT(second.signals, ElementsAre(SIGTERM));
}

TEST_F(KeeperLinkTest, StartsAnotherKeeperWhereTheOneItHadIsKilledAndAgain) {
  Link& link = connect();
  const Fd memory = std::move(*sys::memfd_of("ring", "abc"));
  ASSERT_TRUE(link.link->put("ring.2", memory.get()));
  const Fd input = link.spawn_waiting(2);
  link.spawn(4, "exit 3");
  const pid_t pid = link.when(2, State::kRunning).pid;
  link.when(4, State::kExited);
  for (int death = 1; death <= 2; ++death) {
    link.replace_keeper();
    EXPECT_THAT(link.notices.back(), HasSubstr("the keeper died (pid "));
    const std::vector<Child> children = link.link->children();
    ASSERT_EQ(children.size(), 2U);
    EXPECT_EQ(children[0].pid, pid);
    EXPECT_EQ(children[0].state, State::kRunning);
    EXPECT_TRUE(children[0].adopted);
    EXPECT_EQ(WEXITSTATUS(children[1].wait_status), 3);
    // The lock has never been free.
    const auto second = start_keeper({sys::self_exe(), keeper_.home(), sys::self_exe(), {}, false});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), Errc::kExists);
  }
  EXPECT_THAT(link.seen[2], ElementsAre(State::kRunning)) << "nothing has changed for the worker";
  EXPECT_THAT(link.link->names(), ElementsAre("ring.2"));
}

TEST_F(KeeperLinkTest, StopsAnAdoptedWorkerAndHearsOfItsEnd) {
  Link& link = connect();
  const Fd input = link.spawn_waiting(2);
  const pid_t pid = link.when(2, State::kRunning).pid;
  link.replace_keeper();
  link.last[2].adopted = true;  // So that it is reaped.
  ASSERT_TRUE(link.link->signal(RunId{2}, SIGTERM, true));
  const Child ended = link.when(2, State::kExited);
  EXPECT_EQ(ended.pid, pid);
  // By PIDFD_INFO_EXIT where the kernel has it.
  EXPECT_TRUE(ended.wait_status == -1 || ended.wait_status == SIGTERM) << ended.wait_status;
  EXPECT_EQ(link.link->children().at(0).run.value, 2U);
  link.link->acknowledge_exit(RunId{2});
  const Fd other = link.spawn_waiting(4);
  EXPECT_FALSE(link.when(4, State::kRunning).adopted);
}

TEST_F(KeeperLinkTest, HearsHowAnAdoptedWorkerEndedWhereNobodyReapsIt) {
  Link& link = connect();
  const Fd input = link.spawn_waiting(2);
  link.when(2, State::kRunning);
  link.replace_keeper();
  ASSERT_TRUE(link.link->signal(RunId{2}, SIGTERM, true));
  EXPECT_EQ(link.when(2, State::kExited).wait_status, SIGTERM);
}

TEST_F(KeeperLinkTest, SaysAgainToTheNewKeeperWhatTheOldOneNeverRead) {
  Link& link = connect();
  link.spawn(2, "exit 3");
  link.when(2, State::kExited);
  ::kill(link.link->keeper_pid(), SIGSTOP);
  link.spawn(4, "exit 5");
  link.link->acknowledge_exit(RunId{2});
  const Fd memory = std::move(*sys::memfd_of("x", "x"));
  ASSERT_TRUE(link.link->put("pipe.4", memory.get()));
  link.replace_keeper();
  EXPECT_EQ(WEXITSTATUS(link.when(4, State::kExited).wait_status), 5);
  EXPECT_EQ(std::count(link.seen[2].begin(), link.seen[2].end(), State::kExited), 1);
  EXPECT_EQ(link.link->children().size(), 1U);
}

TEST_F(KeeperLinkTest, QueuesInOrderWhatTheKeeperCannotTakeNow) {
  Link& link = connect();
  const Fd memory = std::move(*sys::memfd_of("x", "x"));
  ::kill(keeper_.pid(), SIGSTOP);
  for (int i = 0; i < 2000; ++i)
    ASSERT_TRUE(link.link->put("pipe." + std::to_string(i), memory.get()));
  link.link->drop("pipe.7");
  link.spawn(2, "exit 5");
  ::kill(keeper_.pid(), SIGCONT);
  link.when(2, State::kExited);
  const std::vector<std::string> names = next_daemon().link->names();
  EXPECT_EQ(names.size(), 1999U);
  EXPECT_EQ(std::count(names.begin(), names.end(), "pipe.7"), 0);
}

TEST_F(KeeperLinkTest, RefusesAWorkerPastWhatTheTableTakes) {
  Link& link = connect();
  ::kill(keeper_.pid(), SIGSTOP);  // What is said but not heard counts as well.
  SpawnRequest request;
  request.program = "/bin/true";
  sys::raise_fd_limit();  // What waits has its descriptors open here.
  for (std::uint64_t run = 1; run <= keeper::kMaxChildren; ++run) {
    request.run = RunId{run};
    ASSERT_TRUE(link.link->spawn(request)) << run;
  }
  request.run = RunId{keeper::kMaxChildren + 1};
  EXPECT_EQ(link.link->spawn(request).error().code(), Errc::kNoSpace);
}

// A daemon that has a process of its own, so that it can die after it has got a new keeper.
TEST_F(KeeperLinkTest, LeavesTheNextDaemonToTheKeeperThatAdopted) {
  auto relayed = keeper_.accept();
  sys::Pipe told = std::move(*sys::pipe());
  const pid_t daemon = ::fork();
  if (daemon == 0) {
    Link link(keeper_, std::move(relayed));
    const Fd input = link.spawn_waiting(2, "exec sleep 1000");
    link.when(2, State::kRunning);
    link.link->put("input", input.get()).value();
    link.replace_keeper();
    (void)sys::write_all(told.write_end.get(), std::to_string(link.last[2].pid) + "\n");
    for (;;) ::pause();
  }
  relayed.socket.reset();
  told.write_end.reset();
  char text[32];
  const auto n = sys::read(told.read_end.get(), text);
  ASSERT_TRUE(n && *n > 0);
  const pid_t worker = std::atoi(std::string(text, *n).c_str());
  ::kill(daemon, SIGKILL);
  ::waitpid(daemon, nullptr, 0);
  Link& next = connect();
  ASSERT_TRUE(next.link);
  EXPECT_EQ(next.link->incarnation(), 1U);
  EXPECT_NE(next.link->keeper_pid(), keeper_.pid());
  EXPECT_THAT(next.link->names(), ElementsAre("input"));
  ASSERT_EQ(next.link->children().size(), 1U);
  EXPECT_EQ(next.link->children()[0].pid, worker);
  EXPECT_EQ(next.link->children()[0].state, State::kRunning);
}

}  // namespace
}  // namespace pmx::supervisor
