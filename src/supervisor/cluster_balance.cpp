// Where new connections go: to the slots of workers that take them, which the kernel chooses from
// (steer()), and by our own hand to another worker where a connection lies in the queue of a slot
// whose worker is gone or hangs.
//
// A worker hangs when connections have waited in its slot for a second and not become fewer, while
// others of its app keep up. Whether it lives again our hook tells, because it answers a ping; a
// worker without it is tried again after 2 s, 4 s … a minute.
#include <algorithm>

#include "supervisor/cluster.h"

namespace pmx::supervisor {

using namespace std::chrono_literals;

namespace {

constexpr int kStuckLooks = 2;  // After the first one: a second.
constexpr auto kFirstPatience = 2s, kLongestPatience = 60s;
constexpr auto kRefusalPause = 10ms;  // A worker at its maxConnections refuses at once, and again.
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
    const bool orphan = !live.empty() && !live.contains(i);
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
    if (next_taker(app, key).value == 0) return;
    auto connection = accept_waiting(slot.socket.get());
    if (!connection) return;
    give(app, key, std::move(*connection));
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

void Cluster::give(App& app, const std::string& key, Fd connection) {
  for (std::size_t tries = app.members.size(); tries > 0; --tries) {
    const RunId run = next_taker(app, key);
    if (run.value == 0) return;  // Nobody is left: the client sees it closed.
    app.last_given = run;
    const std::int64_t seq = next_seq();
    if (!parts_.send(run, new_connection(key, seq), connection.get())) continue;
    app.members.at(run).given[seq] = {std::move(connection), key};
    return;
  }
}

void Cluster::taken(App& app, RunId run, const ClusterMessage& message) {
  auto given = app.members.at(run).given.extract(message.ack);
  if (!given || message.accepted) return;  // Its copy is the one that counts.
  const auto refused = std::make_shared<Given>(std::move(given.mapped()));
  (void)parts_.timers.call_after(kRefusalPause, [this, app_key = app.key, refused] {
    const auto found = apps_.find(app_key);
    if (found != apps_.end()) give(found->second, refused->key, std::move(refused->connection));
  });
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

void Cluster::look(App& app) {
  const auto now = parts_.clock.steady_now();
  bool changed = false;
  for (auto& [run, member] : app.members) {
    if (!member.hung || member.has_hook || now < member.try_again) continue;
    member.hung = false;
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
    member.try_again = parts_.clock.steady_now() + member.patience;
    parts_.notice("App [" + app.key.first + ", instance " + std::to_string(member.slot) +
                  "]: " + std::to_string(slot.waiting) +
                  " connection(s) have waited for a second and it takes none: others get them");
    (void)parts_.send(run, kPing, -1);
  }
  if (changed) spread(app);
}

}  // namespace pmx::supervisor
