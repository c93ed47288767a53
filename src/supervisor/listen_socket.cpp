#include "supervisor/listen_socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/units.h"
#include "supervisor/internal/steer_program.h"

namespace pmx::supervisor {
namespace {

constexpr int kMostGone = 1024;  // Clients in a row; nobody else has a turn meanwhile.

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Error failed(int why, const char* call, const ListenAddress& address) {
  if (address.kind == ListenAddress::Kind::kUnix) return system_error(why, call, address.address);
  return system_error(why, call, address.address + ":" + std::to_string(address.port));
}

Result<Address> unix_address(const ListenAddress& wanted) {
  Address out;
  auto* const name = reinterpret_cast<sockaddr_un*>(&out.storage);
  const bool abstract = wanted.address.starts_with('\0');
  if (wanted.address.empty() || wanted.address.size() + (abstract ? 0 : 1) > sizeof name->sun_path)
    return failed(ENAMETOOLONG, "bind", wanted);
  name->sun_family = AF_UNIX;
  (void)wanted.address.copy(name->sun_path, wanted.address.size());
  out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + wanted.address.size() +
                                      (abstract ? 0 : 1));
  return out;
}

// A literal may have a zone, "fe80::1%eth0", which only this call understands.
Result<Address> ip_address(const ListenAddress& wanted, bool ipv6) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_family = ipv6 ? AF_INET6 : AF_INET;
  hints.ai_socktype = wanted.kind == ListenAddress::Kind::kUdp ? SOCK_DGRAM : SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(wanted.port);
  if (::getaddrinfo(wanted.address.empty() ? nullptr : wanted.address.c_str(), port.c_str(), &hints,
                    &found) != 0)
    return failed(EINVAL, "bind", wanted);
  Address out;
  std::memcpy(&out.storage, found->ai_addr, found->ai_addrlen);
  out.length = found->ai_addrlen;
  ::freeaddrinfo(found);
  return out;
}

Result<void> set_option(int fd, int level, int option, const ListenAddress& address) {
  const int on = 1;
  if (::setsockopt(fd, level, option, &on, sizeof on) == 0) return {};
  return failed(errno, "setsockopt", address);
}

Result<Fd> bound(const ListenAddress& wanted, const Address& at, bool reuse_port) {
  const bool udp = wanted.kind == ListenAddress::Kind::kUdp;
  const bool local = wanted.kind == ListenAddress::Kind::kUnix;
  Fd fd(::socket(at.family(), (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return failed(errno, "socket", wanted);
  if (!local && (!udp || wanted.reuse_address))
    PMX_TRY(set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, wanted));
  if (at.family() == AF_INET6 && wanted.ipv6_only)
    PMX_TRY(set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, wanted));
  if (reuse_port) PMX_TRY(set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, wanted));
  if (::bind(fd.get(), at.get(), at.length) < 0)
    // As libuv has it: the directory of a socket that is not there is one that may not be used.
    return failed(local && errno == ENOENT ? EACCES : errno, "bind", wanted);
  if (local && wanted.more_mode != 0 && !wanted.address.starts_with('\0')) {
    struct stat info {};
    if (::stat(wanted.address.c_str(), &info) == 0)
      (void)::chmod(wanted.address.c_str(), info.st_mode | wanted.more_mode);
  }
  return fd;
}

Result<void> listen_on(const Fd& fd, const ListenAddress& address) {
  if (address.kind == ListenAddress::Kind::kUdp) return {};
  if (::listen(fd.get(), address.backlog) == 0) return {};
  return failed(errno, "listen", address);
}

Result<Address> name_of(int fd, const ListenAddress& wanted) {
  Address out;
  out.length = sizeof out.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&out.storage), &out.length) < 0)
    return failed(errno, "getsockname", wanted);
  return out;
}

Result<Fd> listener_at(const ListenAddress& wanted, Address at, bool slots) {
  if (slots) {
    // With SO_REUSEPORT another program of this user that has it too would not be noticed.
    const Fd probe = PMX_TRY(bound(wanted, at, false));
    PMX_TRY(listen_on(probe, wanted));
    at = PMX_TRY(name_of(probe.get(), wanted));
  }
  Fd fd = PMX_TRY(bound(wanted, at, slots));
  PMX_TRY(listen_on(fd, wanted));
  return fd;
}

