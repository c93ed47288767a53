#include "supervisor/open_connections.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "base/fd.h"
#include "supervisor/listen_socket.h"
#include "support/loopback.h"

namespace pmx::supervisor {
namespace {

TEST(OpenConnectionsTest, CountsTheEndsOfConnectionsAndNoListener) {
  const std::size_t before = open_connections(::getpid());
  const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), name, size), 0);
  ASSERT_EQ(::listen(listener.get(), 4), 0);
  ASSERT_EQ(::getsockname(listener.get(), name, &size), 0);
  EXPECT_EQ(open_connections(::getpid()), before);
  Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), name, size), 0);
  EXPECT_EQ(open_connections(::getpid()), before + 1);  // Nobody holds the other end yet.
  const Fd accepted(::accept(listener.get(), nullptr, nullptr));
  EXPECT_EQ(open_connections(::getpid()), before + 2);
  EXPECT_EQ(served_connections(::getpid()), 1U);  // The client's own end serves nobody.
}

TEST(OpenConnectionsTest, OneThatIsHandedItsConnectionsServesThoseOfTheirPort) {
  supervisor::ListenAddress loopback;
  loopback.address = "127.0.0.1";
  auto listener = supervisor::open_listener(loopback, false);
  ASSERT_TRUE(listener);
  const std::array ports{supervisor::bound_name(listener->get())->port};
  const Fd client = test::client_of(ports[0]), other = test::client_of(ports[0]);
  ASSERT_TRUE(test::queue_reaches(listener->get(), 2));
  const auto accepted = supervisor::accept_waiting(listener->get());
  const auto second = supervisor::accept_waiting(listener->get());
  listener->reset();
  EXPECT_EQ(served_connections(::getpid()), std::nullopt);
  EXPECT_EQ(served_connections(::getpid(), ports), 2U);
  EXPECT_EQ(served_connections(0x7FFFFFFF, ports), std::nullopt);
}

TEST(OpenConnectionsTest, OneThatListensOnNothingServesNobodyKnown) {
  EXPECT_EQ(served_connections(0x7FFFFFFF), std::nullopt);
}

TEST(OpenConnectionsTest, IsNothingOfAProcessThatIsNotThere) {
  EXPECT_EQ(open_connections(0x7FFFFFFF), 0U);
}

}  // namespace
}  // namespace pmx::supervisor
