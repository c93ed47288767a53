#include "supervisor/listen_socket.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <set>

#include "base/sys.h"
#include "support/loopback.h"
#include "support/temp_dir.h"

namespace pmx::test {
namespace {

using supervisor::accept_waiting;
using supervisor::Balance;
using supervisor::ListenAddress;
using supervisor::open_listener;
using supervisor::open_slot;
using supervisor::steer;
using supervisor::waiting_connections;
using testing::Each;
using testing::ElementsAre;
using testing::Gt;
using Kind = ListenAddress::Kind;

class ListenSocketTest : public testing::Test {
 protected:
  static ListenAddress tcp(const std::string& address = "127.0.0.1", int port = 0) {
    ListenAddress at;
    at.address = address;
    at.port = port;
    at.ipv6 = address.empty() || address.find(':') != std::string::npos;
    return at;
  }
  static ListenAddress udp(int port = 0) {
    ListenAddress at = tcp("127.0.0.1", port);
    at.kind = Kind::kUdp;
    return at;
  }
  static ListenAddress local(const std::string& name) {
    ListenAddress at;
    at.kind = Kind::kUnix;
    at.address = name;
    return at;
  }
  static int why(const ListenAddress& address, bool slots = false) {
    const auto opened = open_listener(address, slots);
    return opened ? 0 : opened.error().sys_errno();
  }
  static mode_t mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  // `count` slots of one free port.
  void slots(unsigned count, const ListenAddress& address = tcp()) {
    slots_.push_back(std::move(open_listener(address, true)).value());
    while (slots_.size() < count)
      slots_.push_back(std::move(open_slot(address, slots_[0].get())).value());
    port_ = port_of(slots_[0].get());
  }
  void steer_to(std::vector<unsigned> live, Balance balance = Balance::kSlots) {
    EXPECT_TRUE(steer(slots_[0].get(), live, static_cast<unsigned>(slots_.size()), balance));
  }
  // Which slot gets how many of so many connections of one client.
  std::vector<std::size_t> counts(std::size_t clients, const std::string& from = "127.0.0.1") {
    std::vector<Fd> open;
    for (std::size_t i = 0; i < clients; ++i) {
      open.push_back(client_of(port_, "127.0.0.1", from));
      EXPECT_TRUE(open.back());
    }
    std::vector<int> fds;
    for (const Fd& slot : slots_) fds.push_back(slot.get());
    return arrivals(fds, clients);
  }
  std::size_t slot_of(const std::string& from) {
    const auto each = counts(1, from);
    return static_cast<std::size_t>(std::find(each.begin(), each.end(), 1U) - each.begin());
  }

