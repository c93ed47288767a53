#include "keeper/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bind_trap.h"
#include "base/sys.h"

namespace pmx::keeper {
namespace {

class SpawnTest : public ::testing::Test {
 protected:
  SpawnTest() {
    arguments_ = {"/bin/sh", "-c", "exit 3"};
    limits_.worker_fd_limit = 256;
  }
  std::string ordered() {
    SpawnOrder order;
    order.program = program_;
    order.arguments = arguments_;
    const Fd memory = std::move(*write_order(order));
    ::lseek(memory.get(), 0, SEEK_SET);
    return *sys::read_all(memory.get(), kMaxOrderBytes);
  }
  Spawned spawn_with_sockets(std::size_t count, Fd channel = Fd()) {
    std::vector<Fd> fds;
    const std::string bytes = ordered();
    fds.push_back(std::move(*sys::memfd("order", bytes.size())));
    EXPECT_TRUE(sys::write_all(fds[0].get(), bytes));
    const std::uint32_t which = kHasSockets | (channel ? kHasChannel : 0);
    if (channel) fds.push_back(std::move(channel));
    // Memfds that say which one they are: their numbers are those that others are to have.
    for (std::size_t i = 0; i < count; ++i)
      fds.push_back(std::move(*sys::memfd_of("socket", "socket " + std::to_string(i))));
    return spawn_worker(fds, which, null_.get(), limits_, pid_);
  }
  Spawned spawn(std::string_view bytes, Fd trap = Fd()) {
    std::vector<Fd> fds;
    fds.push_back(std::move(*sys::memfd("order", bytes.size())));
    EXPECT_TRUE(sys::write_all(fds[0].get(), bytes));
    const std::uint32_t which = trap ? kHasTrap : 0;
    if (trap) fds.push_back(std::move(trap));
    return spawn_worker(fds, which, null_.get(), limits_, pid_);
  }
  static int wait(const Spawned& spawned) {
    int status = -1;
    ::waitpid(spawned.pid, &status, 0);
    return status;
  }

  std::string program_ = "/bin/sh";
  std::vector<std::string> arguments_;
  TableHeader limits_{};
  std::atomic<std::int32_t> pid_{0};
  Fd null_ = std::move(*sys::open("/dev/null", O_RDWR));
};

TEST_F(SpawnTest, StartsWhatTheOrderSaysAndReportsNothing) {
  const Spawned spawned = spawn(ordered());
  ASSERT_EQ(spawned.failure.step, Step::kNone);
  EXPECT_EQ(pid_, spawned.pid);
  EXPECT_EQ(WEXITSTATUS(wait(spawned)), 3);
  char byte;
  EXPECT_EQ(*sys::read(spawned.report.get(), {&byte, 1}), 0U);
}

TEST_F(SpawnTest, ReportsTheStepThatFailed) {
  program_ = "/no/such/program";
  const Spawned spawned = spawn(ordered());
  EXPECT_EQ(WEXITSTATUS(wait(spawned)), 127);
  SpawnReport report;
  ASSERT_EQ(*sys::read(spawned.report.get(), {reinterpret_cast<char*>(&report), sizeof report}),
            sizeof report);
  EXPECT_EQ(report.step, Step::kExec);
  EXPECT_EQ(report.sys_errno, ENOENT);
}

TEST_F(SpawnTest, RefusesAnOrderCutAtAnyByte) {
  const std::string whole = ordered();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const Spawned spawned = spawn(std::string_view(whole).substr(0, cut));
    ASSERT_EQ(spawned.failure.step, Step::kOrder) << "cut at byte " << cut;
  }
}

TEST_F(SpawnTest, RefusesAnOrderThatCouldShrinkWhileItIsRead) {
  std::vector<Fd> fds;
  fds.push_back(std::move(*sys::memfd_of("order", ordered())));
  EXPECT_EQ(spawn_worker(fds, 0, null_.get(), limits_, pid_).failure.step, Step::kOrder);
}

TEST_F(SpawnTest, SendsTheTrapOfItsBindsBeforeTheProgramBegins) {
  arguments_ = {"/bin/sh", "-c",
                "grep -q 'NoNewPrivs:.1' /proc/self/status && grep -q 'Seccomp:.2' "
                "/proc/self/status && test ! -e /proc/self/fd/32 && read nothing"};
  sys::SocketPair pair = std::move(*sys::seqpacket_pair());
  const Spawned spawned = spawn(ordered(), std::move(pair.second));
  ASSERT_EQ(spawned.failure.step, Step::kNone);
  EXPECT_EQ(WEXITSTATUS(wait(spawned)), 1);  // What there is to be read is /dev/null.
  for (int look = 0; look < 2; ++look) {     // One daemon, and the next.
    auto sent = trap_sent_to(pair.first.get());
    ASSERT_TRUE(sent);
    BindTrap trap(std::move(*sent));
    EXPECT_FALSE(trap.next());
    EXPECT_TRUE(trap.ended());
  }
}

TEST_F(SpawnTest, ReportsATrapThatCannotBeSent) {
  sys::SocketPair pair = std::move(*sys::seqpacket_pair());
  pair.first.reset();
  const Spawned spawned = spawn(ordered(), std::move(pair.second));
  EXPECT_EQ(WEXITSTATUS(wait(spawned)), 127);
  SpawnReport report;
  ASSERT_EQ(*sys::read(spawned.report.get(), {reinterpret_cast<char*>(&report), sizeof report}),
            sizeof report);
  EXPECT_EQ(report.step, Step::kTrap);
  EXPECT_EQ(report.sys_errno, EPIPE);
}

TEST_F(SpawnTest, StartsWithItsSocketsInTheirOrderAndTheChannelBehindThem) {
  arguments_ = {"/bin/sh", "-c",
                "test \"$(cat /proc/self/fd/3)\" = 'socket 0' && test \"$(cat /proc/self/fd/4)\" = "
                "'socket 1' && test \"$(cat /proc/self/fd/5)\" = channel && test ! -e "
                "/proc/self/fd/6 && test $LISTEN_PID = $$"};
  const Spawned spawned = spawn_with_sockets(2, std::move(*sys::memfd_of("channel", "channel")));
  ASSERT_EQ(spawned.failure.step, Step::kNone);
  EXPECT_EQ(WEXITSTATUS(wait(spawned)), 0);
}

TEST_F(SpawnTest, TakesAsManySocketsAsTheProtocolHas) {
  arguments_ = {"/bin/sh", "-c", "test \"$(cat /proc/self/fd/18)\" = 'socket 15'"};
  EXPECT_EQ(WEXITSTATUS(wait(spawn_with_sockets(kMaxSockets))), 0);
  EXPECT_EQ(spawn_with_sockets(kMaxSockets + 1).failure.step, Step::kSockets);
  EXPECT_EQ(spawn_with_sockets(0).failure.step, Step::kSockets);
}

TEST_F(SpawnTest, GivesADaemonTheOneDescriptorAndASessionOfItsOwn) {
  sys::Pipe pipe = std::move(*sys::pipe());
  const int fd = pipe.write_end.get();
  const auto pid =
      spawn_daemon({"/bin/sh", "-c", "cut -d' ' -f6 /proc/$$/stat >&" + std::to_string(fd)}, fd);
  ASSERT_TRUE(pid);
  pipe.write_end.reset();
  EXPECT_EQ(*sys::read_all(pipe.read_end.get(), 64), std::to_string(*pid) + "\n");
  ::waitpid(*pid, nullptr, 0);
}

}  // namespace
}  // namespace pmx::keeper
