// Connections that we accept and hand to workers: all of them with Balance::kRoundRobin, otherwise
// what lies in the queue of a slot whose worker is gone or hangs.
//
// A connection is accepted only where a worker has room for it, and sent in the same breath: until
// then it is in the kernel's queue, which outlives us, and from then on in the worker's channel,
// which does too. If we are killed between the two calls its client sees a reset, as it does where
// a connection that was refused is in our hand. Our copy of what was sent is kept until the worker
// has answered for it: one that dies before is followed by another, and one that refuses (it is at
// its maxConnections, or has just closed its server) too.
//
// The worker with the fewest that it has not answered for comes first, then the next in turn. One
// that refuses rests, and gets one at a time until it takes one again: nothing here runs in a
// circle. One that hangs gets kWindow of them, and then nothing. Sending never waits: a worker
// whose channel is full rests too.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "supervisor/cluster.h"

namespace pmx::supervisor {

bool Cluster::has_room(const Member& member, const std::string& key) const {
  if (!takes(member, key) || accepts_alone(member, key)) return false;
  if (member.given.size() >= kWindow) return false;
  const auto rest = member.rests.find(key);
  if (rest == member.rests.end()) return true;
  const bool tried = std::any_of(member.given.begin(), member.given.end(),
                                 [&](const auto& one) { return one.second.key == key; });
  return !tried && rest->second <= parts_.clock.steady_now();
}

// None: {0}.
RunId Cluster::next_taker(const App& app, const std::string& key) const {
  RunId chosen;
  std::size_t fewest = kWindow;
  for (const auto& [run, member] : app.members) {  // By run, which makes them a circle.
    if (!has_room(member, key)) continue;
    const bool in_turn = chosen <= app.last_given && run > app.last_given;
    if (member.given.size() > fewest || (member.given.size() == fewest && !in_turn)) continue;
    chosen = run;
    fewest = member.given.size();
  }
  return chosen;
}

void Cluster::hand_on(App& app) {
  give_waiting(app);
  for (Source source = next_source(app); source.slot != nullptr; source = next_source(app)) {
    auto connection = accept_next(source.slot->socket.get());
    if (connection) {
      source.slot->served = ++app.accepted;
      source.slot->told_of_trouble = false;
      give(app, {std::move(*connection), *source.key});
      continue;
    }
    source.slot->ready = false;
    const int why = connection.error().sys_errno();
    if (why == EAGAIN) continue;  // The next one is told of.
    if (!std::exchange(source.slot->told_of_trouble, true))
      parts_.notice("app " + app.key.first + ": " + connection.error().message() +
                    "; connections wait meanwhile");
    if (why != EINVAL) rest_later(app);  // EINVAL: a program has shut it down, for good.
  }
}

// The one that was served longest ago. None: {}.
Cluster::Source Cluster::next_source(App& app) {
  Source source;
  for (auto& [key, listener] : app.listeners) {
    if (next_taker(app, key).value == 0) continue;
    for (Slot& slot : listener.slots)
      if (slot.watched && slot.ready &&
          (source.slot == nullptr || slot.served < source.slot->served))
        source = {&key, &slot};
  }
  return source;
}

void Cluster::give(App& app, Given given) {
  if (!app.listeners.contains(given.key)) return;  // Closed, as its queue was.
  for (RunId run = next_taker(app, given.key); run.value != 0; run = next_taker(app, given.key)) {
    Member& member = app.members.at(run);
    app.last_given = run;
    const std::int64_t seq = next_seq();
    if (parts_.hand(run, new_connection(given.key, seq), given.connection.get())) {
      member.given[seq] = std::move(given);
      return;
    }
    rest(app, member, given.key);
  }
  app.waiting.push_back(std::move(given));
}

// Those whose address nobody serves just now wait for the worker that does: spread() comes back.
void Cluster::give_waiting(App& app) {
  for (Given& given : std::exchange(app.waiting, {})) give(app, std::move(given));
}

void Cluster::taken(App& app, RunId run, const ClusterMessage& message) {
  Member& member = app.members.at(run);
  auto given = member.given.extract(message.ack);
  if (!given) return;
  if (message.accepted) {
    member.rests.erase(given.mapped().key);
    member.taken.add(parts_.clock.steady_now());
  } else {
    rest(app, member, given.mapped().key);
    give(app, std::move(given.mapped()));
  }
  hand_on(app);
}

std::optional<Cluster::Handed> Cluster::handed(RunId run) const {
  const auto found = app_of_.find(run);
  if (found == app_of_.end()) return std::nullopt;
  const App& app = apps_.at(found->second);
  const Member& member = app.members.at(run);
  if (member.by_hand.empty()) return std::nullopt;
  Handed handed;
  handed.connections = member.taken.sum(parts_.clock.steady_now());
  for (const std::string& key : member.by_hand) {
    const auto listener = app.listeners.find(key);
    if (listener == app.listeners.end()) continue;
    if (const auto name = bound_name(listener->second.slots[0].socket.get()))
      handed.ports.push_back(name->port);
  }
  return handed;
}

void Cluster::rest(App& app, Member& member, const std::string& key) {
  member.rests[key] = parts_.clock.steady_now() + kRest;
  rest_later(app);
}

void Cluster::rest_later(App& app) {
  if (app.rest_timer != 0) return;
  app.rest_timer = parts_.timers.call_after(kRest, [this, &app] {
    app.rest_timer = 0;
    rest_is_over(app);
  });
}

void Cluster::rest_is_over(App& app) {
  // As of now: one whose rest ends while the others are served would be forgotten.
  const auto now = parts_.clock.steady_now();
  for (auto& [key, listener] : app.listeners)
    for (Slot& slot : listener.slots) slot.ready = true;
  hand_on(app);
  const bool more = std::any_of(app.members.begin(), app.members.end(), [&](const auto& one) {
    return std::any_of(one.second.rests.begin(), one.second.rests.end(),
                       [&](const auto& rest) { return rest.second > now; });
  });
  if (more) rest_later(app);
}

}  // namespace pmx::supervisor