  TempDir dir_;
  std::vector<Fd> slots_;
  int port_ = 0;
};

// Slots of ::1 that are chosen for datagrams by the same program. A datagram needs no answer, so
// its sender may have an address that is nobody's (IPV6_FREEBIND, which anybody may set), where all
// connections of this machine to itself would come from ::1.
class UdpSlots {
 public:
  explicit UdpSlots(unsigned count) {
    while (slots_.size() < count) {
      slots_.push_back(bound_to("::1", port_, SOL_SOCKET, SO_REUSEPORT));
      port_ = port_of(slots_[0].get());
    }
  }
  void steer_to(std::vector<unsigned> live) {
    EXPECT_TRUE(
        steer(slots_[0].get(), live, static_cast<unsigned>(slots_.size()), Balance::kSticky));
  }
  // Whatever the client's port is. Of nothing that has come: as many as there are.
  std::size_t slot_of(const std::string& client) {
    const Fd from = bound_to(client, 0, IPPROTO_IPV6, IPV6_FREEBIND);
    const Place to = ip_place("::1", port_);
    EXPECT_EQ(::sendto(from.get(), "x", 1, 0, to.get(), to.length), 1) << client;
    std::vector<pollfd> watched;
    for (const Fd& slot : slots_) watched.push_back({slot.get(), POLLIN, 0});
    EXPECT_EQ(::poll(watched.data(), watched.size(), 10'000), 1) << client;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      char byte = 0;
      if (::recv(slots_[i].get(), &byte, 1, MSG_DONTWAIT) == 1) return i;
    }
    return slots_.size();
  }

 private:
  static Fd bound_to(const std::string& address, int port, int level, int option) {
    Fd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const Place place = ip_place(address, port);
    EXPECT_EQ(::setsockopt(fd.get(), level, option, &on, sizeof on), 0);
    EXPECT_EQ(::bind(fd.get(), place.get(), place.length), 0) << address;
    return fd;
  }

  std::vector<Fd> slots_;
  int port_ = 0;
};

// ---- Addresses.

TEST_F(ListenSocketTest, AnyAddressIsIpv6AndIpv4) {
  const Fd any = std::move(open_listener(tcp(""), false)).value();
  EXPECT_EQ(name_of_socket(any.get())["address"].as_string(), "::");
  const Fd over_ipv6 = client_of(port_of(any.get()), "::1"),
           over_ipv4 = client_of(port_of(any.get()));
  EXPECT_TRUE(over_ipv6 && over_ipv4);
  EXPECT_THAT(arrivals(std::vector{any.get()}, 2), ElementsAre(2U));
}

TEST_F(ListenSocketTest, WhatIsForIpv6AloneLeavesIpv4ToOthers) {
  ListenAddress address = tcp("::");
  address.ipv6_only = true;
  // Somebody's client may have the same port of IPv4.
  std::vector<Fd> tried;
  int error = EADDRINUSE;
  while (error == EADDRINUSE && tried.size() < 100) {
    tried.push_back(std::move(open_listener(address, false)).value());
    error = why(tcp("0.0.0.0", port_of(tried.back().get())));
  }
  EXPECT_EQ(error, 0);
  EXPECT_FALSE(client_of(port_of(tried.back().get())));
  EXPECT_TRUE(client_of(port_of(tried.back().get()), "::1"));
}

TEST_F(ListenSocketTest, PortZeroIsWhicheverIsFree) {
  const Fd first = std::move(open_listener(tcp(), false)).value();
  const Fd second = std::move(open_listener(tcp(), true)).value();
  EXPECT_GT(port_of(first.get()), 0);
  EXPECT_NE(port_of(first.get()), port_of(second.get()));
}

TEST_F(ListenSocketTest, SaysItsNameAsNodeDoes) {
  const Fd v4 = std::move(open_listener(tcp(), false)).value();
  const std::string port = std::to_string(port_of(v4.get()));
  EXPECT_EQ(name_of_socket(v4.get()).dump(),
            R"({"address":"127.0.0.1","family":"IPv4","port":)" + port + "}");
  const Fd v6 = std::move(open_listener(tcp("::1"), false)).value();
  EXPECT_EQ(name_of_socket(v6.get())["family"].as_string(), "IPv6");
  const Fd path = std::move(open_listener(local(dir_ / "s"), false)).value();
  EXPECT_TRUE(name_of_socket(path.get()).is_null());
}

TEST_F(ListenSocketTest, SaysWhatBindWouldHaveSaid) {
  EXPECT_EQ(why(tcp("192.0.2.1", 0)), EADDRNOTAVAIL);  // RFC 5737: nobody's.
  EXPECT_EQ(why(tcp("not an address")), EINVAL);
  const Fd fd = std::move(open_listener(tcp(), false)).value();
  const auto again = open_listener(tcp("127.0.0.1", port_of(fd.get())), false);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().sys_errno(), EADDRINUSE);
  EXPECT_EQ(again.error().message(),
            "bind 127.0.0.1:" + std::to_string(port_of(fd.get())) + ": Address already in use");
}

TEST_F(ListenSocketTest, ASlotsAddressMayNotBeSomebodyElses) {
  // A group of another app, of which the kernel would let us become a part.
  const Fd other = std::move(open_listener(tcp(), true)).value();
  EXPECT_EQ(why(tcp("127.0.0.1", port_of(other.get())), true), EADDRINUSE);
  EXPECT_EQ(why(tcp("", port_of(other.get())), true), EADDRINUSE);
}

TEST_F(ListenSocketTest, AListenerThatIsGoneLeavesItsAddressFree) {
  Fd fd = std::move(open_listener(tcp(), true)).value();
  const int port = port_of(fd.get());
  Fd client = client_of(port);
  ASSERT_THAT(arrivals(std::vector{fd.get()}, 1), ElementsAre(1U));  // TIME_WAIT is there now.
  fd.reset();
  EXPECT_EQ(why(tcp("127.0.0.1", port), true), 0);
}

TEST_F(ListenSocketTest, TakesAsManyAsItsBacklog) {
  ListenAddress address = tcp();
  address.backlog = 1;
  const Fd fd = std::move(open_listener(address, true)).value();
  const Fd first = client_of(port_of(fd.get())), second = client_of(port_of(fd.get()));
  EXPECT_TRUE(queue_reaches(fd.get(), 2));  // listen(2) lets one more in than was said.
  const Fd next = std::move(open_slot(address, fd.get())).value();
  EXPECT_EQ(backlog_of(fd.get()), 1U);
  EXPECT_EQ(backlog_of(next.get()), 1U);
}

// ---- Unix sockets.

TEST_F(ListenSocketTest, AUnixSocketServesItsPath) {
  const Fd fd = std::move(open_listener(local(dir_ / "s"), true)).value();
  EXPECT_TRUE(unix_client_of(dir_ / "s"));
  EXPECT_TRUE(accept_waiting(fd.get()));
  EXPECT_EQ(why(local(dir_ / "s")), EADDRINUSE);
}

TEST_F(ListenSocketTest, AnAbstractNameLeavesNoFile) {
  std::string name = dir_ / "abstract";
  name.insert(0, 1, '\0');
  const Fd fd = std::move(open_listener(local(name), false)).value();
  EXPECT_TRUE(unix_client_of(name));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "abstract"));
}

