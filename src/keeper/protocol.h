// What keeper and daemon say to each other, and the table of children that both see.
//
// One SOCK_SEQPACKET pair. A message is a Header, then a name where the message has one;
// descriptors travel beside it by SCM_RIGHTS. The machine is the same at both ends, so numbers are
// in its byte order. What Header's fields and the descriptors are is said at each Op.
//
// CHILD is a doorbell only: the table is the truth, so a full socket loses nothing.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::keeper {

inline constexpr std::uint32_t kProtocolVersion = 1;
inline constexpr std::size_t kMaxMessageBytes = 4096;
inline constexpr std::size_t kMaxNameBytes = 200;
inline constexpr std::size_t kMaxNamedFds = 65'536;
inline constexpr std::uint32_t kMaxChildren = 4096;
inline constexpr std::chrono::seconds kHeartbeatEvery{10};
inline constexpr int kExitHomeTaken = 75;  // EX_TEMPFAIL of sysexits.h.

enum class Op : std::uint32_t {
  // From the keeper. A daemon that connects hears HELLO, FD for all that is held, END.
  // value: protocol version; run: incarnation; extra: keeper's pid and kSafe…. With the
  // keeper's own version as its name.
  kHello = 1,
  kFd,  // With a name and one descriptor.
  kEnd,
  kChild,   // value: slot; run: the run. Look there. With the child's pidfd where there is one.
  kSignal,  // value: signal number; extra 1: the children have been told already.
  // From the daemon.
  kPut = 64,   // With a name and one descriptor; replaces one of that name.
  kDrop,       // With a name.
  kSpawn,      // run: ignored where it is known; value: kHas... bits. With the order and those fds.
  kAckExit,    // run: its record is freed.
  kAckSignal,  // value: signal number; until it comes, each new daemon is told again.
  kHeartbeat,
  kQuit,   // value: exit code of the keeper, once this daemon has ended.
  kAdopt,  // To a new keeper after its PUTs; run: incarnation. With the daemon's pidfd.
  // As a name: programs of a next keeper and its daemons, absolute, with a NUL in between. Once
  // this daemon has ended the keeper becomes that program (keeper_update.cpp).
  kUpdate,
};

struct Header {
  Op op;
  std::uint32_t value = 0;
  std::uint64_t run = 0;
  std::uint64_t extra = 0;
};
static_assert(sizeof(Header) == 24);

// HELLO.extra: the pid in the low half, and these.
inline constexpr std::uint64_t kSafe = 1ULL << 32U;
inline constexpr std::uint64_t kForeground = 1ULL << 33U;
inline constexpr std::uint64_t kPassesSockets = 1ULL << 34U;  // It knows kHasSockets.
// SPAWN.value: which of the worker's descriptors follow the order, in this order.
// kHasTrap is a SEQPACKET socket that asks for the worker's binds to be trapped (base/bind_trap.h):
// the trap goes there, as the descriptor of a message of one byte. With kHasSockets all that follow
// it are sockets that the worker is started with: they become descriptors 3, 4 …, the channel the
// one behind them, and LISTEN_PID is the worker's pid (sd_listen_fds(3)).
inline constexpr std::uint32_t kHasStdin = 1, kHasStdout = 2, kHasStderr = 4, kHasChannel = 8,
                               kHasTrap = 16, kHasSockets = 32;
inline constexpr std::size_t kMaxSockets = 16;

// Names that the keeper itself gives; it takes no PUT or DROP of these but while it adopts.
inline constexpr std::string_view kChildrenName = "children";
inline constexpr std::string_view kLockName = "lock";
inline constexpr std::string_view kPidfdPrefix = "pidfd.";
inline constexpr std::string_view kReportPrefix = "report.";  // From one program to the next only.
inline constexpr std::string_view kStateName = "state";       // The daemon's, put as any other.
inline std::string pidfd_name(std::uint64_t run) {
  return std::string(kPidfdPrefix) + std::to_string(run);
}
inline bool is_reserved(std::string_view name) {
  return name == kChildrenName || name == kLockName || name.starts_with(kPidfdPrefix) ||
         name.starts_with(kReportPrefix);
}

