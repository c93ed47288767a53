// The primary of cluster apps, with no Node in its place: which worker listens on what, over which
// of the sockets that the keeper holds, and where new connections go.
//
// A worker asks over its channel (cluster_message.h), and gets a socket: with Balance::kSlots one
// that is nobody else's, with Balance::kSticky the one of its instance number. Connections in the
// queue of a slot without a worker, or of one whose worker hangs, are accepted here and handed to
// others. With Balance::kRoundRobin no worker has a slot: all that comes is handed over so.
//
// A worker that knows nothing of this binds by itself, which is trapped (bind_traps.h): it gets the
// same sockets, in the place of its own, but nothing can be handed to it there. One may do both.
// So it is with one that is started with its sockets (`listen`, cluster_listen.cpp), unless it is
// Node's: that one asks for them as well, by listen({fd: 3}).
//
// Owns:       each app's listeners and members. The keeper holds the same sockets as
//             "port.<app>.<listener>.<slot>", and "cluster.<app>", which says what they are.
// Thread:     control.
// Invariants: what a worker is told is with the keeper before it is told; a question that is asked
//             again (its answerer died) is answered again.
// Bounds:     kMaxListeners an app, kMaxSlots slots a listener: more workers share the last ones.
//             kWindow connections handed to a worker that it has not answered for; where nobody has
//             room the others stay in the kernel's queue.
// Errors:     a worker hears the errno that its own bind(2) would have had.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/timers.h"
#include "base/watches.h"
#include "supervisor/cluster_message.h"
#include "supervisor/keeper_link.h"
#include "supervisor/listen_socket.h"
#include "supervisor/listen_spec.h"
#include "supervisor/minute_count.h"
#include "supervisor/worker_record.h"

namespace pmx::supervisor {

Balance balance_of(const AppSpec& app);

class Cluster {
 public:
  static constexpr std::size_t kMaxListeners = 64;
  static constexpr unsigned kMaxSlots = 256;
  static constexpr std::chrono::milliseconds kLookEvery{500};  // At accept queues.
  // So many may be lost to clients with a worker that hangs. 1 to 16 make no difference in speed.
  static constexpr std::size_t kWindow = 4;
  static constexpr std::chrono::milliseconds kRest{10};  // Of one that has refused a connection.

  struct Parts {
    KeeperLink& link;
    Watches& watches;
    Timers& timers;
    const Clock& clock;
    // Over the run's channel, with a descriptor where that is not -1.
    std::function<Result<void>(RunId, std::string_view json, int fd)> send;
    // The same at once and as a whole, or not at all, where the worker's channel is full.
    std::function<Result<void>(RunId, std::string_view json, int fd)> hand;
    std::function<void(RunId)> listens;  // On one more address.
    std::function<void(RunId)> drained;  // None of its clients keeps a connection open.
    std::function<void(const std::string&)> notice;
    // It was asked what it has counted.
    std::function<void(RunId, const Traffic&)> counted = [](RunId, const Traffic&) {};
  };
  explicit Cluster(Parts parts) : parts_(std::move(parts)) {}
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // cluster_state.cpp. After a daemon's start: what the keeper holds; then join() for those that
  // run, and ended() for those that do not.
  void recover();

  // The lowest number that no member of the app has: NODE_UNIQUE_ID.
  int free_number(const AppSpec& app) const;
  // A run of the app; known ones stay as they are. A candidate gets no connections before it is
  // admitted, where it has a slot of its own.
  struct Place {
    std::int64_t instance = 0;
    int number = 0;
    // `trapped`: it binds by itself, or is started with its sockets, and speaks no protocol.
    bool candidate = false, trapped = false;
    bool connections_only = false;  // It gets no socket for what it asks.
  };
  void join(const AppSpec& app, RunId run, const Place& place);
  void admit(RunId run);
  void said(RunId run, std::string_view line);
  std::vector<RunId> members() const;
  std::vector<AppKey> apps() const;
  bool has(RunId run) const { return app_of_.contains(run); }
  // It gets no new connections, but for those that wait in its own slot.
  void leave_soon(RunId run);
  Result<void> disconnect(RunId run);
  void ended(RunId run);  // Or its channel is closed.
  // Of a run that has bound addresses by itself too, which it keeps.
  void channel_closed(RunId run);
  // Addresses that it is seen to listen on, by key: not those that it was started with, where it
  // never says whether it accepts there.
  std::set<std::string> listens_on(RunId run) const;
  // Those of `run` on which `next` must be seen to listen before it can be followed by it.
  std::set<std::string> to_take_over(RunId run, RunId next) const;
  // A new connection to this worker, whoever else listens on the same address: the one that it has
  // asked for first, or the one of `port`.
  Result<Fd> connect_to(RunId run, int port);
  // What can be seen here of a worker that is handed its connections: the TCP ports of those, and
  // how many it has taken in the last minute. nullopt: it is handed none.
  struct Handed {
    std::vector<int> ports;
    std::int64_t connections = 0;
  };
  std::optional<Handed> handed(RunId run) const;
  // False: it has no hook that counts.
  bool ask_traffic(RunId run);
  // cluster_binds.cpp. What takes the place of a socket that the run binds to this address; it
  // listens there from now on.
  Result<Fd> binds(RunId run, const ListenAddress& address);
  bool is_trapped(RunId run) const;  // As far as it has not said otherwise.
  // cluster_listen.cpp. The sockets that the run is started with, one an entry, listening; they are
  // its own to inherit. An error names the address, and whoever is there keeps it.
  Result<std::vector<Fd>> sockets_for(RunId run, const std::vector<ListenSpec>& specs,
                                      const std::optional<FileOwner>& owner);
  // Whether they could be had, without the app's coming to any harm.
  Result<void> check_listen(const AppKey& app, const std::vector<ListenSpec>& specs) const;
  std::uint32_t waiting_at(RunId run) const;  // In the queues that are its alone.
  bool knows(const AppKey& app) const { return apps_.contains(app); }
  // All that `from` has is that of `to` from now on, unless that one is known here.
  void rename(const AppKey& from, const AppKey& to);
  std::optional<AppKey> app_of(RunId run) const;
  // Where the app has no members: closes all that it has.
  void close_unused(const AppKey& app);
  // Closes what no member has asked for, once each of them has asked for something.
  void close_unasked(const AppKey& app);

