#include "supervisor/slot_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "supervisor/internal/steer_program.h"
#include "supervisor/listen_socket.h"

namespace pmx::supervisor {
namespace {

constexpr unsigned kIpv4HeaderBytes = 20, kIpv6HeaderBytes = 40;

struct Address {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  sockaddr_in* v4() { return reinterpret_cast<sockaddr_in*>(&storage); }
  sockaddr_in6* v6() { return reinterpret_cast<sockaddr_in6*>(&storage); }
  bool is_v6() const { return storage.ss_family == AF_INET6; }
  // The port is in the same place in both.
  in_port_t port() { return is_v6() ? v6()->sin6_port : v4()->sin_port; }
};

Error failed(const char* call) { return system_error(errno, call, "a slot"); }

// Where it can be reached from here: any address by the loopback's.
Result<Address> reachable(int listener) {
  Address at;
  if (::getsockname(listener, at.get(), &at.length) < 0) return failed("getsockname");
  if (at.is_v6() && IN6_IS_ADDR_UNSPECIFIED(&at.v6()->sin6_addr))
    at.v6()->sin6_addr = in6addr_loopback;
  if (!at.is_v6() && at.v4()->sin_addr.s_addr == htonl(INADDR_ANY))
    at.v4()->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

// Bound, so that its port is known before the first packet is sent.
Result<Fd> client_at(Address own) {
  if (own.is_v6())
    own.v6()->sin6_port = 0;
  else
    own.v4()->sin_port = 0;
  Fd client(::socket(own.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!client) return failed("socket");
  if (::bind(client.get(), own.get(), own.length) < 0) return failed("bind");
  return client;
}

Result<void> steer_port(int listener, in_port_t port, unsigned slot,
                        std::span<const unsigned> live) {
  std::vector<sock_filter> program{
      statement(BPF_LD | BPF_B | BPF_ABS, network(0)),
      statement(BPF_ALU | BPF_RSH | BPF_K, 4),
      jump_unless(6, 2),
      statement(BPF_LD | BPF_H | BPF_ABS, network(kIpv6HeaderBytes)),
      statement(BPF_JMP | BPF_JA, 1),
      statement(BPF_LD | BPF_H | BPF_ABS, network(kIpv4HeaderBytes)),
      jump_unless(ntohs(port), 1),
      statement(BPF_RET | BPF_K, slot),
  };
  const std::vector<unsigned> others =
      live.empty() ? std::vector<unsigned>{slot} : std::vector<unsigned>(live.begin(), live.end());
  pick_any(program, others);
  const sock_fprog attached{static_cast<unsigned short>(program.size()), program.data()};
  if (::setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached, sizeof attached) < 0)
    return failed("setsockopt");
  return {};
}

bool is_established(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
         info.tcpi_state == TCP_ESTABLISHED;
}

}  // namespace

Result<Fd> connect_to_slot(int listener, unsigned slot, std::span<const unsigned> live,
                           unsigned slots) {
  Address to = PMX_TRY(reachable(listener));
  Fd client = PMX_TRY(client_at(to));
  Address own;
  if (::getsockname(client.get(), own.get(), &own.length) < 0) return failed("getsockname");
  PMX_TRY(steer_port(listener, own.port(), slot, live));
  const bool begun = ::connect(client.get(), to.get(), to.length) == 0 || errno == EINPROGRESS;
  const int why = errno;
  const bool there = begun && is_established(client.get());
  if (!live.empty()) PMX_TRY(steer(listener, live, slots, Balance::kSlots));
  if (there) return client;
  if (!begun) return system_error(why, "connect", "a slot");
  return Error(Errc::kUnavailable, "connect to a slot: it takes its time");
}

}  // namespace pmx::supervisor