// The table of children: a sealed memfd named "children", written by the keeper, mapped by both.
// A record belongs to `run` from the SPAWN to the ACKEXIT, whoever dies in between.
enum class ChildState : std::uint32_t { kStarting, kRunning, kExited, kSpawnFailed };

// Where a spawn failed.
enum class Step : std::uint32_t {
  kNone,
  kOrder,
  kPipe,
  kFork,
  kPidfd,
  kSession,
  kStdio,
  kChannel,
  kLimits,
  kChdir,
  kSetgroups,
  kSetgid,
  kSetuid,
  kExec,
  kKeeper,  // The keeper died before the child could start; a SPAWN of the same run tries again.
  kTrap,
  kSockets,
  kCount,
};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(Step::kCount)> kStepNames{
    "",      "order",     "pipe",   "fork",   "pidfd", "setsid", "stdio",   "channel", "limits",
    "chdir", "setgroups", "setgid", "setuid", "exec",  "keeper", "seccomp", "sockets",
};
static_assert(!kStepNames.back().empty(), "a step without its name");

struct ChildRecord {
  std::atomic<std::uint64_t> run;  // 0: free. Stored last when a record is taken.
  std::uint64_t start_ticks;
  std::int64_t ended_ns;  // Realtime.
  std::uint64_t user_us, system_us, max_rss_kib;
  std::atomic<std::int32_t> pid;
  std::int32_t wait_status;  // kExited; -1: nobody could tell.
  std::int32_t spawn_errno;  // kSpawnFailed, with failed_step.
  Step failed_step;
  std::atomic<ChildState> state;  // Stored after everything that it stands for.
  std::uint32_t adopted;
  std::array<std::uint64_t, 7> reserved;
};
static_assert(sizeof(ChildRecord) == 128);

struct alignas(128) TableHeader {
  std::uint32_t version;
  std::atomic<std::uint32_t> slots_used;  // No record at or past this one was ever taken.
  std::atomic<std::uint64_t> incarnation;
  std::int32_t last_daemon_status;  // Wait status of the daemon before; -1: not known.
  std::uint32_t refused_puts, refused_spawns, orphans_reaped;
  // How workers are to be limited: as the keeper itself was before it raised its own.
  std::uint64_t worker_fd_limit, worker_core_limit;
  std::int32_t worker_oom_score;
};

struct ChildTable {
  TableHeader header;
  std::array<ChildRecord, kMaxChildren> children;
};
static_assert(sizeof(ChildTable) == 128 + 128 * std::size_t{kMaxChildren});
static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
              sizeof(std::atomic<std::uint64_t>) == 8 && sizeof(std::atomic<ChildState>) == 4);

// What `pmx-keeper --version` prints, and nothing else does.
inline std::string version_line() {
  return "pmx-keeper " PMX_VERSION " (protocol " + std::to_string(kProtocolVersion) + ")";
}

// Maps the table behind `fd`; kCorrupt where it is none. Never unmapped: it lives as long as we do.
Result<ChildTable*> map_table(int fd, bool writable);

// What exec needs. The memfd of a SPAWN: an OrderHeader, the groups, then program, cwd, arguments
// and variables, each as a u32 length, the bytes, and a NUL that the length does not count.
struct SpawnOrder {
  std::string_view program, cwd;
  std::span<const std::string> arguments, variables;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::span<const gid_t> groups;
};
struct OrderHeader {
  std::uint32_t version, has_uid, has_gid;
  uid_t uid;
  gid_t gid;
  std::uint32_t groups, arguments, variables;
};
static_assert(sizeof(OrderHeader) == 32);
inline constexpr std::size_t kMaxOrderBytes = 32U << 20U;  // Past what any execve takes.
Result<Fd> write_order(const SpawnOrder& order);           // A sealed memfd.

Result<void> send(int socket, const Header& header, std::string_view name = {},
                  std::span<const int> fds = {});
// nullopt: too short to be one of ours.
inline std::optional<Header> header_of(std::string_view message) {
  if (message.size() < sizeof(Header)) return std::nullopt;
  Header header{};
  std::memcpy(static_cast<void*>(&header), message.data(), sizeof header);
  return header;
}
inline std::string_view name_of(std::string_view message) { return message.substr(sizeof(Header)); }

}  // namespace pmx::keeper