bool is_stale(const Address& at, const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) < 0 || !S_ISSOCK(info.st_mode)) return false;
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return client && ::connect(client.get(), at.get(), at.length) < 0 && errno == ECONNREFUSED;
}

// A := a number that is the same for all connections of one client.
std::vector<sock_filter> hash_of_client() {
  constexpr unsigned kIpv6Words = 4, kIpv6Source = 8, kIpv4Source = 12;
  std::vector<sock_filter> v6;
  v6.push_back(statement(BPF_LD | BPF_W | BPF_ABS, network(kIpv6Source)));
  for (unsigned word = 1; word < kIpv6Words; ++word) {
    v6.push_back(statement(BPF_MISC | BPF_TAX, 0));
    v6.push_back(statement(BPF_LD | BPF_W | BPF_ABS, network(kIpv6Source + 4 * word)));
    v6.push_back(statement(BPF_ALU | BPF_XOR | BPF_X, 0));
  }
  std::vector<sock_filter> program;
  program.push_back(statement(BPF_LD | BPF_B | BPF_ABS, network(0)));
  program.push_back(statement(BPF_ALU | BPF_RSH | BPF_K, 4));
  program.push_back(jump_unless(6, static_cast<unsigned char>(v6.size() + 1)));
  program.insert(program.end(), v6.begin(), v6.end());
  program.push_back(statement(BPF_JMP | BPF_JA, 1));
  program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, network(kIpv4Source)));
  // Neighbours' addresses differ in their last bits only (Knuth's multiplicative hash).
  program.push_back(statement(BPF_ALU | BPF_MUL | BPF_K, 2'654'435'761U));
  program.push_back(statement(BPF_ALU | BPF_RSH | BPF_K, 16));
  return program;
}

// The client's slot among all of them; where that is gone, its slot among those that live.
void pick_by_client(std::vector<sock_filter>& program, std::span<const unsigned> live,
                    unsigned slots) {
  program = hash_of_client();
  program.push_back(statement(BPF_MISC | BPF_TAX, 0));
  program.push_back(statement(BPF_ALU | BPF_MOD | BPF_K, slots));
  for (const unsigned slot : live) {
    program.push_back(jump_unless(slot, 1));
    program.push_back(statement(BPF_RET | BPF_K, slot));
  }
  const auto count = static_cast<unsigned>(live.size());
  program.push_back(statement(BPF_MISC | BPF_TXA, 0));
  program.push_back(statement(BPF_ALU | BPF_DIV | BPF_K, slots));
  program.push_back(statement(BPF_ALU | BPF_MOD | BPF_K, count));
  for (unsigned i = 0; i + 1 < count; ++i) {
    program.push_back(jump_unless(i, 1));
    program.push_back(statement(BPF_RET | BPF_K, live[i]));
  }
  program.push_back(statement(BPF_RET | BPF_K, live.back()));
}

}  // namespace

bool is_one_address(const ListenAddress& one, const ListenAddress& other) {
  if (one.kind != other.kind || one.kind == ListenAddress::Kind::kUdp) return false;
  if (one.kind == ListenAddress::Kind::kUnix) return one.address == other.address;
  const auto host = [](const ListenAddress& address) {
    return address.address == "::" ? std::string() : address.address;
  };
  return one.port == other.port && one.port != 0 && one.ipv6_only == other.ipv6_only &&
         host(one) == host(other);
}

Result<Fd> open_listener(const ListenAddress& address, bool slots) {
  const bool tcp = address.kind == ListenAddress::Kind::kTcp;
  const auto at = [&](const Result<Address>& where, bool slotted) -> Result<Fd> {
    return where ? listener_at(address, *where, slotted) : Result<Fd>(where.error());
  };
  if (address.kind == ListenAddress::Kind::kUnix) return at(unix_address(address), false);
  if (!tcp || !address.address.empty()) return at(ip_address(address, address.ipv6), slots && tcp);
  // As Node: all of IPv6 and IPv4, and IPv4 alone where the machine has no IPv6.
  auto both = at(ip_address(address, true), slots);
  const int why = both ? 0 : both.error().sys_errno();
  if (why != EAFNOSUPPORT && why != EADDRNOTAVAIL && why != EINVAL) return both;
  return at(ip_address(address, false), slots);
}

