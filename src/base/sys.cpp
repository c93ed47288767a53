#include "base/sys.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/internal/sys_result.h"

namespace pmx {

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace sys {

using internal::done;
using internal::owned;
using internal::retry_eintr;

namespace {

constexpr std::size_t kMaxFdsInMessage = 24;  // A worker's six, and its sockets.

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return invalid("socket path " + path +
                   " is longer than 107 bytes: set PMX_HOME to a shorter one");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<SocketPair> socket_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0)
    return system_error(errno, "socketpair");
  return SocketPair{Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

Result<Fd> open(const std::string& path, int flags, mode_t mode) {
  return owned(retry_eintr([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); }), "open",
               path);
}

Result<Fd> open_below(int folder, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed while a link's ".." was followed (man 2 openat2).
  long fd = -1;
  for (int tries = 0; tries == 0 || (fd < 0 && errno == EAGAIN && tries < 4); ++tries)
    fd =
        retry_eintr([&] { return ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how); });
  return owned(static_cast<int>(fd), "open", path);
}

Result<void> close(Fd fd) {
  // EINTR after close means closed on Linux: never retried (man 2 close).
  if (::close(fd.release()) < 0 && errno != EINTR) return system_error(errno, "close");
  return {};
}

Result<Fd> duplicate(int fd) { return owned(::fcntl(fd, F_DUPFD_CLOEXEC, 3), "dup"); }

Result<std::size_t> read(int fd, std::span<char> into) {
  const auto n = retry_eintr([&] { return ::read(fd, into.data(), into.size()); });
  if (n < 0) return system_error(errno, "read");
  return static_cast<std::size_t>(n);
}

Result<std::size_t> write(int fd, std::string_view bytes) {
  const auto n = retry_eintr([&] { return ::write(fd, bytes.data(), bytes.size()); });
  if (n < 0) return system_error(errno, "write");
  return static_cast<std::size_t>(n);
}

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) bytes.remove_prefix(PMX_TRY(sys::write(fd, bytes)));
  return {};
}

Result<std::string> read_all(int fd, std::size_t limit_bytes) {
  std::string bytes;
  std::array<char, 65536> piece;
  while (bytes.size() < limit_bytes) {
    const std::size_t n = PMX_TRY(sys::read(fd, piece));
    if (n == 0) return bytes;
    bytes.append(piece.data(), n);
  }
  return invalid("more than " + std::to_string(limit_bytes) + " bytes");
}

Result<std::string> read_file(const std::string& path, std::size_t limit_bytes) {
  const Fd fd = PMX_TRY(sys::open(path, O_RDONLY));
  return PMX_TRY_WITHIN(path, read_all(fd.get(), limit_bytes));
}

Result<void> set_nonblocking(int fd, bool on) {
  const int flags = ::fcntl(fd, F_GETFL);
  return done(::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK),
              "fcntl O_NONBLOCK");
}

Result<void> set_close_on_exec(int fd, bool on) {
  return done(::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0), "fcntl FD_CLOEXEC");
}

Result<void> lock_exclusive(int fd) {
  return done(retry_eintr([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }), "flock");
}

Result<Pipe> pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return system_error(errno, "pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::size_t set_pipe_size(int fd, std::size_t size_bytes) {
  (void)::fcntl(fd, F_SETPIPE_SZ, static_cast<int>(size_bytes));  // EPERM past the user's budget.
  const int now = ::fcntl(fd, F_GETPIPE_SZ);
  return now > 0 ? static_cast<std::size_t>(now) : 0;
}

Result<std::size_t> pipe_bytes_waiting(int fd) {
  int waiting = 0;
  if (::ioctl(fd, FIONREAD, &waiting) < 0) return system_error(errno, "FIONREAD");
  return static_cast<std::size_t>(waiting);
}

Result<Fd> memfd(const char* name, std::size_t size_bytes) {
  // MFD_NOEXEC_SEAL silences a warning since Linux 6.3 and is EINVAL before.
  constexpr unsigned kNoExecSeal = 0x0008U;
  int raw = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | kNoExecSeal);
  if (raw < 0 && errno == EINVAL) raw = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  Fd fd = PMX_TRY(owned(raw, "memfd_create", name));
  PMX_TRY(done(::ftruncate(fd.get(), static_cast<off_t>(size_bytes)), "ftruncate", name));
  PMX_TRY(done(::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), "seal",
               name));
  return fd;
}

