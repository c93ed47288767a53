#include "http/tcp_listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace pmx::http {
namespace {

Error why_not(int sys_errno, const std::string& host, std::uint16_t port) {
  const std::string number = std::to_string(port);
  if (sys_errno == EADDRINUSE)
    return {Errc::kExists,
            "port " + number + " of " + host + " is in use: end who has it (ss -ltnp 'sport = :" +
                number + "' tells who), or choose another port",
            sys_errno};
  if (sys_errno == EACCES)
    return {Errc::kInvalidArgument,
            "port " + number +
                " is for root: choose one from 1024 on, or lower sysctl "
                "net.ipv4.ip_unprivileged_port_start",
            sys_errno};
  if (sys_errno == EADDRNOTAVAIL)
    return {Errc::kInvalidArgument,
            host + " is no address of this machine: 0.0.0.0 is all that it has", sys_errno};
  return system_error(sys_errno, "listen", host + ":" + number);
}

Result<Fd> bound_socket(const addrinfo& address, SharePort share) {
  Fd socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return system_error(errno, "socket");
  const int on = 1;
  const auto set = [&](int option) {
    return ::setsockopt(socket.get(), SOL_SOCKET, option, &on, sizeof on) == 0;
  };
  // Connections of the one before us, which only wait for their end, are no hindrance.
  if (!set(SO_REUSEADDR) || (share == SharePort::kYes && !set(SO_REUSEPORT)))
    return system_error(errno, "setsockopt");
  if (::bind(socket.get(), address.ai_addr, address.ai_addrlen) < 0 ||
      ::listen(socket.get(), SOMAXCONN) < 0)
    return system_error(errno, "bind");
  return socket;
}

}  // namespace

Result<Fd> listen_tcp(const std::string& host, std::uint16_t port, SharePort share) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (failed != 0) return invalid("host " + host + ": " + ::gai_strerror(failed));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Result<Fd> socket = bound_socket(*addresses, share);
  if (!socket) return why_not(socket.error().sys_errno(), host, port);
  return socket;
}

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address != nullptr && address->sa_family == AF_INET)
    bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  else if (address != nullptr && address->sa_family == AF_INET6)
    bytes = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (bytes == nullptr ||
      ::inet_ntop(address->sa_family, bytes, text.data(), text.size()) == nullptr)
    return "";
  constexpr std::string_view kMapped = "::ffff:";  // An IPv4 client of a socket for both.
  const std::string_view shown(text.data());
  const bool mapped = shown.starts_with(kMapped) && shown.find('.') != std::string_view::npos;
  return std::string(shown.substr(mapped ? kMapped.size() : 0));
}

std::string bound_to(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (::getsockname(socket, any, &size) < 0) return "";
  const std::string host = address_text(any);
  const bool v6 = any->sa_family == AF_INET6;
  const std::uint16_t port = v6 ? reinterpret_cast<const sockaddr_in6*>(any)->sin6_port
                                : reinterpret_cast<const sockaddr_in*>(any)->sin_port;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(ntohs(port));
}

}  // namespace pmx::http