Result<Fd> open_slot(const ListenAddress& address, int first) {
  const Address at = PMX_TRY(name_of(first, address));
  Fd fd = PMX_TRY(bound(address, at, true));
  PMX_TRY(listen_on(fd, address));
  return fd;
}

bool is_listening(int fd) {
  int listens = 0;
  socklen_t size = sizeof listens;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 || listens == 0)
    return false;
  pollfd state{fd, POLLRDHUP, 0};  // Of a Unix socket nothing else tells.
  return ::poll(&state, 1, 0) >= 0 && (state.revents & (POLLHUP | POLLRDHUP)) == 0;
}

void stop_listening(int fd, const ListenAddress& address) {
  (void)::shutdown(fd, SHUT_RDWR);
  if (address.kind == ListenAddress::Kind::kUnix && !address.address.starts_with('\0'))
    (void)::unlink(address.address.c_str());
}

void remove_stale_socket(const std::string& path) {
  ListenAddress wanted;
  wanted.kind = ListenAddress::Kind::kUnix;
  wanted.address = path;
  const auto at = unix_address(wanted);
  if (at && is_stale(*at, path)) (void)::unlink(path.c_str());
}

Result<void> steer(int fd, std::span<const unsigned> live, unsigned slots, Balance balance) {
  if (live.empty()) return invalid("no slot to steer to");
  std::vector<sock_filter> program;
  if (balance == Balance::kSticky)
    pick_by_client(program, live, slots);
  else
    pick_any(program, live);
  const sock_fprog attached{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached, sizeof attached) == 0)
    return {};
  return system_error(errno, "setsockopt", "SO_ATTACH_REUSEPORT_CBPF");
}

std::optional<BoundName> bound_name(int fd) {
  const auto name = name_of(fd, {});
  if (!name || (name->family() != AF_INET && name->family() != AF_INET6)) return std::nullopt;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(name->get(), name->length, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return std::nullopt;
  return BoundName{host.data(), name->family() == AF_INET6,
                   static_cast<int>(parse_integer(port.data()).value_or(0))};
}

std::uint32_t waiting_connections(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return 0;
  return info.tcpi_unacked;  // Of a listener: the length of its accept queue.
}

std::optional<Fd> accept_waiting(int fd) {
  auto connection = accept_next(fd);
  if (!connection) return std::nullopt;
  return std::move(*connection);
}

// A client that has gone, or whose network fails, is none (accept(2)): the next one is.
Result<Fd> accept_next(int fd) {
  constexpr std::array kGone{EINTR,        ECONNABORTED, EPROTO,      ENETDOWN, ENETUNREACH,
                             EHOSTUNREACH, EHOSTDOWN,    ENOPROTOOPT, ENONET,   EOPNOTSUPP};
  for (int i = 0; i < kMostGone; ++i) {
    Fd connection(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) return connection;
    if (std::find(kGone.begin(), kGone.end(), errno) == kGone.end()) break;
  }
  return system_error(errno, "accept4", "");
}

Result<TcpPair> tcp_pair() {
  ListenAddress loopback;
  loopback.address = "127.0.0.1";
  const Fd listener = PMX_TRY(open_listener(loopback, false));
  const Address at = PMX_TRY(name_of(listener.get(), loopback));
  TcpPair pair;
  pair.client = Fd(::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!pair.client) return failed(errno, "socket", loopback);
  if (::connect(pair.client.get(), at.get(), at.length) < 0 && errno != EINPROGRESS)
    return failed(errno, "connect", loopback);
  const Address ours = PMX_TRY(name_of(pair.client.get(), loopback));
  // Anybody here may have connected to that port in between.
  while (auto connection = accept_waiting(listener.get())) {
    Address theirs;
    theirs.length = sizeof theirs.storage;
    if (::getpeername(connection->get(), reinterpret_cast<sockaddr*>(&theirs.storage),
                      &theirs.length) < 0 ||
        theirs.length != ours.length ||
        std::memcmp(&theirs.storage, &ours.storage, ours.length) != 0)
      continue;
    pair.server = std::move(*connection);
    return pair;
  }
  return Error(Errc::kUnavailable, "connect 127.0.0.1: it takes its time");
}

}  // namespace pmx::supervisor
