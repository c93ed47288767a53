// bind(2) of one process answered by another: seccomp's user notification. Who is trapped waits in
// the call until it has been answered; what it forks and executes is trapped as well.
//
// Thread:  next() and the answers: any one; trap_binds() is for a child between fork and exec.
// Bounds:  one call at a time; the others wait.
// Errors:  while nobody has the trap's descriptor open, bind(2) is ENOSYS. A call that was taken
//          and whose taker died waits on until a signal makes the kernel begin it anew.
// Sources: seccomp(2), seccomp_unotify(2), pidfd_getfd(2), ptrace(2) ("access mode checking").
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace pmx {

// Traps the calling thread, for good, and takes from it the right to gain privileges by exec
// (PR_SET_NO_NEW_PRIVS), without which only root may do this. System calls only. The descriptor,
// close-on-exec; -1 with errno. Addresses of less than 16 bytes pass unseen: those of netlink,
// which each look-up of a name binds.
int trap_binds();
// The same, and the trap goes to whoever holds the other end of this SEQPACKET socket, now or
// later: what lies in its queue outlives them. False with errno.
bool trap_binds_for(int socket);
// The trap that lies there, which stays. kUnavailable: none yet.
Result<Fd> trap_sent_to(int socket);

// One bind(2) that waits. What it says is a copy: the caller may change its own at any time.
struct BindCall {
  std::uint64_t id = 0;
  int number = -1;  // Of the socket, in the caller's table.
  Fd socket;        // A duplicate.
  bool nonblocking = false, close_on_exec = false;
  sockaddr_storage address{};
  socklen_t length = 0;
  std::optional<Error> unseen;  // Why nothing of the above is known; then it can only pass.
};

class BindTrap {
 public:
  explicit BindTrap(Fd fd) : fd_(std::move(fd)) {}
  int fd() const { return fd_.get(); }

  bool waits();                          // Somebody calls, and has not been taken.
  bool ended() const { return ended_; }  // As waits() saw it: nobody is left who could call.
  std::optional<BindCall> next();        // Taken. nullopt: none waits now. Never blocks.

  // The kernel goes on with the call as if nobody had seen it.
  void pass(const BindCall& call);
  void refuse(const BindCall& call, int sys_errno);
  // `socket` is put in the place of the caller's own, and the call succeeds. Without success the
  // caller has gone, or begins anew: nothing is to be done.
  Result<void> give(const BindCall& call, int socket);

 private:
  void answer(std::uint64_t id, int sys_errno, std::uint32_t flags);

  Fd fd_;
  bool ended_ = false;
};

}  // namespace pmx