TEST_F(ListenSocketTest, AddsTheModeThatIsAskedFor) {
  const mode_t before = ::umask(0077);
  ListenAddress address = local(dir_ / "open");
  address.more_mode = 0666;
  const Fd open = std::move(open_listener(address, false)).value();
  const Fd closed = std::move(open_listener(local(dir_ / "closed"), false)).value();
  (void)::umask(before);
  EXPECT_EQ(mode_of(dir_ / "open"), 0766U);
  EXPECT_EQ(mode_of(dir_ / "closed"), 0700U);
}

TEST_F(ListenSocketTest, AUnixPathThatCannotBeIsSaid) {
  EXPECT_EQ(why(local(dir_ / "missing/s")), EACCES);  // As libuv has it.
  EXPECT_EQ(why(local("/" + std::string(107, 'x'))), ENAMETOOLONG);
  EXPECT_NE(why(local("/" + std::string(106, 'x') + "/s")), 0);
  std::string abstract(108, 'x');
  abstract[0] = '\0';
  EXPECT_EQ(why(local(abstract)), 0);  // It needs no end.
  EXPECT_EQ(why(local(abstract + "x")), ENAMETOOLONG);
}

// ---- UDP.

TEST_F(ListenSocketTest, UdpIsBoundOnceUnlessItsAddressMayBeReused) {
  ListenAddress address = udp();
  const Fd alone = std::move(open_listener(address, true)).value();
  address.port = port_of(alone.get());
  EXPECT_EQ(why(address), EADDRINUSE);

  address = udp();
  address.reuse_address = true;
  const Fd first = std::move(open_listener(address, false)).value();
  address.port = port_of(first.get());
  EXPECT_EQ(why(address), 0);
}

// ---- Slots.

TEST_F(ListenSocketTest, ASlotHasTheAddressOfTheFirst) {
  slots(2);
  EXPECT_EQ(name_of_socket(slots_[1].get()), name_of_socket(slots_[0].get()));
  EXPECT_GT(port_, 0);
}