 private:
  struct Given {  // A connection that a worker has not taken yet.
    Fd connection;
    std::string key;
  };
  struct Member {
    unsigned slot = 0;
    int number = 0;
    bool candidate = false, leaving = false, has_hook = false, trapped = false;
    bool connections_only = false, speaks = false, binds = false;
    std::map<std::string, std::int64_t> asked;  // Key to the seq of the question.
    std::set<std::string> listening;
    std::vector<std::string> passed;  // Keys of what it was started with, from descriptor 3 on.
    std::set<std::string> by_hand;    // Keys for which it was told of no socket.
    // cluster_handover.cpp
    std::map<std::int64_t, Given> given;
    std::map<std::string, std::chrono::steady_clock::time_point> rests;  // Where it has refused.
    MinuteCount taken;
    // cluster_balance.cpp
    bool hung = false;
    std::chrono::steady_clock::time_point try_again_at{};
    std::chrono::nanoseconds patience{0};
  };
  struct Slot {
    Fd socket;
    bool watched = false;  // We accept.
    bool ready = false;    // There may be something to accept.
    bool told_of_trouble = false;
    std::uint64_t served = 0;
    std::uint32_t waiting = 0;
    int stuck_looks = 0;
  };
  struct Listener {
    std::uint64_t number = 0;
    ListenAddress address;
    std::string data;
    bool slotted = false;
    std::deque<Slot> slots;  // Which their watches know by address.
    std::vector<unsigned> steered_to;
    std::size_t steered_slots = 0;
  };
  struct App {
    AppKey key;
    std::string id;  // Of its names with the keeper. It stays when the app is renamed.
    Balance balance = Balance::kSlots;
    std::uint64_t next_listener = 0;
    std::map<std::string, Listener> listeners;
    std::map<RunId, Member> members;
    RunId last_given;
    std::uint64_t accepted = 0;
    std::vector<Given> waiting;  // That nobody could be told of.
    Timers::Id look_timer = 0, rest_timer = 0;
  };

  std::string free_id(const AppKey& key) const;
  // Of the listener that the app has at this address already, whoever named it; else `key`.
  static std::string key_at(const App& app, const std::string& key, const ListenAddress& address);
  static bool is_asked_for(const App& app, const std::string& key);
  static const Slot* slot_of(const App& app, const Member& member, const std::string& key);
  App* find(RunId run);
  void mark(RunId run, bool Member::*flag, bool value);
  App& app_with(const AppKey& key);
  std::int64_t next_seq();
  void query(App& app, RunId run, ClusterMessage message);
  Result<int> passed_socket(App& app, const Member& member, const std::string& key,
                            const ListenAddress& address);
  void close_if_shut_down(App& app, const std::string& key);
  bool make_room(App& app, const ListenAddress& address);
  Result<Listener*> listener_for(App& app, const std::string& key, const ListenAddress& address);
  Result<int> socket_for(App& app, Listener& listener, unsigned slot);
  void listening(App& app, RunId run, const ClusterMessage& message);
  void close(App& app, RunId run, const std::string& key);
  static void let_go(Member& member, const std::string& key);
  static unsigned free_slot(const App& app, const std::string& key);
  void close_listener(App& app, std::string key);
  void save(App& app);
  Result<App> read(std::string id, std::string_view text) const;
  void refuse_leftovers(App& app, const Member& gone);
  bool is_alone(const App& app, unsigned slot) const;
  bool is_alone(const App& app, const Member& member, const std::string& key) const;
  std::string socket_name(const App& app, const Listener& listener, std::size_t slot) const;

  // cluster_balance.cpp
  void spread(App& app);
  void spread(App& app, const std::string& key, Listener& listener);
  void steer_to(App& app, Listener& listener, const std::set<unsigned>& open);
  void try_again(App& app, Member& member);
  void try_again_where_nobody_is_left(App& app);
  static std::optional<bool> takes_again(const App& app, const Member& member);
  void look_later(App& app);
  void look(App& app);
  void look_at(App& app, const std::string& key, Listener& listener);
  bool takes(const Member& member, const std::string& key) const;
  // Nothing can be handed to it there.
  static bool accepts_alone(const Member& member, const std::string& key);
  static bool accepts_unasked(const Member& member);
  bool has_slot(const Member& member, const std::string& key, const Listener& listener) const;
  void unwatch(Slot& slot);

  // cluster_handover.cpp
  struct Source {
    const std::string* key = nullptr;
    Slot* slot = nullptr;
  };
  void hand_on(App& app);
  Source next_source(App& app);
  void give(App& app, Given given);
  void give_waiting(App& app);
  bool has_room(const Member& member, const std::string& key) const;
  RunId next_taker(const App& app, const std::string& key) const;
  void taken(App& app, RunId run, const ClusterMessage& message);
  void rest(App& app, Member& member, const std::string& key);
  void rest_later(App& app);
  void rest_is_over(App& app);

  const Parts parts_;
  std::map<AppKey, App> apps_;
  std::map<RunId, AppKey> app_of_;
  std::int64_t last_seq_ = 0;
};

}  // namespace pmx::supervisor
