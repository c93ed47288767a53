// The binds of workers that know nothing of clusters (Go, Python, Bun, whatever binds by itself):
// each bind(2) of theirs and their descendants' to a TCP port waits here for a socket of the
// cluster's, which takes the place of their own. All else passes.
//
// A trap lies in the queue of a socket that the keeper holds as "trap.<run>"; who binds while no
// daemon lives waits for the next one. A daemon that dies with a call in its hand leaves
// "answering.<run>" with the keeper: nobody else could answer that call any more, so the next daemon
// stops the run for a moment, whereupon the kernel begins its calls anew.
//
// Owns:       a BindTrap for each run that has one and is under way.
// Thread:     control.
// Invariants: "answering.<run>" is with the keeper before a call is taken.
// Bounds:     kCallsATurn calls of one run, then others get their turn.
// Errors:     a call that cannot be looked into passes, which is said once a run; so does one past
//             the cluster's bound of listeners.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/bind_trap.h"
#include "base/result.h"
#include "base/timers.h"
#include "base/watches.h"
#include "model/ids.h"
#include "supervisor/keeper_link.h"
#include "supervisor/listen_socket.h"

namespace pmx::supervisor {

std::string trap_name(RunId run);

// The address that a TCP socket is bound to, where a cluster can share it. nullopt: UDP and other
// families; another network namespace; port 0, which is anybody's; a Unix path, whose file programs
// remove as they start and as they end.
std::optional<ListenAddress> address_to_share(const BindCall& call);

class BindTraps {
 public:
  static constexpr int kCallsATurn = 64;
  static constexpr std::chrono::milliseconds kStopFor{50};

  struct Events {
    // What takes the place of its socket; an error's errno is what bind(2) says. Without one the
    // call passes.
    std::function<Result<Fd>(RunId, const ListenAddress&)> bind;
    std::function<void(RunId)> bound;  // It has it.
    std::function<void(const std::string&)> notice;
  };

  BindTraps(KeeperLink& link, Watches& watches, Timers& timers, Events events)
      : link_(link), watches_(watches), timers_(timers), events_(std::move(events)) {}
  ~BindTraps();
  BindTraps(const BindTraps&) = delete;
  BindTraps& operator=(const BindTraps&) = delete;

  void open(RunId run);   // It is under way. Where it has no trap: nothing.
  void close(RunId run);  // It has ended.
  void drop_all_but(const std::set<RunId>& runs);  // After a daemon's start.
  bool has(RunId run) const;                       // The keeper holds one.

 private:
  struct Entry {
    explicit Entry(Fd fd) : trap(std::move(fd)) {}
    BindTrap trap;
    Timers::Id turn_timer = 0, go_on_timer = 0;
    bool told = false;
  };
  using Entries = std::map<RunId, std::shared_ptr<Entry>>;

  void turn(RunId run);
  void answer(RunId run, Entry& entry);
  Result<void> give(RunId run, Entry& entry, const BindCall& call, const ListenAddress& address);
  void begin_anew(RunId run, Entry& entry);
  void go_on(RunId run, Entry& entry);
  void forget(Entries::iterator at);

  KeeperLink& link_;
  Watches& watches_;
  Timers& timers_;
  const Events events_;
  Entries entries_;
};

}  // namespace pmx::supervisor
