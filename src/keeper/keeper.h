// The keeper: parent of the daemon and of all workers. It holds what cannot be made again (named
// descriptors, exit statuses) while daemons come and go, and knows nothing of what they are for.
//
// Owns:       the table of children, named descriptors, the lock of the home, one daemon at a time.
// Thread:     one, and it waits for nothing but events; no disk after the start.
// Invariants: a daemon is reaped, and all that it said is done, before the next one starts;
//             a record is kept from SPAWN to ACKEXIT; every descriptor of a live child is held.
// Bounds:     kMaxChildren records, kMaxNamedFds names; past them a SPAWN or PUT is refused and
//             counted in the table's header.
// Errors:     after the start none ends it: what fails is tried again or written in the table.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <bitset>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/sys.h"
#include "keeper/daemon_restarts.h"
#include "keeper/protocol.h"

namespace pmx::keeper {

struct KeeperOptions {
  std::string home;
  // The daemon is started as: these, --keeper-fd N, then `extra`.
  std::vector<std::string> daemon_command;
  std::vector<std::string> extra;
  bool foreground = false;  // Signals go to the children, not only to the daemon.
  Fd lock;                  // Holds the home for as long as we or a daemon live.
  Fd adopt;                 // A daemon that has lost its keeper; invalid: start one.
  Fd held;                  // Of the program that we were: what it held (keeper_update.cpp).
  // What workers get; we have raised our own. With `adopt` the table knows.
  std::uint64_t worker_fd_limit = 1024, worker_core_limit = 0;
  int worker_oom_score = 0;
  std::chrono::milliseconds heartbeat_deadline{30'000}, abort_grace{10'000};
};

class Keeper {
  struct Key {};  // Only create() makes one.

 public:
  static Result<std::unique_ptr<Keeper>> create(KeeperOptions options, const Clock& clock);
  Keeper(Key, KeeperOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  int run();  // Until a daemon that has said QUIT is gone: its exit code.

 private:
  using TimePoint = EventLoop::TimePoint;
  enum class Greeting { kHello, kFds, kEnd, kDone };

  Result<void> prepare();
  Result<void> make_table();
  void end(int exit_code);

  // keeper.cpp: signals and the daemon's life.
  void on_signals();
  void told(int signal);
  int forward(int signal);
  void reap();
  void start_daemon();
  void watch_daemon();
  void daemon_ended(int wait_status);
  void expect_heartbeat();
  void heartbeat_missed();
  Result<void> connect(Fd socket);
  void disconnect();

  // keeper_messages.cpp: what is said.
  void on_readable();
  void obey(sys::Message message);
  void put(std::string_view name, std::vector<Fd> fds);
  void drop(std::string_view name);
  void adopt_all(std::vector<Fd> fds);
  void flush();
  Result<void> say_hello();
  Result<void> say_next();  // kNotFound: there is nothing to say.

  // keeper_children.cpp: slots of the table.
  void spawn(const Header& header, const std::vector<Fd>& fds);
  void on_report(std::uint32_t slot);
  void fail(std::uint32_t slot, Step step, int sys_errno);
  void record_exit(std::uint32_t slot, int wait_status, const rusage& usage);
  void acknowledge(std::uint64_t run);
  void adopt_child(std::uint32_t slot);
  void adopted_exited(std::uint32_t slot, int tries);
  std::optional<std::uint32_t> slot_of(std::uint64_t run) const;
  std::optional<std::uint32_t> slot_of_pid(pid_t pid) const;
  std::optional<std::uint32_t> take_slot(std::uint64_t run);
  void watch_adopted(std::uint32_t slot);
  ChildRecord& child(std::uint32_t slot) { return table_->children[slot]; }
  const ChildRecord& child(std::uint32_t slot) const { return table_->children[slot]; }
  bool alive(std::uint32_t slot) const;
  bool any_alive() const;

  // keeper_update.cpp: another program in our place.
  struct Successor {
    std::string keeper, daemon;
  };
  void update(std::string_view programs);
  Result<Fd> write_held() const;
  Error become(const Successor& successor);
  Result<void> resume(Fd held);
  Result<void> take_over(int fd, std::string_view name);

  KeeperOptions options_;
  const Clock& clock_;
  std::unique_ptr<EventLoop> loop_;
  Fd signals_, dev_null_;
  ChildTable* table_ = nullptr;
  std::map<std::string, Fd, std::less<>> named_;
  std::map<std::uint32_t, Fd> reports_;  // Of children that have not reached exec, by slot.

  Fd socket_, socket_out_;  // The same socket twice: the loop watches a descriptor for one thing.
  bool blocked_ = false;    // socket_out_ is watched.
  bool adopting_ = false;   // A daemon is handing over; it has not said ADOPT yet.
  Greeting greeting_ = Greeting::kDone;
  std::string last_name_sent_;
  std::bitset<kMaxChildren> dirty_;  // Doorbells to ring.
  // Bits of signal numbers. A daemon may die before it has read of one: the next is told again.
  std::uint64_t signals_to_tell_ = 0, signals_told_ = 0;

  pid_t daemon_pid_ = 0;  // 0: none, or one that is not our child.
  Fd daemon_pidfd_;
  TimePoint daemon_started_, heartbeat_due_;
  EventLoop::TimerId heartbeat_timer_ = 0;
  bool daemon_hung_ = false;
  DaemonRestarts restarts_;
  std::optional<int> quit_code_;
  std::optional<Successor> successor_;
  int exit_code_ = 0;
};

}  // namespace pmx::keeper
