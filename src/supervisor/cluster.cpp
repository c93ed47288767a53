#include "supervisor/cluster.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/path.h"
#include "supervisor/spawn_request.h"

namespace pmx::supervisor {

using Act = ClusterMessage::Act;

namespace {

constexpr int kFirstPassed = 3;

// Of the socket that the worker was started with as this descriptor.
const std::string* passed_key(const std::vector<std::string>& passed, int descriptor) {
  const int at = descriptor - kFirstPassed;
  return at >= 0 && at < static_cast<int>(passed.size()) ? &passed[static_cast<std::size_t>(at)]
                                                         : nullptr;
}

}  // namespace

Balance balance_of(const AppSpec& app) {
  if (app.balance == "shared") return Balance::kShared;
  if (app.balance == "rr") return Balance::kRoundRobin;
  return app.balance == "sticky" ? Balance::kSticky : Balance::kSlots;
}

Cluster::~Cluster() {
  for (auto& [key, app] : apps_) {
    parts_.timers.cancel(app.look_timer);
    parts_.timers.cancel(app.rest_timer);
    for (auto& [name, listener] : app.listeners)
      for (Slot& slot : listener.slots) unwatch(slot);
  }
}

Cluster::App* Cluster::find(RunId run) {
  const auto found = app_of_.find(run);
  return found == app_of_.end() ? nullptr : &apps_.at(found->second);
}

Cluster::App& Cluster::app_with(const AppKey& key) {
  const auto found = apps_.find(key);
  if (found != apps_.end()) return found->second;
  std::string id = free_id(key);
  App& app = apps_[key];
  app.key = key;
  app.id = std::move(id);
  return app;
}

bool Cluster::is_asked_for(const App& app, const std::string& key) {
  return std::any_of(app.members.begin(), app.members.end(), [&](const auto& member) {
    const std::vector<std::string>& passed = member.second.passed;
    return member.second.asked.contains(key) ||
           std::find(passed.begin(), passed.end(), key) != passed.end();
  });
}

std::string Cluster::key_at(const App& app, const std::string& key, const ListenAddress& address) {
  if (app.listeners.contains(key)) return key;
  for (const auto& [known, listener] : app.listeners)
    if (is_one_address(listener.address, address)) return known;
  return key;
}

// Higher than any that a daemon before this one has used: it counted by the same clock, in less
// than the 2^53 that JavaScript counts to.
std::int64_t Cluster::next_seq() {
  last_seq_ = std::max(parts_.clock.system_ns() / 1000, last_seq_ + 1);
  return last_seq_;
}

int Cluster::free_number(const AppSpec& app) const {
  std::set<int> taken;
  const auto found = apps_.find(app_key(app));
  if (found != apps_.end())
    for (const auto& [run, member] : found->second.members) taken.insert(member.number);
  int number = 1;
  while (taken.contains(number)) ++number;
  return number;
}

void Cluster::join(const AppSpec& spec, RunId run, const Place& place) {
  App& app = app_with(app_key(spec));
  const Balance balance = balance_of(spec);
  if (std::exchange(app.balance, balance) != balance)
    for (auto& [key, listener] : app.listeners) listener.steered_to.clear();
  if (app.members.contains(run)) return;
  std::set<unsigned> taken;
  for (const auto& [other, member] : app.members) taken.insert(member.slot);
  unsigned slot = static_cast<unsigned>(place.instance);
  if (app.balance != Balance::kSticky)
    for (slot = 0; taken.contains(slot);) ++slot;
  Member& member = app.members[run];
  member.slot = slot % kMaxSlots;
  member.number = place.number;
  member.candidate = place.candidate;
  member.trapped = place.trapped;
  member.connections_only = place.connections_only;
  app_of_[run] = app.key;
  save(app);
}

void Cluster::mark(RunId run, bool Member::*flag, bool value) {
  App* const app = find(run);
  if (app == nullptr || app->members.at(run).*flag == value) return;
  app->members.at(run).*flag = value;
  save(*app);
  spread(*app);
}

void Cluster::admit(RunId run) { mark(run, &Member::candidate, false); }
void Cluster::leave_soon(RunId run) { mark(run, &Member::leaving, true); }

void Cluster::said(RunId run, std::string_view line) {
  App* const app = find(run);
  if (app == nullptr) return;
  const ClusterMessage message = cluster_message(line);
  switch (message.act) {
    case Act::kQueryServer:
      return query(*app, run, message);
    case Act::kListening:
      return listening(*app, run, message);
    case Act::kClose:
      return close(*app, run, message.key);
    case Act::kAck:
      return taken(*app, run, message);
    case Act::kLeaving:
      leave_soon(run);
      (void)parts_.send(run, acknowledgement(message.seq, next_seq()), -1);
      return;
    case Act::kDrained:
      return parts_.drained(run);
    case Act::kTraffic:
      if (message.traffic) parts_.counted(run, *message.traffic);
      return;
    case Act::kAlive: {
      Member& member = app->members.at(run);
      member.has_hook = true;
      member.patience = {};
      try_again(*app, member);
      return spread(*app);
    }
    default:
      return;
  }
}

// ---- Listeners.

void Cluster::query(App& app, RunId run, ClusterMessage message) {
  Member& member = app.members.at(run);
  if (const std::string* const passed = passed_key(member.passed, message.descriptor)) {
    message.key = *passed;
    message.refused = 0;
  } else {
    message.key = key_at(app, message.key, message.address);
  }
  const auto refuse = [&](int why) {
    (void)parts_.send(run, refusal(message, why, next_seq()), -1);
  };
  if (message.refused != 0) return refuse(message.refused);
  const auto asked = member.asked.find(message.key);
  const bool before = asked != member.asked.end() && asked->second >= 0;
  if (before && asked->second != message.seq) return refuse(EADDRINUSE);
  const auto answer = [&]() -> Result<void> {
    Listener* const listener = PMX_TRY(listener_for(app, message.key, message.address));
    const bool by_hand = (app.balance == Balance::kRoundRobin || member.connections_only) &&
                         message.address.kind != ListenAddress::Kind::kUdp;
    const int socket =
        PMX_TRY(socket_for(app, *listener, by_hand ? free_slot(app, message.key) : member.slot));
    member.asked[message.key] = message.seq;
    if (by_hand) member.by_hand.insert(message.key);
    member.speaks = true;
    if (listener->data.empty()) listener->data = message.data;
    save(app);
    if (by_hand)
      return parts_.send(
          run, handover_reply(message, listener->data, bound_name(socket), next_seq()), -1);
    return parts_.send(run, listener_reply(message, listener->data, next_seq()), socket);
  };
  const auto answered = answer();
  if (answered) return;
  parts_.notice("app " + app.key.first + ": " + answered.error().message());
  const int why = answered.error().sys_errno();
  refuse(why != 0 ? why : EMFILE);
}

Result<Cluster::Listener*> Cluster::listener_for(App& app, const std::string& key,
                                                 const ListenAddress& address) {
  const auto known = app.listeners.find(key);
  if (known != app.listeners.end()) return &known->second;
  if (app.listeners.size() >= kMaxListeners)
    return Error(Errc::kNoSpace, "it listens on as many addresses as one app may");
  Listener listener;
  listener.address = address;
  listener.number = app.next_listener++;
  listener.slotted = app.balance != Balance::kShared && address.kind == ListenAddress::Kind::kTcp;
  Slot first;
  auto opened = open_listener(address, listener.slotted);
  if (!opened && opened.error().sys_errno() == EADDRINUSE && make_room(app, address))
    opened = open_listener(address, listener.slotted);
  first.socket = PMX_TRY(std::move(opened));
  auto held = parts_.link.put(socket_name(app, listener, 0), first.socket.get());
  if (!held) {
    stop_listening(first.socket.get(), address);
    return std::move(held).error();
  }
  listener.slots.push_back(std::move(first));
  return &app.listeners.emplace(key, std::move(listener)).first->second;
}

Result<int> Cluster::socket_for(App& app, Listener& listener, unsigned slot) {
  if (!listener.slotted) return listener.slots[0].socket.get();
  while (listener.slots.size() <= slot) {
    Slot next;
    next.socket = PMX_TRY(open_slot(listener.address, listener.slots[0].socket.get()));
    PMX_TRY(parts_.link.put(socket_name(app, listener, listener.slots.size()), next.socket.get()));
    listener.slots.push_back(std::move(next));
  }
  return listener.slots[slot].socket.get();
}

void Cluster::listening(App& app, RunId run, const ClusterMessage& message) {
  Member& member = app.members.at(run);
  const std::string* const passed = passed_key(member.passed, message.descriptor);
  std::string key = passed != nullptr ? *passed : key_at(app, message.key, message.address);
  if (!member.asked.contains(key)) key = message.asked_key;
  if (!member.asked.contains(key)) return;  // By itself: `exclusive` or reusePort.
  member.listening.insert(key);
  save(app);
  spread(app);
  parts_.listens(run);
}

// The lowest that nobody accepts from alone.
unsigned Cluster::free_slot(const App& app, const std::string& key) {
  std::set<unsigned> taken;
  for (const auto& [run, member] : app.members)
    if (accepts_alone(member, key) && member.listening.contains(key)) taken.insert(member.slot);
  unsigned slot = 0;
  while (taken.contains(slot)) ++slot;
  return slot;
}

void Cluster::let_go(Member& member, const std::string& key) {
  member.asked.erase(key);
  member.by_hand.erase(key);
  member.rests.erase(key);
  member.listening.erase(key);
}

// A worker that is told to leave closes all that it has; its listeners stay for the one after it.
void Cluster::close(App& app, RunId run, const std::string& key) {
  Member& member = app.members.at(run);
  let_go(member, key);
  if (!is_asked_for(app, key) && !member.leaving) close_listener(app, key);
  save(app);
  spread(app);
}

void Cluster::close_listener(App& app, std::string key) {
  auto closed = app.listeners.extract(key);
  if (!closed) return;
  save(app);  // Before the keeper gives them up: who reads it looks for all that it names.
  Listener& listener = closed.mapped();
  for (std::size_t slot = 0; slot < listener.slots.size(); ++slot) {
    unwatch(listener.slots[slot]);
    stop_listening(listener.slots[slot].socket.get(), listener.address);
    parts_.link.drop(socket_name(app, listener, slot));
  }
  std::erase_if(app.waiting, [&](const Given& given) { return given.key == key; });
}

void Cluster::close_unused(const AppKey& key) {
  const auto found = apps_.find(key);
  if (found == apps_.end() || !found->second.members.empty()) return;
  App& app = found->second;
  while (!app.listeners.empty()) close_listener(app, std::string(app.listeners.begin()->first));
  parts_.timers.cancel(app.look_timer);
  parts_.timers.cancel(app.rest_timer);
  parts_.link.drop("cluster." + app.id);
  apps_.erase(found);
}

void Cluster::close_unasked(const AppKey& key) {
  const auto found = apps_.find(key);
  if (found == apps_.end()) return;
  App& app = found->second;
  // What one was started with is no question of its own, unless it never asks.
  const bool all_have_asked =
      std::all_of(app.members.begin(), app.members.end(), [](const auto& one) {
        const auto& asked = one.second.asked;
        return accepts_unasked(one.second)
                   ? !asked.empty()
                   : std::any_of(asked.begin(), asked.end(),
                                 [](const auto& question) { return question.second >= 0; });
      });
  if (app.members.empty() || !all_have_asked) return;
  std::vector<std::string> unasked;
  for (const auto& [name, listener] : app.listeners)
    if (!is_asked_for(app, name)) unasked.push_back(name);
  for (const std::string& name : unasked) close_listener(app, name);
}

// ---- Members.

std::vector<RunId> Cluster::members() const {
  std::vector<RunId> runs;
  for (const auto& [run, key] : app_of_) runs.push_back(run);
  return runs;
}

std::vector<AppKey> Cluster::apps() const {
  std::vector<AppKey> keys;
  for (const auto& [key, app] : apps_) keys.push_back(key);
  return keys;
}

std::set<std::string> Cluster::to_take_over(RunId run, RunId next) const {
  const auto app = app_of_.find(run);
  if (app == app_of_.end()) return {};
  const std::map<RunId, Member>& members = apps_.at(app->second).members;
  const Member& old = members.at(run);
  std::set<std::string> keys = old.listening;
  const auto successor = members.find(next);
  if (successor == members.end() || !accepts_unasked(successor->second)) return keys;
  // Nobody sees more of it. What the other was started with, it may be started without.
  const std::vector<std::string>& passed = successor->second.passed;
  for (const std::string& key : passed) keys.erase(key);
  if (!passed.empty() && accepts_unasked(old))
    for (const std::string& key : old.passed) keys.erase(key);
  return keys;
}

std::set<std::string> Cluster::listens_on(RunId run) const {
  const auto found = app_of_.find(run);
  if (found == app_of_.end()) return {};
  const Member& member = apps_.at(found->second).members.at(run);
  std::set<std::string> keys = member.listening;
  if (accepts_unasked(member))
    for (const std::string& key : member.passed) keys.erase(key);
  return keys;
}

Result<void> Cluster::disconnect(RunId run) {
  leave_soon(run);
  const App* const app = find(run);
  const bool trapped = is_trapped(run);
  // What it has bound by itself it does not close for that.
  const bool told = !trapped || app->members.at(run).speaks;
  const auto sent = told ? parts_.send(run, disconnect_request(next_seq()), -1) : Result<void>();
  if (trapped) return Error(Errc::kRejected, "does not speak the cluster's protocol");
  return sent;
}

void Cluster::channel_closed(RunId run) {
  App* const app = find(run);
  if (app == nullptr) return;
  Member& member = app->members.at(run);
  for (const std::string& key : std::exchange(member.by_hand, {})) let_go(member, key);
  for (auto& [seq, given] : std::exchange(member.given, {}))
    app->waiting.push_back(std::move(given));
  save(*app);
  spread(*app);
}

void Cluster::ended(RunId run) {
  App* const app = find(run);
  if (app == nullptr) return;
  auto member = app->members.extract(run);
  app_of_.erase(run);
  save(*app);
  spread(*app);
  for (auto& [seq, given] : member.mapped().given) app->waiting.push_back(std::move(given));
  hand_on(*app);
  if (member.mapped().trapped) refuse_leftovers(*app, member.mapped());
}

}  // namespace pmx::supervisor
