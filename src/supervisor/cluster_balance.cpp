// Where new connections go: to the slots of workers that take them, which the kernel chooses from
// (steer()), and by our own hand to another worker where a connection lies in the queue of a slot
// whose worker is gone or hangs.
//
// A worker hangs when connections have waited in its slot for a second and not become fewer, while
// others of its app keep up. Whether it lives again our hook tells, because it answers a ping; a
// worker without it is tried again after 2 s, 4 s … a minute.
#include <algorithm>
#include <iterator>
#include <utility>

#include "supervisor/cluster.h"
#include "supervisor/slot_connection.h"

namespace pmx::supervisor {

using namespace std::chrono_literals;

namespace {

constexpr int kStuckLooks = 2;  // After the first one: a second.
constexpr auto kFirstPatience = 2s, kLongestPatience = 60s;
constexpr auto kGivePause = 10ms;  // A worker at its maxConnections refuses at once, and again.
constexpr int kMostAccepts = 4096;

}  // namespace

bool Cluster::takes(const Member& member, const std::string& key) const {
  return !member.candidate && !member.leaving && !member.hung && member.listening.contains(key);
}

void Cluster::unwatch(Slot& slot) {
  if (slot.watched) parts_.watches.unwatch(slot.socket.get());
  slot.watched = false;
}

void Cluster::spread(App& app) {
  for (auto& [key, listener] : app.listeners)
    if (listener.slotted) spread(app, key, listener);
  if (!app.waiting.empty() && app.give_timer == 0) give_waiting(app);
  look_later(app);
}

void Cluster::spread(App& app, const std::string& key, Listener& listener) {
  std::set<unsigned> live;
  for (const auto& [run, member] : app.members)
    if (takes(member, key) && member.slot < listener.slots.size()) live.insert(member.slot);
  if (!live.empty()) {
    std::vector<unsigned> slots(live.begin(), live.end());
    if (slots != listener.steered_to || listener.slots.size() != listener.steered_slots) {
      const auto steered = steer(listener.slots[0].socket.get(), slots,
                                 static_cast<unsigned>(listener.slots.size()), app.balance);
      // Then the kernel chooses among all of them, and the orphans' queues are emptied below.
      if (!steered) parts_.notice("app " + app.key.first + ": " + steered.error().message());
      listener.steered_to = std::move(slots);
      listener.steered_slots = listener.slots.size();
    }
  }
  for (unsigned i = 0; i < listener.slots.size(); ++i) {
    Slot& slot = listener.slots[i];
    // With nobody to hand them to they wait in the queue for the worker that comes.
    // With `trapped` there never is: in a leaving worker's slot nothing is left when it ends, and
    // in a dead one's it waits for its successor, which gets the lowest slot that is free.
    const bool orphan = !listener.trapped && !live.empty() && !live.contains(i);
    if (!orphan) {
      unwatch(slot);
      continue;
    }
    if (slot.watched) continue;
    slot.watched = static_cast<bool>(parts_.watches.watch_changes(
        slot.socket.get(), [this, &app, &slot, key] { accept_orphans(app, key, slot); }));
    accept_orphans(app, key, slot);
  }
}

void Cluster::accept_orphans(App& app, const std::string& key, Slot& slot) {
  for (int i = 0; i < kMostAccepts; ++i) {
    if (!app.waiting.empty() || next_taker(app, key).value == 0) return;
    auto connection = accept_waiting(slot.socket.get());
    if (!connection) return;
    give(app, {std::move(*connection), key});
  }
}

// In turn. None: {0}.
RunId Cluster::next_taker(App& app, const std::string& key) const {
  RunId first, next;
  for (const auto& [run, member] : app.members) {
    if (!takes(member, key)) continue;
    if (first.value == 0) first = run;
    if (next.value == 0 && run > app.last_given) next = run;
  }
  return next.value != 0 ? next : first;
}

void Cluster::give(App& app, Given given) {
  for (std::size_t tries = app.members.size(); tries > 0; --tries) {
    const RunId run = next_taker(app, given.key);
    if (run.value == 0) break;
    app.last_given = run;
    const std::int64_t seq = next_seq();
    if (!parts_.send(run, new_connection(given.key, seq), given.connection.get())) continue;
    app.members.at(run).given[seq] = std::move(given);
    return;
  }
  give_later(app, std::move(given));
}

void Cluster::give_later(App& app, Given given) {
  app.waiting.push_back(std::move(given));
  if (app.give_timer != 0) return;
  app.give_timer = parts_.timers.call_after(kGivePause, [this, &app] {
    app.give_timer = 0;
    give_waiting(app);
  });
}

// Those whose address nobody serves just now wait for the worker that does: spread() comes back.
void Cluster::give_waiting(App& app) {
  std::vector<Given> still;
  for (Given& given : std::exchange(app.waiting, {})) {
    if (next_taker(app, given.key).value == 0) {
      still.push_back(std::move(given));
    } else {
      give(app, std::move(given));
    }
  }
  app.waiting.insert(app.waiting.end(), std::make_move_iterator(still.begin()),
                     std::make_move_iterator(still.end()));
  if (!app.waiting.empty()) return;
  for (auto& [key, listener] : app.listeners)
    for (Slot& slot : listener.slots)
      if (slot.watched) accept_orphans(app, key, slot);
}

void Cluster::taken(App& app, RunId run, const ClusterMessage& message) {
  auto given = app.members.at(run).given.extract(message.ack);
  if (!given || message.accepted) return;  // Its copy is the one that counts.
  give_later(app, std::move(given.mapped()));
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
    if (first == nullptr || seq < member.asked.at(*first)) first = &key;
  }
  if (first == nullptr) return nowhere();
  TcpPair pair = PMX_TRY(tcp_pair());
  auto handed = parts_.send(run, new_connection(*first, next_seq()), pair.server.get());
  if (handed) return std::move(pair.client);
  Listener& listener = app->listeners.at(*first);
  if (!listener.slotted || app->balance != Balance::kSlots || !is_alone(*app, member.slot) ||
      listener.slots.at(member.slot).watched)
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
  const bool worth =
      app.members.size() > 1 && std::any_of(app.listeners.begin(), app.listeners.end(),
                                            [](const auto& entry) { return entry.second.slotted; });
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

void Cluster::look(App& app) {
  const auto now = parts_.clock.steady_now();
  bool changed = false;
  for (auto& [run, member] : app.members) {
    if (!member.hung || member.has_hook || now < member.try_again_at) continue;
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
    if (!takes(member, key) || member.slot >= listener.slots.size()) continue;
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
