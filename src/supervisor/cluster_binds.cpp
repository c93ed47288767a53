// Workers that bind by themselves: bind_traps.h asks here what they get.
//
// A reload of them loses no connection, though nobody could hand one on: the successor has a slot
// of its own, and its predecessor goes on accepting from its own queue, into which nothing new is
// steered, until that is empty (worker_reload.cpp); only then is it told to end.
#include <algorithm>
#include <cerrno>

#include "base/sys.h"
#include "supervisor/cluster.h"

namespace pmx::supervisor {
namespace {

constexpr int kMostLeftovers = 4096;

std::string key_of(const ListenAddress& address) {
  return "bind " + address.address + ":" + std::to_string(address.port) +
         (address.ipv6_only ? " v6only" : "");
}

}  // namespace

// Asked again (a program that binds twice, a call that a signal has interrupted) it is the same.
// What is said here is with the keeper before the worker can go on: a daemon that dies in between
// has the call begun anew.
Result<Fd> Cluster::binds(RunId run, const ListenAddress& address) {
  App* const app = find(run);
  if (app == nullptr || !app->members.at(run).trapped)
    return system_error(EADDRNOTAVAIL, "bind", "run " + std::to_string(run.value));
  Member& member = app->members.at(run);
  const std::string key = key_at(*app, key_of(address), address);
  const auto answer = [&]() -> Result<Fd> {
    if (member.by_hand.contains(key))  // It has asked for it over its channel.
      return system_error(EADDRINUSE, "bind", address.address + ":" + std::to_string(address.port));
    Listener* const listener = PMX_TRY(listener_for(*app, key, address));
    return sys::duplicate(PMX_TRY(socket_for(*app, *listener, member.slot)));
  };
  auto socket = answer();
  if (!socket) {
    parts_.notice("app " + app->key.first + ": " + socket.error().message());
    return socket;
  }
  member.asked[key] = 0;
  member.listening.insert(key);
  member.binds = true;
  save(*app);
  spread(*app);
  return socket;
}

bool Cluster::is_trapped(RunId run) const {
  const auto found = app_of_.find(run);
  if (found == app_of_.end()) return false;
  const Member& member = apps_.at(found->second).members.at(run);
  return member.trapped && (!member.speaks || member.binds);
}

// nullptr: it has none.
const Cluster::Slot* Cluster::slot_of(const App& app, const Member& member,
                                      const std::string& key) {
  const auto listener = app.listeners.find(key);
  const bool has = listener != app.listeners.end() && listener->second.slotted &&
                   !member.by_hand.contains(key) && member.slot < listener->second.slots.size();
  return has ? &listener->second.slots[member.slot] : nullptr;
}

bool Cluster::is_alone(const App& app, unsigned slot) const {
  return std::count_if(app.members.begin(), app.members.end(),
                       [slot](const auto& member) { return member.second.slot == slot; }) <= 1;
}

std::uint32_t Cluster::waiting_at(RunId run) const {
  const auto found = app_of_.find(run);
  if (found == app_of_.end()) return 0;
  const App& app = apps_.at(found->second);
  const Member& member = app.members.at(run);
  if (!is_alone(app, member.slot)) return 0;
  std::uint32_t waiting = 0;
  for (const std::string& key : member.listening)
    if (const Slot* const slot = slot_of(app, member, key))
      waiting += waiting_connections(slot->socket.get());
  return waiting;
}

// Of a worker that has left and was killed at kill_timeout: an end at once is better than none. A
// worker that died is followed in its slot.
void Cluster::refuse_leftovers(App& app, const Member& gone) {
  if (!gone.leaving || app.members.empty()) return;
  const bool followed = std::any_of(app.members.begin(), app.members.end(),
                                    [&](const auto& one) { return one.second.slot == gone.slot; });
  if (followed) return;
  int refused = 0;
  for (const std::string& key : gone.listening) {
    const Slot* const slot = slot_of(app, gone, key);
    if (slot == nullptr || slot->watched) continue;  // Watched: they are handed to others.
    const int socket = slot->socket.get();
    if (!sys::set_nonblocking(socket, true)) continue;
    for (int i = 0; i < kMostLeftovers && accept_waiting(socket); ++i) ++refused;
  }
  if (refused > 0)
    parts_.notice("app " + app.key.first + ": " + std::to_string(refused) +
                  " connection(s) that a worker had not accepted when it ended were closed");
}

}  // namespace pmx::supervisor
