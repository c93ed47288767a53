// Where new connections go: to the slots of workers that take them, which the kernel chooses from
// (steer()), and by our own hand (cluster_handover.cpp) to another worker where a connection lies
// in the queue of a slot whose worker is gone or hangs, or that is no worker's.
//
// A worker hangs when connections have waited in its slot for a second and not become fewer, while
// others of its app keep up. Whether it lives again our hook tells, because it answers a ping, or
// its own queue, where nobody else can take from that; without either it is tried again after 2 s,
// 4 s … a minute.
#include <algorithm>
#include <utility>

#include "base/sys.h"
#include "supervisor/cluster.h"
#include "supervisor/slot_connection.h"

namespace pmx::supervisor {

using namespace std::chrono_literals;

namespace {

constexpr int kStuckLooks = 2;  // After the first one: a second.
constexpr auto kFirstPatience = 2s, kLongestPatience = 60s;

}  // namespace

bool Cluster::takes(const Member& member, const std::string& key) const {
  return !member.candidate && !member.leaving && !member.hung && member.listening.contains(key);
}

bool Cluster::accepts_alone(const Member& member, const std::string& key) {
  return member.trapped && !member.by_hand.contains(key);
}

void Cluster::unwatch(Slot& slot) {
  if (slot.watched) parts_.watches.unwatch(slot.socket.get());
  slot.watched = false;
}

bool Cluster::has_slot(const Member& member, const std::string& key,
                       const Listener& listener) const {
  return takes(member, key) && !member.by_hand.contains(key) && member.slot < listener.slots.size();
}

// Better one that hangs than nobody: it may live again, and nobody would look.
void Cluster::try_again_where_nobody_is_left(App& app) {
  for (const auto& [key, listener] : app.listeners) {
    const bool taken =
        std::any_of(app.members.begin(), app.members.end(),
                    [&, &key = key](const auto& one) { return takes(one.second, key); });
    if (taken) continue;
    for (auto& [run, member] : app.members)
      if (!member.candidate && !member.leaving && member.listening.contains(key))
        try_again(app, member);
  }
}

void Cluster::spread(App& app) {
  try_again_where_nobody_is_left(app);
  for (auto& [key, listener] : app.listeners) spread(app, key, listener);
  hand_on(app);
  look_later(app);
}

void Cluster::spread(App& app, const std::string& key, Listener& listener) {
  bool anybody = false, by_hand = false;  // Of those that a connection can be handed to.
  std::set<unsigned> live, own;
  for (const auto& [run, member] : app.members) {
    const bool alone = accepts_alone(member, key);
    if (alone && member.listening.contains(key)) own.insert(listener.slotted ? member.slot : 0);
    if (!takes(member, key)) continue;
    anybody = anybody || !alone;
    if (has_slot(member, key, listener))
      live.insert(member.slot);
    else
      by_hand = true;
  }
  std::set<unsigned> open = live;
  if (live.empty() && by_hand)  // Where we accept.
    for (unsigned i = 0; i < listener.slots.size(); ++i)
      if (!own.contains(i)) open.insert(i);
  if (listener.slotted && !open.empty()) steer_to(app, listener, open);
  for (unsigned i = 0; i < listener.slots.size(); ++i) {
    Slot& slot = listener.slots[i];
    // With nobody to hand them to they wait in the queue for the worker that comes: where all of
    // them accept by themselves, for the next one, which gets the lowest slot that is free.
    const bool ours =
        !own.contains(i) && (listener.slotted ? anybody && !live.contains(i) : by_hand);
    if (!ours) {
      unwatch(slot);
      continue;
    }
    slot.ready = true;
    (void)sys::set_nonblocking(slot.socket.get(), true);  // It may have been passed to a program.
    if (std::exchange(slot.watched, true)) continue;
    const auto watched = parts_.watches.watch_changes(slot.socket.get(), [this, &app, &slot] {
      slot.ready = true;
      hand_on(app);
    });
    if (!watched) parts_.notice("app " + app.key.first + ": " + watched.error().message());
  }
}

void Cluster::steer_to(App& app, Listener& listener, const std::set<unsigned>& open) {
  std::vector<unsigned> slots(open.begin(), open.end());
  if (slots == listener.steered_to && listener.slots.size() == listener.steered_slots) return;
  const auto steered = steer(listener.slots[0].socket.get(), slots,
                             static_cast<unsigned>(listener.slots.size()), app.balance);
  // Then the kernel chooses among all of them, and the orphans' queues are emptied by us.
  if (!steered) parts_.notice("app " + app.key.first + ": " + steered.error().message());
  listener.steered_to = std::move(slots);
  listener.steered_slots = listener.slots.size();
}

// Its other end is handed over as those are that lie with the wrong worker: no slot, no steering
// and no sibling has a part in it, whatever the app's balance is. One that has no channel is
// reached by its slot, where it has one alone and we do not empty it.
Result<Fd> Cluster::connect_to(RunId run, int port) {
  App* const app = find(run);
  const auto nowhere = [&] {
    return Error(Errc::kUnavailable, port == 0 ? "it listens on nothing"
                                               : "it does not listen on " + std::to_string(port));
  };
  if (app == nullptr) return nowhere();
  const Member& member = app->members.at(run);
  const std::string* first = nullptr;
  for (const auto& [key, seq] : member.asked) {
    const auto listener = app->listeners.find(key);
    if (!member.listening.contains(key) || listener == app->listeners.end()) continue;
    const ListenAddress& address = listener->second.address;
    if (address.kind == ListenAddress::Kind::kUdp || (port != 0 && address.port != port)) continue;
    if (member.trapped && address.kind != ListenAddress::Kind::kTcp) continue;
    if (first == nullptr || seq < member.asked.at(*first)) first = &key;
  }
  if (first == nullptr) return nowhere();
  Listener& listener = app->listeners.at(*first);
  Result<void> handed = Error(Errc::kUnavailable, "has no socket that is its alone");
  if (!accepts_alone(member, *first)) {
    TcpPair pair = PMX_TRY(tcp_pair());
    handed = parts_.send(run, new_connection(*first, next_seq()), pair.server.get());
    if (handed) return std::move(pair.client);
  }
  if (!listener.slotted || app->balance != Balance::kSlots || !is_alone(*app, member.slot) ||
      member.by_hand.contains(*first) || listener.slots.at(member.slot).watched)
    return std::move(handed).error();
  return connect_to_slot(listener.slots[0].socket.get(), member.slot, listener.steered_to,
                         static_cast<unsigned>(listener.slots.size()));
}

bool Cluster::ask_traffic(RunId run) {
  const App* const app = find(run);
  return app != nullptr && app->members.at(run).has_hook &&
         parts_.send(run, kTrafficRequest, -1).has_value();
}

// ---- Workers that hang.

void Cluster::look_later(App& app) {
  const auto has_slots = [&](const auto& entry) {
    return entry.second.slotted &&
           std::any_of(app.members.begin(), app.members.end(), [&](const auto& one) {
             return has_slot(one.second, entry.first, entry.second);
           });
  };
  const bool worth =
      app.members.size() > 1 && std::any_of(app.listeners.begin(), app.listeners.end(), has_slots);
  if (!worth) return parts_.timers.cancel(std::exchange(app.look_timer, 0));
  if (app.look_timer != 0) return;
  app.look_timer = parts_.timers.call_after(kLookEvery, [this, &app] {
    app.look_timer = 0;
    look(app);
    look_later(app);
  });
}

// What its queue was like before it was found to hang says nothing of it now.
void Cluster::try_again(App& app, Member& member) {
  if (!std::exchange(member.hung, false)) return;
  for (auto& [key, listener] : app.listeners) {
    if (member.slot >= listener.slots.size()) continue;
    Slot& slot = listener.slots[member.slot];
    slot.waiting = 0;
    slot.stuck_looks = 0;
  }
}

// nullopt: its queue is emptied by others too.
std::optional<bool> Cluster::takes_again(const App& app, const Member& member) {
  std::optional<bool> taken;
  for (const auto& [key, listener] : app.listeners) {
    if (!listener.slotted || !accepts_alone(member, key) || !member.listening.contains(key))
      continue;
    const Slot& slot = listener.slots.at(member.slot);
    if (slot.waiting == 0) continue;  // Nothing was seen to wait there.
    taken = taken.value_or(false) || waiting_connections(slot.socket.get()) <= slot.waiting / 2;
  }
  return taken;
}

void Cluster::look(App& app) {
  const auto now = parts_.clock.steady_now();
  bool changed = false;
  for (auto& [run, member] : app.members) {
    if (!member.hung || member.has_hook) continue;
    if (!takes_again(app, member).value_or(now >= member.try_again_at)) continue;
    try_again(app, member);
    changed = true;
  }
  for (auto& [key, listener] : app.listeners)
    if (listener.slotted) look_at(app, key, listener);
  if (changed) spread(app);
}

void Cluster::look_at(App& app, const std::string& key, Listener& listener) {
  std::uint32_t fewest = UINT32_MAX;
  for (const unsigned i : listener.steered_to) {
    Slot& slot = listener.slots[i];
    const std::uint32_t waiting = waiting_connections(slot.socket.get());
    const bool stuck = waiting > 0 && slot.waiting > 0 && waiting >= slot.waiting;
    slot.stuck_looks = stuck ? slot.stuck_looks + 1 : 0;
    slot.waiting = waiting;
    fewest = std::min(fewest, waiting);
  }
  bool changed = false;
  for (auto& [run, member] : app.members) {
    if (!has_slot(member, key, listener)) continue;
    const Slot& slot = listener.slots[member.slot];
    if (slot.stuck_looks < kStuckLooks || slot.waiting / 2 < fewest) continue;
    member.hung = changed = true;
    member.patience =
        std::clamp<std::chrono::nanoseconds>(2 * member.patience, kFirstPatience, kLongestPatience);
    member.try_again_at = parts_.clock.steady_now() + member.patience;
    parts_.notice("App [" + app.key.first + "], worker " + std::to_string(member.number) +
                  " of its cluster: " + std::to_string(slot.waiting) +
                  " connection(s) have waited for a second and it takes none: others get them");
    (void)parts_.send(run, kPing, -1);
  }
  if (changed) spread(app);
}

}  // namespace pmx::supervisor
