#include "keeper/keeper.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <map>
#include <memory>

#include "base/clock.h"
#include "keeper/keeper_process.h"

namespace pmx::keeper {
namespace {

using test::eventually;
using test::KeeperProcess;
using test::read_to_end;
using test::RelayedDaemon;
using test::shell;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;

// The daemon's side of the protocol, spoken by hand.
class Daemon {
 public:
  explicit Daemon(RelayedDaemon relayed) : relayed_(std::move(relayed)) { hear_greeting(); }

  void put(std::string_view name, int fd) { say({Op::kPut}, name, {fd}); }
  void drop(std::string_view name) { say({Op::kDrop}, name); }
  void acknowledge(std::uint64_t run) { say({Op::kAckExit, 0, run}); }
  void say(const Header& header, std::string_view name = {}, const std::vector<int>& fds = {}) {
    for (;;) {
      const auto sent = send(socket(), header, name, fds);
      if (sent) return;
      ASSERT_EQ(sent.error().code(), Errc::kUnavailable) << sent.error().message();
      pollfd wait{socket(), POLLOUT, 0};
      ::poll(&wait, 1, test::kPatienceMs);
    }
  }
  void spawn(std::uint64_t run, const std::vector<std::string>& arguments, SpawnOrder order = {},
             std::vector<int> fds = {}, std::uint32_t which = 0) {
    const std::vector<std::string> variables{"PATH=/usr/bin:/bin"};
    if (order.program.empty()) order.program = arguments[0];
    order.arguments = arguments;
    order.variables = variables;
    const Fd memory = std::move(*write_order(order));
    fds.insert(fds.begin(), memory.get());
    say({Op::kSpawn, which, run}, {}, fds);
  }
  // What it prints, once it and all that hold its output have ended.
  std::string output_of(std::uint64_t run, const std::vector<std::string>& arguments,
                        SpawnOrder order = {}) {
    sys::Pipe out = std::move(*sys::pipe());
    spawn(run, arguments, order, {out.write_end.get()}, kHasStdout);
    out.write_end.reset();
    return read_to_end(out.read_end);
  }

  const ChildRecord* record(std::uint64_t run) const {
    for (std::uint32_t slot = 0; slot < table->header.slots_used; ++slot)
      if (table->children[slot].run == run) return &table->children[slot];
    return nullptr;
  }
  // Listens until the record says so.
  const ChildRecord& when(std::uint64_t run, ChildState state) {
    static ChildRecord none{};
    for (;;) {
      const ChildRecord* const found = record(run);
      if (found && found->state == state) return *found;
      if (!hear()) return none;
    }
  }
  // One message from the keeper; false where none comes.
  bool hear() {
    if (!test::wait_readable(socket())) return false;
    auto message = sys::receive_message(socket(), kMaxMessageBytes);
    if (!message || !*message) return false;
    const Header header = *header_of((*message)->bytes);
    if (header.op == Op::kHello) hello = header;
    if (header.op == Op::kFd)
      held.insert_or_assign(std::string(name_of((*message)->bytes)), std::move((*message)->fds[0]));
    if (header.op == Op::kEnd) greeted = true;
    if (header.op == Op::kChild) rung.push_back(header.run);
    if (header.op == Op::kSignal) signals.push_back(static_cast<int>(header.value));
    return true;
  }
  void die(int signal = SIGKILL) {
    ::kill(relayed_.pid, signal);
    relayed_.socket.reset();
  }
  void kill_only() { ::kill(relayed_.pid, SIGKILL); }
  int socket() const { return relayed_.socket.get(); }
  pid_t pid() const { return relayed_.pid; }

  Header hello{};
  std::map<std::string, Fd> held;
  ChildTable* table = nullptr;
  bool greeted = false;
  std::vector<std::uint64_t> rung;
  std::vector<int> signals;

