#include "base/bind_trap.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "base/sys.h"

namespace pmx {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

Fd tcp_socket(int flags = 0) { return Fd(::socket(AF_INET, SOCK_STREAM | flags, 0)); }

int bind_to(int socket, const sockaddr_in& address, std::size_t length = sizeof(sockaddr_in)) {
  const int failed =
      ::bind(socket, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length));
  return failed < 0 ? errno : 0;
}

int port_of(int socket) {
  sockaddr_in name{};
  socklen_t length = sizeof name;
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length), 0);
  return ntohs(name.sin_port);
}

Fd listener() {
  Fd socket = tcp_socket(SOCK_CLOEXEC);
  EXPECT_EQ(::listen(socket.get(), 1), 0);
  return socket;
}

// The caller is a thread of the test's own: a filter is a thread's.
class BindTrapTest : public ::testing::Test {
 protected:
  ~BindTrapTest() override {
    trap_.reset();  // Then nobody waits for an answer any more.
    if (caller_.joinable()) caller_.join();
  }
  void caller(std::function<void()> calls) {
    std::promise<int> trap;
    std::future<int> fd = trap.get_future();
    caller_ = std::thread([&trap, calls = std::move(calls)] {
      trap.set_value(trap_binds());
      calls();
    });
    trap_ = std::make_unique<BindTrap>(Fd(fd.get()));
    ASSERT_GE(trap_->fd(), 0);
  }
  std::optional<BindCall> call() {
    pollfd ready{trap_->fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 10'000), 1);
    return trap_->next();
  }
  void ends() {
    caller_.join();
    EXPECT_FALSE(trap_->next());
  }

  std::unique_ptr<BindTrap> trap_;
  std::thread caller_;
};

TEST_F(BindTrapTest, SaysWhatIsBoundAndHow) {
  const Fd socket = tcp_socket(SOCK_NONBLOCK);
  caller([&] { (void)bind_to(socket.get(), loopback(4711)); });
  const auto said = call();
  ASSERT_TRUE(said);
  EXPECT_FALSE(said->unseen) << said->unseen->message();
  EXPECT_EQ(said->number, socket.get());
  EXPECT_EQ(said->length, sizeof(sockaddr_in));
  EXPECT_EQ(ntohs(reinterpret_cast<const sockaddr_in*>(&said->address)->sin_port), 4711);
  EXPECT_TRUE(said->nonblocking);
  EXPECT_FALSE(said->close_on_exec);
  EXPECT_EQ(port_of(said->socket.get()), 0);
  trap_->refuse(*said, EADDRINUSE);
  ends();
  EXPECT_TRUE(trap_->ended());
}

TEST_F(BindTrapTest, PutsAnotherSocketInThePlaceOfTheCallers) {
  const Fd mine = listener();
  const Fd socket = tcp_socket(SOCK_CLOEXEC);
  int outcome = -1;
  caller([&] { outcome = bind_to(socket.get(), loopback(4711)); });
  const auto said = call();
  ASSERT_TRUE(said);
  EXPECT_TRUE(trap_->give(*said, mine.get()));
  ends();
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(port_of(socket.get()), port_of(mine.get()));
  EXPECT_EQ(::fcntl(socket.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(BindTrapTest, TheCallerHearsTheErrorThatItIsRefusedWith) {
  int outcome = -1;
  caller([&] { outcome = bind_to(tcp_socket().get(), loopback(4711)); });
  const auto said = call();
  ASSERT_TRUE(said);
  trap_->refuse(*said, EADDRNOTAVAIL);
  ends();
  EXPECT_EQ(outcome, EADDRNOTAVAIL);
}

TEST_F(BindTrapTest, WhatPassesIsDoneByTheKernel) {
  const Fd socket = tcp_socket();
  int outcome = -1;
  caller([&] { outcome = bind_to(socket.get(), loopback(0)); });
  const auto said = call();
  ASSERT_TRUE(said);
  trap_->pass(*said);
  ends();
  EXPECT_EQ(outcome, 0);
  EXPECT_NE(port_of(socket.get()), 0);
}

TEST_F(BindTrapTest, ShortAddressesPassUnseen) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  int outcome = -1;
  caller([&] {
    const Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    outcome = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(sa_family_t));
  });
  ends();
  EXPECT_EQ(outcome, 0);
}

TEST_F(BindTrapTest, SaysOfNonsenseThatItIsUnseen) {
  int outcome = -1;
  caller([&] { outcome = bind_to(4711, loopback(1)); });
  const auto said = call();
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->unseen);
  trap_->pass(*said);
  ends();
  EXPECT_EQ(outcome, EBADF);
}

TEST_F(BindTrapTest, AnAddressThatIsTooLongIsTheKernelsToRefuse) {
  sockaddr_storage space[2]{};
  int outcome = 0;
  caller([&] {
    const Fd socket = tcp_socket();
    outcome = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(space), sizeof space);
  });
  const auto said = call();
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->unseen);
  trap_->pass(*said);
  ends();
  EXPECT_EQ(outcome, -1);
}

TEST_F(BindTrapTest, TrapsWhatIsForkedAsWell) {
  const Fd mine = listener();
  int status = -1;
  caller([&] {
    const pid_t child = ::fork();
    if (child == 0) {
      const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
      ::_exit(bind_to(socket, loopback(4711)));
    }
    ::waitpid(child, &status, 0);
  });
  const auto said = call();
  ASSERT_TRUE(said);
  ASSERT_FALSE(said->unseen) << said->unseen->message();
  EXPECT_TRUE(trap_->give(*said, mine.get()));
  ends();
  EXPECT_EQ(status, 0);
}

TEST_F(BindTrapTest, WithoutATrapTheCallFailsAndDoesNotHang) {
  int outcome = -1;
  caller([&] { outcome = bind_to(tcp_socket().get(), loopback(4711)); });
  const auto said = call();
  ASSERT_TRUE(said);
  trap_.reset();
  caller_.join();
  EXPECT_EQ(outcome, ENOSYS);
}

TEST(BindTrap, LiesInASocketForWhoeverLooks) {
  sys::SocketPair pair = std::move(*sys::seqpacket_pair());
  EXPECT_EQ(trap_sent_to(pair.first.get()).error().code(), Errc::kUnavailable);
  bool sent = false;
  std::thread([&] { sent = trap_binds_for(pair.second.get()); }).join();
  EXPECT_TRUE(sent);
  pair.second.reset();
  for (int look = 0; look < 2; ++look) EXPECT_TRUE(trap_sent_to(pair.first.get()));
  pair.first.reset();
  std::thread([&] { sent = trap_binds_for(-1); }).join();
  EXPECT_FALSE(sent);
}

TEST_F(BindTrapTest, NobodyWaitsAtFirst) {
  std::promise<void> go;
  caller([&] { go.get_future().wait(); });
  EXPECT_FALSE(trap_->next());
  EXPECT_FALSE(trap_->ended());
  go.set_value();
  ends();
}

}  // namespace
}  // namespace pmx