TEST_F(ListenSocketTest, NewConnectionsGoToLiveSlotsOnly) {
  slots(4);
  steer_to({1, 3});
  const auto each = counts(64);
  EXPECT_EQ(each[0] + each[2], 0U);
  EXPECT_GT(each[1], 0U);
  EXPECT_GT(each[3], 0U);
  EXPECT_EQ(each[1] + each[3], 64U);
}

TEST_F(ListenSocketTest, IsSteeredAnewWhenASlotIsAddedOrLeft) {
  slots(2);
  steer_to({0});
  EXPECT_THAT(counts(10), ElementsAre(10U, 0U));
  slots_.push_back(std::move(open_slot(tcp(), slots_[0].get())).value());
  steer_to({2});
  EXPECT_THAT(counts(10), ElementsAre(0U, 0U, 10U));
  steer_to({0, 1, 2});
  EXPECT_THAT(counts(128), Each(Gt(0U)));
}

TEST_F(ListenSocketTest, StickyKeepsAClientOnItsSlot) {
  slots(4);
  steer_to({0, 1, 2, 3}, Balance::kSticky);
  std::set<std::size_t> used;
  for (int i = 1; i <= 16; ++i) {
    const std::string client = "127.0.0." + std::to_string(i);
    const std::size_t slot = slot_of(client);
    used.insert(slot);
    EXPECT_EQ(counts(8, client)[slot], 8U) << client;
  }
  EXPECT_GT(used.size(), 2U);
}

TEST_F(ListenSocketTest, StickyMovesOnlyTheClientsOfASlotThatIsGone) {
  slots(3);
  steer_to({0, 1, 2}, Balance::kSticky);
  std::map<std::string, std::size_t> before;
  for (int i = 1; i <= 16; ++i) {
    const std::string client = "127.0.0." + std::to_string(i);
    before[client] = slot_of(client);
  }
  steer_to({0, 2}, Balance::kSticky);
  for (const auto& [client, slot] : before) {
    const auto each = counts(4, client);
    EXPECT_EQ(each[1], 0U);
    EXPECT_TRUE(slot == 1 || each[slot] == 4U) << client;
  }
}

TEST_F(ListenSocketTest, StickyKeepsTheClientsOfASlotThatIsGoneTogetherToo) {
  slots(3);
  steer_to({0, 2}, Balance::kSticky);
  for (int i = 1; i <= 16; ++i) {
    const std::string client = "127.0.0." + std::to_string(i);
    const std::size_t slot = slot_of(client);
    EXPECT_EQ(counts(8, client)[slot], 8U) << client;
  }
}

TEST_F(ListenSocketTest, StickyKnowsClientsOfBothFamiliesOfOneSocket) {
  slots(4, tcp(""));
  steer_to({0, 1, 2, 3}, Balance::kSticky);
  EXPECT_EQ(counts(8, "127.0.0.7")[slot_of("127.0.0.7")], 8U);
  std::vector<Fd> clients;
  std::vector<int> fds;
  for (int i = 0; i < 8; ++i) clients.push_back(client_of(port_, "::1"));
  for (const Fd& slot : slots_) fds.push_back(slot.get());
  const auto each = arrivals(fds, clients.size());
  EXPECT_EQ(*std::max_element(each.begin(), each.end()), 8U);
}

TEST_F(ListenSocketTest, StickyLooksAtAllOfAnIpv6Address) {
  UdpSlots slots(4);
  slots.steer_to({0, 1, 2, 3});
  // RFC 3849's, which are nobody's; each family differs in one of its four words only.
  for (const std::string family : {"2001:db8::*", "2001:db8::*:0:0", "2001:db8:0:*::", "*:db8::"}) {
    std::set<std::size_t> used;
    for (int i = 1; i <= 16; ++i) {
      std::string client = family;
      client.replace(family.find('*'), 1, std::to_string(2000 + i));
      const std::size_t slot = slots.slot_of(client);
      used.insert(slot);
      for (int again = 0; again < 4; ++again) EXPECT_EQ(slots.slot_of(client), slot) << client;
    }
    EXPECT_GT(used.size(), 2U) << family;
  }
}

