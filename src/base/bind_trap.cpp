// A call is looked at in this order: take it; read its address and duplicate its socket; ask
// whether the call still waits. Only after the last step is it sure that what was read is the
// caller's and not somebody's who has got its number.
#include "base/bind_trap.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/sys.h"

namespace pmx {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kArchitecture = 0;  // None that pmx knows the numbers of.
#endif
static_assert(std::endian::native == std::endian::little, "the filter loads a low half");

constexpr std::uint32_t kLeastAddressBytes = sizeof(sockaddr_in);
constexpr std::size_t kMostNotificationBytes = 1024;  // A later kernel may say more: 80 today.
constexpr std::size_t kProcFileBytes = 64U << 10U;

constexpr sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset));
}
constexpr sock_filter answer_with(unsigned action) { return BPF_STMT(BPF_RET | BPF_K, action); }
constexpr std::array kFilter{
    load(offsetof(seccomp_data, arch)),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 0, 5),
    load(offsetof(seccomp_data, nr)),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 0, 3),
    load(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t)),
    sock_filter BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kLeastAddressBytes, 0, 1),
    answer_with(SECCOMP_RET_USER_NOTIF),
    answer_with(SECCOMP_RET_ALLOW),
};

std::string proc_file(pid_t pid, const std::string& name) {
  return sys::read_file("/proc/" + std::to_string(pid) + "/" + name, kProcFileBytes).value_or("");
}

// A pidfd wants the leader of the thread's group, whose table of descriptors is the thread's too.
Result<Fd> duplicate_from(pid_t thread, int number, pid_t& process) {
  process = static_cast<pid_t>(sys::number_of(proc_file(thread, "status"), "Tgid:").value_or(0));
  const Fd pidfd = PMX_TRY(sys::pidfd_open(process));
  Fd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), number, 0)));
  if (!copy) return system_error(errno, "pidfd_getfd", std::to_string(process));
  return copy;
}

void read_flags(pid_t process, BindCall& call) {
  const std::string info = proc_file(process, "fdinfo/" + std::to_string(call.number));
  const std::size_t at = info.find("flags:\t");
  unsigned flags = 0;
  if (at != std::string::npos)
    std::from_chars(info.data() + at + 7, info.data() + info.size(), flags, 8);
  call.nonblocking = (flags & O_NONBLOCK) != 0;
  call.close_on_exec = (flags & O_CLOEXEC) != 0;
}

Result<void> look_at(const seccomp_notif& said, BindCall& call) {
  call.number = static_cast<int>(said.data.args[0]);
  const std::uint64_t length = said.data.args[2] & 0xffff'ffffU;
  if (length > sizeof call.address) return invalid("no address");  // As the kernel will say.
  call.length = static_cast<socklen_t>(length);
  const auto thread = static_cast<pid_t>(said.pid);
  iovec here{&call.address, call.length};
  iovec there{reinterpret_cast<void*>(said.data.args[1]), call.length};  // NOLINT: theirs.
  const ssize_t n = ::process_vm_readv(thread, &here, 1, &there, 1, 0);
  if (n < 0) return system_error(errno, "process_vm_readv", std::to_string(thread));
  pid_t process = 0;
  call.socket = PMX_TRY(duplicate_from(thread, call.number, process));
  read_flags(process, call);
  return {};
}

}  // namespace

int trap_binds() {
  if (kArchitecture == 0) {
    errno = ENOSYS;
    return -1;
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
  const sock_fprog program{kFilter.size(), const_cast<sock_filter*>(kFilter.data())};
  return static_cast<int>(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

namespace {

// A message of one byte and one descriptor.
struct TrapMessage {
  char byte = 't';
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  TrapMessage() {
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }
  TrapMessage(const TrapMessage&) = delete;
  TrapMessage& operator=(const TrapMessage&) = delete;
};

}  // namespace

bool trap_binds_for(int socket) {
  const int trap = trap_binds();
  if (trap < 0) return false;
  TrapMessage message;
  cmsghdr* const rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof trap);
  std::memcpy(CMSG_DATA(rights), &trap, sizeof trap);
  return ::sendmsg(socket, &message.header, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

Result<Fd> trap_sent_to(int socket) {
  TrapMessage message;
  const ssize_t n = ::recvmsg(socket, &message.header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return system_error(errno, "recvmsg");
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message.header);
  if (n == 0 || rights == nullptr || rights->cmsg_type != SCM_RIGHTS)
    return Error(Errc::kUnavailable, "no trap has been sent");
  int trap = -1;
  std::memcpy(&trap, CMSG_DATA(rights), sizeof trap);
  return Fd(trap);
}

bool BindTrap::waits() {
  pollfd ready{fd_.get(), POLLIN, 0};
  const bool looked = ::poll(&ready, 1, 0) >= 0;
  ended_ = looked && (ready.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
  return looked && (ready.revents & POLLIN) != 0;
}

std::optional<BindCall> BindTrap::next() {
  // Asked first, because taking blocks where none waits. One whose caller was interrupted in
  // between is ENOENT.
  while (waits()) {
    alignas(seccomp_notif) std::array<char, kMostNotificationBytes> memory{};
    auto* const said = reinterpret_cast<seccomp_notif*>(memory.data());
    if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, said) < 0) {
      if (errno == ENOENT || errno == EINTR) continue;
      return std::nullopt;
    }
    BindCall call;
    call.id = said->id;
    auto seen = look_at(*said, call);
    if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) < 0) continue;
    if (!seen) call.unseen = std::move(seen).error();
    return call;
  }
  return std::nullopt;
}

void BindTrap::answer(std::uint64_t id, int sys_errno, std::uint32_t flags) {
  seccomp_notif_resp response{};
  response.id = id;
  response.error = -sys_errno;
  response.flags = flags;
  // ENOENT: the caller has gone, or was interrupted and calls again.
  (void)::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void BindTrap::pass(const BindCall& call) { answer(call.id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE); }
void BindTrap::refuse(const BindCall& call, int sys_errno) { answer(call.id, sys_errno, 0); }

Result<void> BindTrap::give(const BindCall& call, int socket) {
  seccomp_notif_addfd placed{};
  placed.id = call.id;
  placed.flags = SECCOMP_ADDFD_FLAG_SETFD;
  placed.srcfd = static_cast<std::uint32_t>(socket);
  placed.newfd = static_cast<std::uint32_t>(call.number);
  placed.newfd_flags = call.close_on_exec ? O_CLOEXEC : 0;
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &placed) < 0) {
    const int why = errno;
    refuse(call, why);
    return system_error(why, "seccomp addfd", std::to_string(call.number));
  }
  answer(call.id, 0, 0);
  return {};
}

}  // namespace pmx
