#include "http/tcp_listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/units.h"
#include "support/without_capabilities.h"

namespace pmx::http {
namespace {

Fd listener(SharePort share = SharePort::kNo, std::uint16_t port = 0) {
  auto socket = listen_tcp("127.0.0.1", port, share);
  EXPECT_TRUE(socket) << socket.error().message();
  return socket ? std::move(*socket) : Fd();
}
std::uint16_t port_of(const Fd& socket) {
  const std::string address = bound_to(socket.get());
  const auto port = parse_integer(address.substr(address.rfind(':') + 1));
  return static_cast<std::uint16_t>(port ? *port : 0);
}

TEST(TcpListenerTest, TakesAFreePortAndSaysWhich) {
  const Fd socket = listener();
  EXPECT_EQ(bound_to(socket.get()), "127.0.0.1:" + std::to_string(port_of(socket)));
  EXPECT_GT(port_of(socket), 0);
}

TEST(TcpListenerTest, APortInUseIsSaidWithWhatToDo) {
  const Fd socket = listener();
  const std::string port = std::to_string(port_of(socket));
  const auto second = listen_tcp("127.0.0.1", port_of(socket), SharePort::kNo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::kExists);
  EXPECT_EQ(second.error().message(),
            "port " + port + " of 127.0.0.1 is in use: end who has it (ss -ltnp 'sport = :" + port +
                "' tells who), or choose another port");
}

TEST(TcpListenerTest, APortIsSharedOnlyWhereBothWantThat) {
  const Fd first = listener(SharePort::kYes);
  const Fd second = listener(SharePort::kYes, port_of(first));
  EXPECT_TRUE(second);
  EXPECT_FALSE(listen_tcp("127.0.0.1", port_of(first), SharePort::kNo));
  const Fd alone = listener();
  EXPECT_FALSE(listen_tcp("127.0.0.1", port_of(alone), SharePort::kYes));
}

TEST(TcpListenerTest, AnAddressThatIsNotOursIsSaid) {
  const auto foreign = listen_tcp("192.0.2.1", 0, SharePort::kNo);  // RFC 5737: nobody's.
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().message().find("192.0.2.1 is no address of this machine"),
            std::string::npos);
  EXPECT_NE(listen_tcp("not a host", 0, SharePort::kNo).error().message().find("host not a host: "),
            std::string::npos);
}

TEST(TcpListenerTest, APortForRootIsSaid) {
  // Many containers set this to 0: nothing is for root there.
  const auto first = RealFs().read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start");
  ASSERT_TRUE(first);
  const pmx::test::WithoutCapabilities as_anybody;
  const auto low = listen_tcp("127.0.0.1", 1, SharePort::kNo);
  if (*first == "0\n") {
    EXPECT_TRUE(low);
    return;
  }
  ASSERT_FALSE(low);
  EXPECT_EQ(low.error().message().find("port 1 is for root"), 0U) << low.error().message();
}

TEST(TcpListenerTest, AddressesAreWrittenAsPeopleDo) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:10.0.0.7", &v6.sin6_addr), 1);
  EXPECT_EQ(address_text(reinterpret_cast<const sockaddr*>(&v6)), "10.0.0.7");
  ASSERT_EQ(::inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr), 1);
  EXPECT_EQ(address_text(reinterpret_cast<const sockaddr*>(&v6)), "2001:db8::1");
  EXPECT_EQ(address_text(nullptr), "");
}

}  // namespace
}  // namespace pmx::http
