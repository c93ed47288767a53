// The daemon's end of the contract with the keeper (keeper/protocol.h): hand over descriptors,
// start workers, hear of exits, and start a new keeper where the old one has died.
//
// Owns:       the socket, a duplicate of every descriptor put, the map of the child table.
// Thread:     control.
// Invariants: a descriptor is PUT before the SPAWN that needs it; an exit stays in the table until
//             acked.
// Errors:     kUnavailable while the keeper's queue is full: queued and sent later, in order.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "model/ids.h"

namespace pmx::supervisor {

// Everything that exec needs, prepared before the fork; written to a memfd.
struct SpawnRequest {
  RunId run;
  std::string program;  // Absolute path.
  std::vector<std::string> argv;
  std::vector<std::string> env;  // "NAME=value"
  std::string cwd;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::vector<gid_t> groups;  // Supplementary; set only with uid.
  int stdin_fd = -1;          // -1: /dev/null.
  int stdout_fd = -1;         // Borrowed for the call; -1: /dev/null.
  int stderr_fd = -1;
  int channel_fd = -1;  // Becomes the one behind its sockets (NODE_CHANNEL_FD); -1: none.
  int trap_fd = -1;     // Its binds are trapped, and the trap is sent there; -1: they are not.
  // Become fds 3, 4 …, and LISTEN_PID is set beside `env`. At most keeper::kMaxSockets.
  std::vector<int> socket_fds;
};

// A child as the keeper's table has it.
struct Child {
  RunId run;
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  enum class State { kStarting, kRunning, kExited, kSpawnFailed } state = State::kStarting;
  // kExited; -1: not known (an adopted child of a keeper that died).
  int wait_status = 0;
  int spawn_errno = 0;        // kSpawnFailed.
  std::string failed_step;    // kSpawnFailed: "chdir", "setuid", "exec" …
  std::int64_t ended_ns = 0;  // Realtime.
  std::uint64_t user_us = 0, system_us = 0, max_rss_kib = 0;  // rusage of an own child.
  bool adopted = false;
};

class KeeperLink {
 public:
  struct Events {
    std::function<void(const Child&)> child_changed;  // Running, spawn failed or exited.
    // Foreground and SIGTERM: what the keeper was told.
    std::function<void(int signal)> signal_received;
    std::function<void(const std::string&)>
        notice;  // For pmx.log: "the keeper died (pid …): started another (pid …)".
  };
  struct Options {
    int socket_fd = -1;                         // From the keeper that started us.
    std::string keeper_executable;              // For the next keeper.
    std::vector<std::string> keeper_arguments;  // What it needs to start daemons like us.
  };

  // Blocks until the keeper has sent all that it holds (bounded by 10 s).
  static Result<std::unique_ptr<KeeperLink>> connect(EventLoop& loop, Options options,
                                                     Events events);
  virtual ~KeeperLink() = default;

  virtual pid_t keeper_pid() const = 0;
  virtual std::string keeper_version() const = 0;
  virtual unsigned long incarnation() const = 0;  // Of this daemon, from 0.
  virtual bool safe_start() const = 0;            // The daemon died too often: ignore STATE.

  // Named descriptors that the keeper held when we connected, and all we put since.
  virtual std::vector<std::string> names() const = 0;
  // A duplicate; the same open file description.
  virtual Result<Fd> get(std::string_view name) const = 0;
  virtual Result<void> put(std::string_view name, int fd) = 0;  // Replaces one of that name.
  virtual void drop(std::string_view name) = 0;

  virtual std::vector<Child> children() const = 0;  // Those not acked, exits included.
  // The outcome comes as child_changed.
  virtual Result<void> spawn(const SpawnRequest& request) = 0;
  virtual void acknowledge_exit(RunId run) = 0;
  // To the whole process group; to the leader alone where `group` is false. Never hits a recycled
  // pid.
  virtual Result<void> signal(RunId run, int signal, bool group) = 0;

  // The daemon's STATE, replaced as a whole.
  virtual Result<void> set_state(std::string_view blob) = 0;
  virtual std::string state() const = 0;  // As it was when we connected; "" where none.

  // The keeper ends with this exit code once we are gone and starts no other daemon.
  virtual void quit(int exit_code) = 0;
  // Once we are gone the keeper becomes `keeper`, in place, and starts daemons of the program
  // `daemon`, both absolute paths. Who asks ends soon: after 10 s it is killed.
  virtual Result<void> update(const std::string& keeper, const std::string& daemon) = 0;
  // The socket has taken all that was said. Who ends before that takes his last words along.
  virtual bool all_said() const { return true; }
};

}  // namespace pmx::supervisor