Result<Fd> memfd_of(const char* name, std::string_view contents) {
  Fd fd = PMX_TRY(owned(::memfd_create(name, MFD_CLOEXEC), "memfd_create", name));
  PMX_TRY(write_all(fd.get(), contents));
  PMX_TRY(done(::lseek(fd.get(), 0, SEEK_SET) < 0 ? -1 : 0, "lseek", name));
  return fd;
}

Result<std::string> read_shared(int fd, std::size_t limit_bytes) {
  return read_file("/proc/self/fd/" + std::to_string(fd), limit_bytes);
}

Result<SocketPair> seqpacket_pair() { return socket_pair(SOCK_SEQPACKET); }
Result<SocketPair> stream_pair() { return socket_pair(SOCK_STREAM); }

Result<Fd> listen_unix(const std::string& path, mode_t mode) {
  const sockaddr_un address = PMX_TRY(unix_address(path));
  Fd fd = PMX_TRY(owned(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  ::unlink(path.c_str());
  const mode_t old_mask = ::umask(0777 & ~mode);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int bind_errno = errno;
  ::umask(old_mask);
  if (bound < 0) return system_error(bind_errno, "bind", path);
  PMX_TRY(done(::listen(fd.get(), 1024), "listen", path));
  return fd;
}

Result<Fd> connect_unix(const std::string& path) {
  const sockaddr_un address = PMX_TRY(unix_address(path));
  Fd fd = PMX_TRY(owned(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  PMX_TRY(done(retry_eintr([&] {
                 return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                                  sizeof address);
               }),
               "connect", path));
  return fd;
}

Result<PeerCredentials> peer_credentials(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  PMX_TRY(done(::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size), "SO_PEERCRED"));
  return PeerCredentials{credentials.pid, credentials.uid};
}

Result<std::size_t> peek(int socket, std::span<char> into) {
  const auto n = retry_eintr(
      [&] { return ::recv(socket, into.data(), into.size(), MSG_PEEK | MSG_DONTWAIT); });
  if (n < 0) return system_error(errno, "recv");
  return static_cast<std::size_t>(n);
}

Result<std::size_t> receive(int socket, std::span<char> into) {
  const auto n =
      retry_eintr([&] { return ::recv(socket, into.data(), into.size(), MSG_DONTWAIT); });
  if (n < 0) return system_error(errno, "recv");
  return static_cast<std::size_t>(n);
}

void set_buffer_size(int socket, std::size_t size_bytes) {
  const int size = static_cast<int>(size_bytes);
  (void)::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

Result<void> set_mark(int socket, int mark) {
  return done(::setsockopt(socket, SOL_SOCKET, SO_PRIORITY, &mark, sizeof mark), "SO_PRIORITY");
}

Result<int> mark_of(int socket) {
  int mark = 0;
  socklen_t size = sizeof mark;
  PMX_TRY(done(::getsockopt(socket, SOL_SOCKET, SO_PRIORITY, &mark, &size), "SO_PRIORITY"));
  return mark;
}

namespace {

Result<std::size_t> send_with(int socket, std::string_view bytes, std::span<const int> fds) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFdsInMessage * sizeof(int))];
  if (fds.size() > kMaxFdsInMessage) return invalid("too many descriptors in one message");
  if (!fds.empty()) {
    std::memset(control, 0, sizeof control);
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  const auto sent =
      retry_eintr([&] { return ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent < 0) return system_error(errno, "sendmsg");
  return static_cast<std::size_t>(sent);
}

}  // namespace

Result<std::size_t> send_bytes(int socket, std::string_view bytes, int fd) {
  return send_with(socket, bytes, {&fd, fd >= 0 ? 1U : 0U});
}

Result<void> send_message(int socket, std::string_view bytes, std::span<const int> fds) {
  (void)PMX_TRY(send_with(socket, bytes, fds));
  return {};
}

Result<std::optional<Message>> receive_message(int socket, std::size_t limit_bytes) {
  Message message;
  message.bytes.resize(limit_bytes);
  iovec part{message.bytes.data(), message.bytes.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFdsInMessage * sizeof(int))];
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const auto n =
      retry_eintr([&] { return ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
  if (n < 0 && errno != ECONNRESET) return system_error(errno, "recvmsg");
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); n >= 0 && c; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      message.fds.emplace_back(fd);
    }
  }
  if (n <= 0) return std::optional<Message>();
  message.bytes.resize(static_cast<std::size_t>(n));
  return std::optional<Message>(std::move(message));
}

}  // namespace sys
}  // namespace pmx
