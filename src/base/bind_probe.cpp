#include "base/bind_probe.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <future>
#include <string>
#include <thread>

#include "base/bind_trap.h"
#include "base/sys.h"

namespace pmx {
namespace {

constexpr std::size_t kProcFileBytes = 64U << 10U;

// Where Yama lets only administrators look into other processes; ptrace(2), "ptrace_scope".
Result<void> look_at_yama() {
  const auto scope = sys::read_file("/proc/sys/kernel/yama/ptrace_scope", kProcFileBytes);
  if (!scope || scope->empty() || scope->front() < '2') return {};
  const std::string status = sys::read_file("/proc/self/status", kProcFileBytes).value_or("");
  const std::size_t at = status.find("CapEff:\t");
  std::uint64_t capabilities = 0;
  if (at != std::string::npos)
    std::from_chars(status.data() + at + 8, status.data() + status.size(), capabilities, 16);
  const bool may = scope->front() == '2' && (capabilities >> CAP_SYS_PTRACE & 1U) != 0;
  if (may) return {};
  return Error(Errc::kInvalidArgument,
               "kernel.yama.ptrace_scope is " + std::string(1, scope->front()));
}

std::uint16_t port_of(int socket) {
  sockaddr_in name{};
  socklen_t length = sizeof name;
  (void)::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin_port);
}

// The caller's side of the probe, in a thread that ends with it. True: it was given what it has.
bool be_trapped(std::promise<int>& trap, std::uint16_t port_to_see) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = trap_binds();
  const int why = errno;
  trap.set_value(fd < 0 ? -why : fd);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_to_see);
  (void)::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return port_of(socket.get()) == port_to_see;
}

Result<void> answer_probe(int trap_fd, int socket) {
  BindTrap trap{Fd(trap_fd)};
  pollfd ready{trap_fd, POLLIN, 0};
  constexpr int kPatienceMs = 5000;  // With a thread of our own on a busy machine.
  if (::poll(&ready, 1, kPatienceMs) < 0) return system_error(errno, "poll");
  const auto call = trap.next();
  if (!call) return Error(Errc::kUnavailable, "seccomp has notified nobody of a bind");
  if (!call->unseen) return trap.give(*call, socket);
  trap.refuse(*call, EPERM);
  return *call->unseen;
}

}  // namespace

Result<void> probe_bind_trap() {
  PMX_TRY(look_at_yama());
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::listen(socket.get(), 1) < 0) return system_error(errno, "listen", "a free port");
  std::promise<int> promise;
  std::future<int> trap = promise.get_future();
  bool given = false;
  std::thread caller([&] { given = be_trapped(promise, port_of(socket.get())); });
  const int fd = trap.get();
  // The trap is closed with the answer: then the caller waits no more, whatever has come of it.
  auto answered = fd < 0 ? Result<void>(system_error(-fd, "seccomp", "user notification of bind"))
                         : answer_probe(fd, socket.get());
  caller.join();
  if (answered && !given)
    return Error(Errc::kUnavailable, "a socket that was given over seccomp has not arrived");
  return answered;
}

}  // namespace pmx
