// Sockets of a cluster app: bound as its workers ask, made here so that they outlive every worker
// and every daemon, and shared out by slots.
//
// A slot is one of several sockets of one address (SO_REUSEPORT), each with an accept queue of its
// own. The kernel spreads connections over them as steer() says. A group's sockets have numbers in
// the order in which they began to listen; a socket that is closed changes the others' numbers, so
// only the last one ever is, or all.
//
// Thread:  any; no state.
// Errors:  the errno of bind(2) or listen(2), as the program itself would have got it.
// Sources: socket(7) (SO_REUSEPORT, SO_ATTACH_REUSEPORT_CBPF), ipv6(7), unix(7), tcp(7).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::supervisor {

struct ListenAddress {
  enum class Kind : std::uint8_t { kTcp, kUdp, kUnix };
  Kind kind = Kind::kTcp;
  // A literal, with its zone where it has one; "": any. kUnix: a path, or an abstract name behind
  // its NUL.
  std::string address;
  int port = 0;       // 0: whichever is free.
  bool ipv6 = false;  // Any address of TCP is both, where the machine has IPv6.
  bool ipv6_only = false;
  bool reuse_address = false;  // UDP; TCP always has it.
  int backlog = 511;
  mode_t more_mode = 0;  // kUnix: what readableAll and writableAll add.
  bool operator==(const ListenAddress&) const = default;
};

enum class Balance : std::uint8_t {
  kSlots,       // Each worker its own slot, new connections in turn by chance.
  kShared,      // One socket for all.
  kSticky,      // Slots by the client's address.
  kRoundRobin,  // One socket, from which we accept for all.
};

// One listener serves both: written in two ways, or with other options. Never for UDP and port 0.
bool is_one_address(const ListenAddress& one, const ListenAddress& other);

// Bound; and listening where that is said (UDP never does). `slots`: others of this address may
// follow, though none is there now: somebody else's is EADDRINUSE.
Result<Fd> open_listener(const ListenAddress& address, bool slots);
// One more slot of the address that `first` has.
Result<Fd> open_slot(const ListenAddress& address, int first);

// Its address is free at once, whoever else holds the socket too; a UDP port once the last of them
// has closed it.
void stop_listening(int fd, const ListenAddress& address);

// A Unix socket that nobody listens on any more, as an end by SIGKILL leaves it.
void remove_stale_socket(const std::string& path);

// From now on new connections go to these slots only; `slots` is how many there are.
Result<void> steer(int fd, std::span<const unsigned> live, unsigned slots, Balance balance);

// What a TCP socket is bound to. nullopt: it is none.
struct BoundName {
  std::string address;
  bool ipv6 = false;
  int port = 0;
};
std::optional<BoundName> bound_name(int fd);

// Nobody has shut it down.
bool is_listening(int fd);

// Connections that nobody has accepted yet; 0 where that is not to be had.
std::uint32_t waiting_connections(int fd);
// One of them, if there is one.
std::optional<Fd> accept_waiting(int fd);
// The same, and why there is none: `sys_errno` is EAGAIN where none waits.
Result<Fd> accept_next(int fd);

// One TCP connection over the loopback, both ends. Never waits: kUnavailable where it is not there
// at once.
struct TcpPair {
  Fd client, server;
};
Result<TcpPair> tcp_pair();

}  // namespace pmx::supervisor