TEST_F(ListenSocketTest, StickyMovesOnlyTheIpv6ClientsOfASlotThatIsGone) {
  UdpSlots slots(3);
  slots.steer_to({0, 1, 2});
  std::map<std::string, std::size_t> before;
  for (int i = 1; i <= 16; ++i) {
    const std::string client = "2001:db8::" + std::to_string(i);
    before[client] = slots.slot_of(client);
  }
  slots.steer_to({0, 2});
  for (const auto& [client, slot] : before) {
    const std::size_t now = slots.slot_of(client);
    EXPECT_TRUE(slot == 1 ? now != 1 : now == slot) << client;
  }
}

TEST_F(ListenSocketTest, SteersToAsManySlotsAsThereMayBe) {
  slots(256);
  std::vector<unsigned> all(256);
  for (unsigned i = 0; i < all.size(); ++i) all[i] = i;
  for (const Balance balance : {Balance::kSlots, Balance::kSticky}) steer_to(all, balance);
  steer_to({255});
  EXPECT_EQ(counts(5).back(), 5U);
}

TEST_F(ListenSocketTest, NowhereIsNoPlaceToSteerTo) {
  slots(1);
  EXPECT_EQ(steer(slots_[0].get(), {}, 1, Balance::kSlots).error().code(), Errc::kInvalidArgument);
}

// ---- Queues.

TEST_F(ListenSocketTest, CountsTheConnectionsThatWait) {
  slots(1);
  EXPECT_EQ(waiting_connections(slots_[0].get()), 0U);
  EXPECT_FALSE(accept_waiting(slots_[0].get()));
  const Fd first = client_of(port_), second = client_of(port_);
  EXPECT_TRUE(queue_reaches(slots_[0].get(), 2));
  EXPECT_TRUE(accept_waiting(slots_[0].get()));
  EXPECT_EQ(waiting_connections(slots_[0].get()), 1U);
  const Fd path = std::move(open_listener(local(dir_ / "s"), false)).value();
  EXPECT_EQ(waiting_connections(path.get()), 0U);  // Not to be had.
}

TEST_F(ListenSocketTest, KnowsWhatASocketIsBoundTo) {
  for (const std::string address : {"127.0.0.1", "::1"}) {
    const auto listener = open_listener(tcp(address), false);
    if (!listener) continue;  // Without IPv6.
    const auto name = supervisor::bound_name(listener->get());
    ASSERT_TRUE(name);
    EXPECT_EQ(name->address, address);
    EXPECT_EQ(name->ipv6, address == "::1");
    EXPECT_EQ(name->port, port_of(listener->get()));
  }
  const auto abstract = open_listener(local(std::string("\0pmx-name", 9)), false);
  EXPECT_FALSE(supervisor::bound_name(abstract->get()));
}

TEST_F(ListenSocketTest, SaysWhyThereIsNothingToAccept) {
  const auto listener = open_listener(tcp(), false);
  EXPECT_EQ(supervisor::accept_next(listener->get()).error().sys_errno(), EAGAIN);
  const Fd client = client_of(port_of(listener->get()));
  EXPECT_TRUE(queue_reaches(listener->get(), 1));
  EXPECT_TRUE(supervisor::accept_next(listener->get()));
}

TEST_F(ListenSocketTest, APairIsTheTwoEndsOfOneConnection) {
  const auto pair = supervisor::tcp_pair();
  ASSERT_TRUE(pair);
  EXPECT_EQ(name_of_socket(pair->server.get())["address"], Json("127.0.0.1"));
  EXPECT_TRUE(sys::send_bytes(pair->client.get(), "x"));
  pollfd watched{pair->server.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&watched, 1, 10'000), 1);
  std::array<char, 8> bytes{};
  EXPECT_EQ(sys::receive(pair->server.get(), bytes).value(), 1U);
}

}  // namespace
}  // namespace pmx::test
