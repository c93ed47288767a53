// Sockets that workers are started with: `listen` of their app, passed as sd_listen_fds(3) has it.
//
// They are made before the run is, and listen from then on: a connection that comes before the
// program accepts waits, as it does while no worker lives. Nobody is told that a program accepts,
// so the run counts as listening from the start, and its candidate's time (worker_reload.cpp) is
// what it has to prove itself. A Node cluster worker is the exception: it asks for descriptor 3.
//
// Such sockets block, as systemd's do: a program may accept(2) without looking. That belongs to the
// open file, so it is set only while no other run has it.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/sys.h"
#include "supervisor/cluster.h"

namespace pmx::supervisor {
namespace {

std::string key_of(const ListenAddress& address) {
  return "listen " + address.address + ":" + std::to_string(address.port);
}

// So that one may be in the way of the other.
bool is_same_place(const ListenAddress& one, const ListenAddress& other) {
  if (one.kind != other.kind) return false;
  return one.kind == ListenAddress::Kind::kUnix ? one.address == other.address
                                                : one.port == other.port;
}

}  // namespace

Result<std::vector<Fd>> Cluster::sockets_for(RunId run, const std::vector<ListenSpec>& specs,
                                             const std::optional<FileOwner>& owner) {
  App& app = *find(run);
  Member& member = app.members.at(run);
  std::vector<Fd> sockets;
  for (const ListenSpec& spec : specs) {
    const std::string key = key_at(app, key_of(spec.address), spec.address);
    close_if_shut_down(app, key);
    const bool made = !app.listeners.contains(key);
    const int socket = PMX_TRY(passed_socket(app, member, key, spec.address));
    if (made && owner && spec.address.kind == ListenAddress::Kind::kUnix)
      (void)::chown(spec.address.address.c_str(), owner->uid, owner->gid);  // Root's; else ours.
    sockets.push_back(PMX_TRY(sys::duplicate(socket)));
    member.passed.push_back(key);
    // Before all that it asks for, in this order.
    member.asked[key] = static_cast<std::int64_t>(sockets.size()) - 1 - INT32_MAX;
    if (accepts_unasked(member)) member.listening.insert(key);
  }
  save(app);
  spread(app);
  return sockets;
}

// A program before it may have done so, where a close() leaves it to the next one.
void Cluster::close_if_shut_down(App& app, const std::string& key) {
  const auto known = app.listeners.find(key);
  if (known == app.listeners.end() || is_asked_for(app, key)) return;
  const auto& slots = known->second.slots;
  const bool listens = std::all_of(
      slots.begin(), slots.end(), [](const Slot& slot) { return is_listening(slot.socket.get()); });
  if (!listens) close_listener(app, key);
}

// From what it was started with. Others ask for descriptor 3 first.
bool Cluster::accepts_unasked(const Member& member) {
  return member.trapped && !member.connections_only;
}

Result<int> Cluster::passed_socket(App& app, const Member& member, const std::string& key,
                                   const ListenAddress& address) {
  const bool is_path = address.kind == ListenAddress::Kind::kUnix;
  if (is_path && !app.listeners.contains(key)) remove_stale_socket(address.address);
  Listener& listener = *PMX_TRY(listener_for(app, key, address));
  const int socket = PMX_TRY(socket_for(app, listener, member.slot));
  if (is_alone(app, member, key)) PMX_TRY(sys::set_nonblocking(socket, !accepts_unasked(member)));
  return socket;
}

// Nobody else has this run's socket of the listener.
bool Cluster::is_alone(const App& app, const Member& member, const std::string& key) const {
  if (app.listeners.at(key).slotted) return is_alone(app, member.slot);
  return std::none_of(app.members.begin(), app.members.end(), [&](const auto& one) {
    return &one.second != &member && one.second.asked.contains(key);
  });
}

// What a release before this one had there, in another way, and nobody asks for any more.
bool Cluster::make_room(App& app, const ListenAddress& address) {
  std::vector<std::string> unasked;
  for (const auto& [key, listener] : app.listeners)
    if (is_same_place(listener.address, address) && !is_asked_for(app, key)) unasked.push_back(key);
  for (const std::string& key : unasked) close_listener(app, key);
  return !unasked.empty();
}

Result<void> Cluster::check_listen(const AppKey& key, const std::vector<ListenSpec>& specs) const {
  const auto found = apps_.find(key);
  for (const ListenSpec& spec : specs) {
    // What the app has there, this way or another, it may have again.
    const bool ours = found != apps_.end() &&
                      std::any_of(found->second.listeners.begin(), found->second.listeners.end(),
                                  [&](const auto& entry) {
                                    return is_same_place(entry.second.address, spec.address);
                                  });
    if (ours) continue;
    if (spec.address.kind == ListenAddress::Kind::kUnix) remove_stale_socket(spec.address.address);
    const Fd probe = PMX_TRY(open_listener(spec.address, false));
    stop_listening(probe.get(), spec.address);
  }
  return {};
}

}  // namespace pmx::supervisor
