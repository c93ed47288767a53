// Each system call wrapped once, so that an error names its call and object and every descriptor is
// born close-on-exec. EINTR is retried here and nowhere else. No policy.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::sys {

// Files. `flags` as in open(2); O_CLOEXEC is added.
Result<Fd> open(const std::string& path, int flags, mode_t mode = 0600);
// `path` below `folder`, whatever links are on the way. EXDEV: it would lead out. Linux 5.6.
Result<Fd> open_below(int folder, const std::string& path, int flags);
Result<void> close(Fd fd);
Result<Fd> duplicate(int fd);                            // F_DUPFD_CLOEXEC, at 3 or above.
Result<std::size_t> read(int fd, std::span<char> into);  // 0 at the end. kUnavailable: EAGAIN.
Result<std::size_t> write(int fd, std::string_view bytes);
Result<void> write_all(int fd,
                       std::string_view bytes);  // For blocking descriptors and small files.
Result<std::string> read_all(int fd, std::size_t limit_bytes);
Result<std::string> read_file(const std::string& path, std::size_t limit_bytes = 64U << 20U);
Result<void> set_nonblocking(int fd, bool on);
Result<void> set_close_on_exec(int fd, bool on);
Result<void> lock_exclusive(int fd);  // flock, without waiting; kUnavailable when somebody has it.

// Pipes and memory that outlives a process.
struct Pipe {
  Fd read_end, write_end;
};
Result<Pipe> pipe();
std::size_t set_pipe_size(int fd, std::size_t size_bytes);  // The size it has now; best effort.
Result<std::size_t> pipe_bytes_waiting(int fd);             // FIONREAD.
// Sealed against growing, shrinking and further sealing, so that a splice at the end fails
// with EPERM instead of moving the end.
Result<Fd> memfd(const char* name, std::size_t size_bytes);
Result<Fd> memfd_of(const char* name, std::string_view contents);  // Not sealed, at offset 0.
// All that it holds, by its path in /proc: a new open file, because all duplicates of a descriptor
// share one offset.
Result<std::string> read_shared(int fd, std::size_t limit_bytes);

// Sockets of AF_UNIX.
struct SocketPair {
  Fd first, second;
};
Result<SocketPair> seqpacket_pair();
Result<SocketPair> stream_pair();
Result<Fd> listen_unix(const std::string& path, mode_t mode);  // Replaces a stale socket file.
Result<Fd> connect_unix(const std::string& path);
struct PeerCredentials {
  pid_t pid;
  uid_t uid;
};
Result<PeerCredentials> peer_credentials(int fd);
// Stream sockets, as if they were non-blocking (kUnavailable: not now); never SIGPIPE.
Result<std::size_t> peek(int socket, std::span<char> into);  // Leaves it there. 0 at the end.
Result<std::size_t> receive(int socket, std::span<char> into);
// `fd`: goes along with the first of them; -1: none.
Result<std::size_t> send_bytes(int socket, std::string_view bytes, int fd = -1);
void set_buffer_size(int socket, std::size_t size_bytes);  // For sending; best effort.
// A number from 0 to 6 that the kernel keeps with a socket and that means nothing to it
// (SO_PRIORITY, which AF_UNIX does not look at): it outlives the process.
Result<void> set_mark(int socket, int mark);
Result<int> mark_of(int socket);
// One SEQPACKET message with at most 8 descriptors. Never blocks, never raises SIGPIPE.
Result<void> send_message(int socket, std::string_view bytes, std::span<const int> fds);
struct Message {
  std::string bytes;
  std::vector<Fd> fds;
};
// nullopt: the other end is gone. kUnavailable: nothing there now.
Result<std::optional<Message>> receive_message(int socket, std::size_t limit_bytes);

// Processes.
Result<Fd> pidfd_open(pid_t pid);
Result<void> pidfd_signal(int pidfd, int signal);
Result<void> kill_group(pid_t group, int signal);  // kNotFound when nobody is left in it.
struct ExitStatus {
  pid_t pid = 0;  // 0: nobody has ended.
  int wait_status = 0;
};
// A pidfd of the process that has this number and was born then; kNotFound: it is gone.
Result<Fd> open_process(pid_t pid, std::uint64_t start_ticks);
// The number behind `name` at the beginning of a line, as files of /proc have them: "MemTotal:".
std::optional<std::uint64_t> number_of(std::string_view text, std::string_view name);
// From /proc/<pid>/stat field 22, in clock ticks since boot; with the pid it names a process for
// ever.
Result<std::uint64_t> start_time_ticks(pid_t pid);
// PIDFD_INFO_EXIT (Linux 6.15); nullopt where the kernel cannot tell.
std::optional<int> exit_status_of_stranger(int pidfd);
// The boot this machine is in, hashed from /proc/sys/kernel/random/boot_id; 0 where there is none.
std::uint64_t boot_id_hash();
void raise_fd_limit();   // Soft to hard, for ourselves.
std::string self_exe();  // Path of the running executable, or of what an upgrade has put there.

}  // namespace pmx::sys