 private:
  void hear_greeting() {
    while (!greeted && hear()) {
    }
    if (held.contains("children")) table = *map_table(held.at("children").get(), false);
  }
  RelayedDaemon relayed_;
};

class KeeperTest : public ::testing::Test {
 protected:
  std::unique_ptr<Daemon> next_daemon() {
    auto daemon = std::make_unique<Daemon>(keeper_.accept());
    EXPECT_TRUE(daemon->table) << "no daemon has come";
    keeper_.clean_up_by(daemon->table);
    return daemon;
  }
  std::unique_ptr<Daemon> start() {
    keeper_.start();
    return next_daemon();
  }
  // A worker that lives until its input ends.
  Fd spawn_waiting(Daemon& daemon, std::uint64_t run, const std::string& then) {
    sys::Pipe in = std::move(*sys::pipe());
    daemon.spawn(run, shell("read x; " + then), {}, {in.read_end.get()}, kHasStdin);
    return std::move(in.write_end);
  }

  KeeperProcess keeper_;
};

TEST_F(KeeperTest, TellsADaemonWhoItIsAndWhatItHolds) {
  const auto daemon = start();
  EXPECT_EQ(daemon->hello.value, kProtocolVersion);
  EXPECT_EQ(daemon->hello.run, 0U);
  EXPECT_EQ(static_cast<pid_t>(daemon->hello.extra & 0xFFFFFFFFU), keeper_.pid());
  EXPECT_EQ(daemon->hello.extra & kSafe, 0U);
  EXPECT_NE(daemon->hello.extra & kPassesSockets, 0U);
  EXPECT_THAT(daemon->held, Contains(Key("children")));
  EXPECT_THAT(daemon->held, Contains(Key("lock")));
}

TEST_F(KeeperTest, HandsDescriptorsToTheNextDaemonWithTheirOffsets) {
  auto daemon = start();
  const Fd memory = std::move(*sys::memfd_of("ring", "abcdef"));
  daemon->put("ring.2", memory.get());
  daemon->put("ring.3", memory.get());
  daemon->drop("ring.3");
  char three[3];
  ASSERT_EQ(*sys::read(memory.get(), three), 3U);  // Moves the offset that all share.
  daemon->die();
  daemon = next_daemon();
  EXPECT_EQ(daemon->hello.run, 1U);
  EXPECT_THAT(daemon->held, Not(Contains(Key("ring.3"))));
  ASSERT_THAT(daemon->held, Contains(Key("ring.2")));
  EXPECT_EQ(read_to_end(daemon->held.at("ring.2")), "def");
}

TEST_F(KeeperTest, KeepsAnExitStatusUntilItIsAcknowledgedWhicheverDaemonAsks) {
  auto daemon = start();
  daemon->spawn(2, shell("exit 7"));
  EXPECT_EQ(WEXITSTATUS(daemon->when(2, ChildState::kExited).wait_status), 7);
  Fd input = spawn_waiting(*daemon, 4, "kill -TERM $$");
  const pid_t pid = daemon->when(4, ChildState::kRunning).pid;
  daemon->die();
  input.reset();
  daemon = next_daemon();
  const ChildRecord& record = daemon->when(4, ChildState::kExited);
  EXPECT_EQ(record.pid, pid);
  EXPECT_EQ(WTERMSIG(record.wait_status), SIGTERM);
  EXPECT_GT(record.ended_ns, 0);
  EXPECT_EQ(WEXITSTATUS(daemon->when(2, ChildState::kExited).wait_status), 7);
  daemon->acknowledge(2);
  EXPECT_TRUE(eventually([&] { return !daemon->record(2); }));
  EXPECT_TRUE(daemon->record(4));
}

TEST_F(KeeperTest, TellsStepAndErrnoOfAFailedSpawn) {
  const auto daemon = start();
  daemon->spawn(2, {"/no/such/program"});
  const ChildRecord& exec = daemon->when(2, ChildState::kSpawnFailed);
  EXPECT_EQ(exec.failed_step, Step::kExec);
  EXPECT_EQ(exec.spawn_errno, ENOENT);
  SpawnOrder elsewhere;
  elsewhere.cwd = "/no/such/directory";
  daemon->spawn(4, shell("true"), elsewhere);
  EXPECT_EQ(daemon->when(4, ChildState::kSpawnFailed).failed_step, Step::kChdir);
  const Fd null = std::move(*sys::open("/dev/null", O_RDONLY));
  daemon->say({Op::kSpawn, 0, 6}, {}, {null.get()});
  EXPECT_EQ(daemon->when(6, ChildState::kSpawnFailed).failed_step, Step::kOrder);
}

TEST_F(KeeperTest, IgnoresASpawnOfARunThatItHas) {
  const auto daemon = start();
  daemon->spawn(2, shell("exit 3"));
  daemon->spawn(2, shell("exit 4"));
  daemon->when(2, ChildState::kExited);
  daemon->spawn(2, shell("exit 5"));
  daemon->spawn(4, shell("exit 0"));
  daemon->when(4, ChildState::kExited);
  EXPECT_EQ(WEXITSTATUS(daemon->when(2, ChildState::kExited).wait_status), 3);
  EXPECT_EQ(daemon->table->header.slots_used, 2U);
}

TEST_F(KeeperTest, DoesAllThatADeadDaemonSaidBeforeItStartsTheNext) {
  auto daemon = start();
  ::kill(keeper_.pid(), SIGSTOP);
  const Fd memory = std::move(*sys::memfd_of("x", "x"));
  for (int i = 0; i < 50; ++i) daemon->put("pipe." + std::to_string(i), memory.get());
  daemon->spawn(2, shell("exit 9"));
  daemon->die();
  ::kill(keeper_.pid(), SIGCONT);
  daemon = next_daemon();
  EXPECT_THAT(daemon->held, Contains(Key("pipe.49")));
  EXPECT_EQ(WEXITSTATUS(daemon->when(2, ChildState::kExited).wait_status), 9);
}

TEST_F(KeeperTest, LosesNoDoorbellToAFullSocket) {
  const auto daemon = start();
  for (std::uint64_t run = 2; run <= 4000; run += 2) daemon->say({Op::kSpawn, 0, run});
  ASSERT_TRUE(eventually([&] { return daemon->record(4000) != nullptr; }));
  while (daemon->rung.size() < 2000 && daemon->hear()) {
  }
  EXPECT_EQ(daemon->rung.size(), 2000U);
  EXPECT_EQ(daemon->rung.back(), 4000U);
}

TEST_F(KeeperTest, RefusesMoreChildrenThanItsTableTakes) {
  const auto daemon = start();
  const std::uint64_t past = kMaxChildren + 1;
  for (std::uint64_t run = 1; run <= past; ++run) daemon->say({Op::kSpawn, 0, run});
  ASSERT_TRUE(eventually([&] { return daemon->table->header.refused_spawns == 1; }));
  EXPECT_FALSE(daemon->record(past));
  daemon->acknowledge(17);
  daemon->say({Op::kSpawn, 0, past});
  EXPECT_TRUE(eventually([&] { return daemon->record(past) && !daemon->record(17); }));
  EXPECT_EQ(daemon->table->header.slots_used, kMaxChildren);
}

TEST_F(KeeperTest, RefusesItsOwnNamesToADaemon) {
  auto daemon = start();
  const Fd memory = std::move(*sys::memfd_of("x", "x"));
  daemon->put("lock", memory.get());
  daemon->put("children", memory.get());
  daemon->put("pidfd.2", memory.get());
  daemon->say({Op::kPut}, "nothing");
  daemon->drop("lock");
  ASSERT_TRUE(eventually([&] { return daemon->table->header.refused_puts == 4; }));
  daemon->die();
  daemon = next_daemon();
  EXPECT_THAT(daemon->held, Contains(Key("lock")));
  EXPECT_THAT(daemon->held, Not(Contains(Key("pidfd.2"))));
}

TEST_F(KeeperTest, ReapsOrphansOfWorkers) {
  const auto daemon = start();
  sys::Pipe in = std::move(*sys::pipe());
  // The inner shell keeps the input under another number: sh gives background jobs /dev/null.
  daemon->spawn(2, shell("exec 7<&0; (read x <&7; exit 0) & exit 0"), {}, {in.read_end.get()},
                kHasStdin);
  in.read_end.reset();
  daemon->when(2, ChildState::kExited);
  EXPECT_EQ(daemon->table->header.orphans_reaped, 0U);
  in.write_end.reset();
  EXPECT_TRUE(eventually([&] { return daemon->table->header.orphans_reaped == 1; }));
}

TEST_F(KeeperTest, GivesAWorkerTheLimitsThatTheKeeperWasStartedWith) {
  keeper_.start([] {
    rlimit files{}, core{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = 233;
    ::setrlimit(RLIMIT_NOFILE, &files);
    ::getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = std::min<rlim_t>(core.rlim_max, 4096);
    ::setrlimit(RLIMIT_CORE, &core);
    ::setenv("ASAN_OPTIONS", "disable_coredump=0", 1);  // Else the sanitizer sets it to 0.
  });
  const auto daemon = next_daemon();
  rlimit core{}, own{};
  ::getrlimit(RLIMIT_CORE, &core);
  const auto blocks = std::min<rlim_t>(core.rlim_max, 4096) / 512;
  EXPECT_EQ(daemon->output_of(2, shell("ulimit -Sn; ulimit -Sc")),
            "233\n" + std::to_string(blocks) + "\n");
  ASSERT_EQ(::prlimit(keeper_.pid(), RLIMIT_NOFILE, nullptr, &own), 0);
  EXPECT_EQ(own.rlim_cur, own.rlim_max);
  ASSERT_EQ(::prlimit(keeper_.pid(), RLIMIT_CORE, nullptr, &own), 0);
  EXPECT_EQ(own.rlim_cur, 0U);
}

TEST_F(KeeperTest, GivesAWorkerFreshSignalsAndItsOwnSession) {
  keeper_.start([] {
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGCHLD, SIG_IGN);
  });
  const auto daemon = next_daemon();
  EXPECT_EQ(daemon->output_of(2, {"/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}),
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  daemon->when(2, ChildState::kExited);
  const std::string line =
      daemon->output_of(4, {"/usr/bin/cut", "-d ", "-f5,6", "/proc/self/stat"});
  const std::string pid = std::to_string(daemon->when(4, ChildState::kExited).pid);
  EXPECT_EQ(line, pid + " " + pid + "\n");
}

TEST_F(KeeperTest, GivesAWorkerNoDescriptorButItsOwn) {
  keeper_.start([] { ::dup2(2, 50); });
  const auto daemon = next_daemon();
  // 3 is the directory that ls reads.
  EXPECT_EQ(daemon->output_of(2, {"/bin/ls", "/proc/self/fd"}), "0\n1\n2\n3\n");
}

TEST_F(KeeperTest, MakesTheChannelDescriptorThree) {
  const auto daemon = start();
  const sys::SocketPair channel = std::move(*sys::stream_pair());
  daemon->spawn(2, shell("echo hello >&3"), {}, {channel.second.get()}, kHasChannel);
  ASSERT_TRUE(test::wait_readable(channel.first.get()));
  char text[16];
  EXPECT_EQ(*sys::read(channel.first.get(), text), 6U);
}

TEST_F(KeeperTest, SetsUserGroupAndSupplementaryGroups) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may";
  const auto daemon = start();
  const std::vector<gid_t> groups{4242, 4243};
  SpawnOrder order;
  order.uid = 4240;
  order.gid = 4241;
  order.groups = groups;
  EXPECT_EQ(daemon->output_of(2, shell("id -u; id -g; id -G"), order),
            "4240\n4241\n4241 4242 4243\n");
}

TEST_F(KeeperTest, ForwardsSignalsToGroupsEvenWithoutADaemon) {
  auto daemon = start();
  sys::Pipe out = std::move(*sys::pipe());
  // The grandchild ends by the signal as well, or the pipe would stay open.
  daemon->spawn(2, shell("sleep 1000 & trap 'exit 5' USR1; echo ready; wait"), {},
                {out.write_end.get()}, kHasStdout);
  out.write_end.reset();
  char text[16];
  ASSERT_EQ(*sys::read(out.read_end.get(), text), 6U);
  daemon->when(2, ChildState::kRunning);
  keeper_.stop_daemons();
  daemon->die();
  ::kill(keeper_.pid(), SIGUSR1);
  EXPECT_EQ(read_to_end(out.read_end), "");
  keeper_.listen();
  daemon = next_daemon();
  EXPECT_EQ(WEXITSTATUS(daemon->when(2, ChildState::kExited).wait_status), 5);
  while (daemon->signals.empty() && daemon->hear()) {
  }
  EXPECT_EQ(daemon->signals, std::vector{SIGUSR1});
}

TEST_F(KeeperTest, EndsWithTheCodeOfTheQuitAndStartsNoOtherDaemon) {
  const auto daemon = start();
  daemon->say({Op::kQuit, 42});
  daemon->die();
  const int status = keeper_.wait();
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST_F(KeeperTest, EndsBySigtermWhereThereIsNoDaemonAndNoWorker) {
  keeper_.stop_daemons();
  keeper_.start();
  ASSERT_TRUE(
      eventually([&] { return ::access((keeper_.home() + "/state/lock").c_str(), F_OK) == 0; }));
  ASSERT_TRUE(eventually([&] {
    return ::kill(keeper_.pid(), SIGTERM) == 0 && ::waitpid(keeper_.pid(), nullptr, WNOHANG) != 0;
  }));
  keeper_.set_pid(0);
}

TEST_F(KeeperTest, IsRefusedAHomeThatAnotherKeeperHas) {
  const auto daemon = start();
  const pid_t first = keeper_.pid();
  sys::Pipe complaint = std::move(*sys::pipe());
  keeper_.start([] {}, complaint.write_end.get());
  complaint.write_end.reset();
  EXPECT_EQ(read_to_end(complaint.read_end),
            "pmx-keeper: another keeper has " + keeper_.home() + "\n");
  EXPECT_EQ(WEXITSTATUS(keeper_.wait()), kExitHomeTaken);
  keeper_.set_pid(first);
}

// The test program is every keeper of this test: what it becomes is itself.
TEST_F(KeeperTest, BecomesAnotherProgramAndKeepsChildrenDescriptorsStatusesAndSignals) {
  auto daemon = start();
  sys::Pipe input = std::move(*sys::pipe()), output = std::move(*sys::pipe());
  daemon->spawn(2, shell("trap '' USR2; echo ready; read x; exit 9"), {},
                {input.read_end.get(), output.write_end.get()}, kHasStdin | kHasStdout);
  const pid_t worker = daemon->when(2, ChildState::kRunning).pid;
  char ready[8];
  ASSERT_TRUE(sys::read(output.read_end.get(), ready));  // It ignores the signal from here on.
  daemon->spawn(3, shell("exit 7"));
  EXPECT_EQ(WEXITSTATUS(daemon->when(3, ChildState::kExited).wait_status), 7);
  const Fd file = std::move(*sys::memfd_of("file", "0123456789"));
  daemon->put("file.1", file.get());
  const pid_t keeper = keeper_.pid();
  const std::string link = keeper_.home() + "/next-keeper";
  ASSERT_EQ(::symlink(sys::self_exe().c_str(), link.c_str()), 0);
  daemon->say({Op::kUpdate}, link + '\0' + link);
  ::kill(keeper, SIGUSR2);  // No daemon has answered for it.
  while (daemon->signals.empty()) ASSERT_TRUE(daemon->hear());
  daemon->die();

  daemon = next_daemon();
  const std::string command =
      sys::read_file("/proc/" + std::to_string(keeper) + "/cmdline").value();
  EXPECT_THAT(command, ::testing::StartsWith(link));
  EXPECT_EQ(daemon->hello.run, 1U);
  EXPECT_EQ(daemon->hello.extra & 0xFFFFFFFFU, static_cast<std::uint64_t>(keeper));
  EXPECT_THAT(daemon->held, Contains(Key("file.1")));
  while (daemon->signals.empty()) ASSERT_TRUE(daemon->hear());
  EXPECT_EQ(daemon->signals, std::vector{SIGUSR2});
  EXPECT_EQ(WEXITSTATUS(daemon->when(3, ChildState::kExited).wait_status), 7);
  EXPECT_EQ(daemon->when(2, ChildState::kRunning).pid, worker);
  ASSERT_TRUE(sys::write_all(input.write_end.get(), "go\n"));
  EXPECT_EQ(WEXITSTATUS(daemon->when(2, ChildState::kExited).wait_status), 9);
  EXPECT_NE(daemon->when(2, ChildState::kExited).max_rss_kib, 0U);  // Waited for, not guessed.
  // Nothing that it held leaks into what it starts.
  EXPECT_EQ(daemon->output_of(4, shell("ls /proc/self/fd | wc -l")), "4\n");
}

TEST_F(KeeperTest, StaysWhatItIsWhereTheNextProgramCannotBeExecuted) {
  auto daemon = start();
  const Fd input = spawn_waiting(*daemon, 2, "exit 9");
  const pid_t worker = daemon->when(2, ChildState::kRunning).pid;
  daemon->say({Op::kUpdate}, std::string("/none/such") + '\0' + "/none/such");
  daemon->die();
  daemon = next_daemon();
  EXPECT_EQ(daemon->when(2, ChildState::kRunning).pid, worker);
  EXPECT_EQ(daemon->output_of(4, shell("ls /proc/self/fd | wc -l")), "4\n");
}

TEST_F(KeeperTest, TellsTheNextDaemonHowTheOneBeforeEnded) {
  auto daemon = start();
  daemon->die(SIGABRT);
  daemon = next_daemon();
  EXPECT_EQ(daemon->hello.run, 1U);
  EXPECT_EQ(WTERMSIG(daemon->table->header.last_daemon_status), SIGABRT);
}

TEST_F(KeeperTest, EndsADaemonWhoseHeartStopsAndKeepsTheWorkers) {
  const pid_t keeper = ::fork();
  if (keeper == 0) {
    KeeperOptions options;
    options.daemon_command = {sys::self_exe(), "daemon", "--home", keeper_.home()};
    options.heartbeat_deadline = std::chrono::milliseconds(5000);
    options.lock = std::move(*sys::open("/dev/null", O_RDONLY));
    const RealClock clock;
    auto made = Keeper::create(std::move(options), clock);
    ::_exit(made ? (*made)->run() : 1);
  }
  keeper_.set_pid(keeper);
  auto daemon = next_daemon();
  const Fd input = spawn_waiting(*daemon, 2, "exit 0");
  const pid_t worker = daemon->when(2, ChildState::kRunning).pid;
  daemon = next_daemon();
  EXPECT_EQ(WTERMSIG(daemon->table->header.last_daemon_status), SIGABRT);
  EXPECT_EQ(daemon->when(2, ChildState::kRunning).pid, worker);
}

}  // namespace
}  // namespace pmx::keeper
