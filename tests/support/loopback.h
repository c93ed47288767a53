// Clients of the sockets under test, over the loopback interface, and what arrives there.
//
// Faults it can inject: none. Never: a wait that does not end when what it waits for has happened.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/fd.h"
#include "base/json.h"
#include "supervisor/listen_socket.h"

namespace pmx::test {

struct Place {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline Place ip_place(const std::string& address, int port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  PMX_CHECK(::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) == 0);
  Place place;
  std::memcpy(&place.storage, found->ai_addr, found->ai_addrlen);
  place.length = found->ai_addrlen;
  ::freeaddrinfo(found);
  return place;
}

// Not valid: nobody listens there. `from`: the client's own address.
inline Fd client_of(int port, const std::string& to = "127.0.0.1", const std::string& from = "") {
  const Place place = ip_place(to, port);
  Fd client(::socket(place.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Place own = ip_place(from.empty() ? to : from, 0);
  if (!from.empty()) PMX_CHECK(::bind(client.get(), own.get(), own.length) == 0);
  if (::connect(client.get(), place.get(), place.length) != 0) return Fd();
  return client;
}

// A path, or an abstract name behind its NUL. With SOCK_NONBLOCK in `flags` it does not wait where
// the listener's queue is full.
inline Fd unix_client_of(const std::string& name, int flags = 0) {
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  (void)name.copy(place.sun_path, sizeof place.sun_path);
  const std::size_t length = name.size() + (name.starts_with('\0') ? 0 : 1);
  Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&place),
                static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length)) != 0)
    return Fd();
  return client;
}

// {"address":"::","family":"IPv6","port":3000}; null for what has no port.
inline Json name_of_socket(int fd) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) < 0) return nullptr;
  char text[INET6_ADDRSTRLEN] = "";
  const bool ipv6 = name.ss_family == AF_INET6;
  if (!ipv6 && name.ss_family != AF_INET) return nullptr;
  const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(&name);
  const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&name);
  const void* const address = ipv6 ? static_cast<const void*>(&v6->sin6_addr) : &v4->sin_addr;
  (void)::inet_ntop(name.ss_family, address, text, sizeof text);
  return Json::object({{"address", std::string(text)},
                       {"family", ipv6 ? "IPv6" : "IPv4"},
                       {"port", int{ntohs(ipv6 ? v6->sin6_port : v4->sin_port)}}});
}

inline int port_of(int fd) { return static_cast<int>(name_of_socket(fd)["port"].as_int()); }

// How many it lets wait, as listen(2) was told.
inline std::uint32_t backlog_of(int listener) {
  tcp_info info{};
  socklen_t length = sizeof info;
  PMX_CHECK(::getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  return info.tcpi_sacked;  // Of a listener: its queue's bound (net/ipv4/tcp.c, tcp_get_info).
}

// connect(2) may return a moment before the listener knows of it.
inline bool queue_reaches(int listener, std::uint32_t connections) {
  for (int turn = 0; turn < 1'000'000; ++turn) {
    if (supervisor::waiting_connections(listener) >= connections) return true;
    (void)::sched_yield();
  }
  return false;
}

// How many of `expected` connections have come to each of the listeners.
inline std::vector<std::size_t> arrivals(std::span<const int> listeners, std::size_t expected) {
  std::vector<std::size_t> counts(listeners.size());
  std::vector<pollfd> watched;
  for (const int fd : listeners) watched.push_back({fd, POLLIN, 0});
  for (std::size_t all = 0; all < expected;) {
    if (::poll(watched.data(), watched.size(), 10'000) <= 0) break;
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      for (; supervisor::accept_waiting(listeners[i]); ++all) ++counts[i];
    }
  }
  return counts;
}

}  // namespace pmx::test
