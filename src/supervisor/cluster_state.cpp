// What the keeper holds of cluster apps beside their sockets: "cluster.<id>", one JSON object.
//
//   {"name":…,"namespace":…,"balance":n,"next_listener":n,
//    "listeners":[{"key":…,"number":n,"slots":n,"slotted":bool,"data":"…",
//                  "address":{…}}],
//    "members":[{"run":"…","slot":n,"number":n,"candidate":bool,"leaving":bool,"hook":bool,
//                "trapped":bool,"connections_only":bool,"speaks":bool,"binds":bool,"asked":{"<key>":seq},
//                "listening":["<key>"],"by_hand":["<key>"],"passed":["<key>"]}]}
#include <sys/socket.h>

#include <algorithm>

#include "base/sys.h"
#include "base/units.h"
#include "supervisor/cluster.h"

namespace pmx::supervisor {
namespace {

constexpr std::string_view kStatePrefix = "cluster.", kSocketPrefix = "port.";
constexpr std::size_t kMaxStateBytes = 4U << 20U;

Json to_json(const ListenAddress& address) {
  return Json::object({{"kind", static_cast<int>(address.kind)},
                       {"address", address.address},
                       {"port", address.port},
                       {"ipv6", address.ipv6},
                       {"ipv6_only", address.ipv6_only},
                       {"reuse_address", address.reuse_address},
                       {"backlog", address.backlog},
                       {"more_mode", address.more_mode}});
}

ListenAddress address_from_json(const Json& json) {
  ListenAddress address;
  address.kind = static_cast<ListenAddress::Kind>(json["kind"].as_int());
  address.address = json["address"].as_string();
  address.port = static_cast<int>(json["port"].as_int());
  address.ipv6 = json["ipv6"].as_bool();
  address.ipv6_only = json["ipv6_only"].as_bool();
  address.reuse_address = json["reuse_address"].as_bool();
  address.backlog = static_cast<int>(json["backlog"].as_int());
  address.more_mode = static_cast<mode_t>(json["more_mode"].as_int());
  return address;
}

RunId run_from(const Json& text) {
  return RunId{static_cast<std::uint64_t>(parse_integer(text.as_string()).value_or(0))};
}

}  // namespace

std::string Cluster::socket_name(const App& app, const Listener& listener, std::size_t slot) const {
  return std::string(kSocketPrefix) + app.id + "." + std::to_string(listener.number) + "." +
         std::to_string(slot);
}

// One that was renamed has kept the id of its first name.
std::string Cluster::free_id(const AppKey& key) const {
  const std::string id = log_id_of(key.first + '\0' + key.second).hex();
  const auto is_taken = [this](const std::string& wanted) {
    return std::any_of(apps_.begin(), apps_.end(),
                       [&](const auto& entry) { return entry.second.id == wanted; });
  };
  std::string free = id;
  for (int number = 2; is_taken(free); ++number) free = id + "-" + std::to_string(number);
  return free;
}

void Cluster::save(App& app) {
  Json listeners = Json::array(), members = Json::array();
  for (const auto& [key, listener] : app.listeners)
    listeners.push_back(Json::object({{"key", key},
                                      {"number", listener.number},
                                      {"slots", listener.slots.size()},
                                      {"slotted", listener.slotted},
                                      {"data", listener.data},
                                      {"address", to_json(listener.address)}}));
  for (const auto& [run, member] : app.members) {
    Json asked = Json::object(), listening = Json::array(), by_hand = Json::array();
    const Json passed = Json::Array(member.passed.begin(), member.passed.end());
    for (const auto& [key, seq] : member.asked) asked.set(key, seq);
    for (const std::string& key : member.listening) listening.push_back(key);
    for (const std::string& key : member.by_hand) by_hand.push_back(key);
    members.push_back(Json::object({{"run", std::to_string(run.value)},
                                    {"slot", member.slot},
                                    {"number", member.number},
                                    {"candidate", member.candidate},
                                    {"leaving", member.leaving},
                                    {"hook", member.has_hook},
                                    {"trapped", member.trapped},
                                    {"connections_only", member.connections_only},
                                    {"speaks", member.speaks},
                                    {"binds", member.binds},
                                    {"asked", asked},
                                    {"listening", listening},
                                    {"by_hand", by_hand},
                                    {"passed", passed}}));
  }
  const Json state = Json::object({{"name", app.key.first},
                                   {"namespace", app.key.second},
                                   {"balance", static_cast<int>(app.balance)},
                                   {"next_listener", app.next_listener},
                                   {"listeners", listeners},
                                   {"members", members}});
  const auto memory = sys::memfd_of("pmx-cluster", state.dump());
  const auto put = memory ? parts_.link.put(std::string(kStatePrefix) + app.id, memory->get())
                          : Result<void>(memory.error());
  if (!put) parts_.notice("app " + app.key.first + ": " + put.error().message());
}

Result<Cluster::App> Cluster::read(std::string id, std::string_view text) const {
  const Json state = PMX_TRY(Json::parse(text));
  App app;
  app.key = {state["name"].as_string(), state["namespace"].as_string()};
  app.id = std::move(id);
  app.balance = static_cast<Balance>(state["balance"].as_int());
  app.next_listener = static_cast<std::uint64_t>(state["next_listener"].as_int());
  for (const Json& item : state["listeners"].items()) {
    Listener listener;
    listener.number = static_cast<std::uint64_t>(item["number"].as_int());
    listener.slotted = item["slotted"].as_bool();
    listener.data = item["data"].as_string();
    listener.address = address_from_json(item["address"]);
    for (std::int64_t i = 0; i < item["slots"].as_int(); ++i) {
      Slot slot;
      slot.socket =
          PMX_TRY(parts_.link.get(socket_name(app, listener, static_cast<std::size_t>(i))));
      listener.slots.push_back(std::move(slot));
    }
    if (listener.slots.empty()) return corrupt("a listener without a socket");
    app.listeners.emplace(item["key"].as_string(), std::move(listener));
  }
  for (const Json& item : state["members"].items()) {
    Member& member = app.members[run_from(item["run"])];
    member.slot = static_cast<unsigned>(item["slot"].as_int());
    member.number = static_cast<int>(item["number"].as_int());
    member.candidate = item["candidate"].as_bool();
    member.leaving = item["leaving"].as_bool();
    member.has_hook = item["hook"].as_bool();
    member.trapped = item["trapped"].as_bool();
    member.connections_only = item["connections_only"].as_bool();
    member.speaks = item["speaks"].as_bool();
    member.binds = item["binds"].as_bool();
    for (const auto& [key, seq] : item["asked"].members()) member.asked[key] = seq.as_int();
    for (const Json& key : item["listening"].items()) member.listening.insert(key.as_string());
    for (const Json& key : item["by_hand"].items()) member.by_hand.insert(key.as_string());
    for (const Json& key : item["passed"].items()) member.passed.push_back(key.as_string());
  }
  return app;
}

void Cluster::rename(const AppKey& from, const AppKey& to) {
  if (apps_.contains(to)) return;
  auto node = apps_.extract(from);  // The app stays where it is: its timers know it by address.
  if (!node) return;
  node.key() = to;
  node.mapped().key = to;
  for (const auto& [run, member] : node.mapped().members) app_of_[run] = to;
  save(node.mapped());
  apps_.insert(std::move(node));
}

std::optional<AppKey> Cluster::app_of(RunId run) const {
  const auto found = app_of_.find(run);
  return found == app_of_.end() ? std::nullopt : std::optional<AppKey>(found->second);
}

void Cluster::recover() {
  std::set<std::string> used;
  for (const std::string& name : parts_.link.names()) {
    if (!name.starts_with(kStatePrefix)) continue;
    auto state = [&]() -> Result<App> {
      const Fd memory = PMX_TRY(parts_.link.get(name));
      const std::string text = PMX_TRY(sys::read_shared(memory.get(), kMaxStateBytes));
      return read(name.substr(kStatePrefix.size()), text);
    }();
    if (!state) {
      parts_.notice("what the keeper holds of a cluster app: " + state.error().message());
      continue;
    }
    App& app = apps_[state->key];
    app = std::move(*state);
    for (const auto& [run, member] : app.members) app_of_[run] = app.key;
    for (const auto& [key, listener] : app.listeners)
      for (std::size_t slot = 0; slot < listener.slots.size(); ++slot)
        used.insert(socket_name(app, listener, slot));
  }
  // A daemon died between making a socket and its note of it: nobody has been told of it. Or
  // between its note of the end of one and that end.
  const auto is_read = [&](const std::string& socket) {
    return std::any_of(apps_.begin(), apps_.end(), [&](const auto& entry) {
      return socket.starts_with(std::string(kSocketPrefix) + entry.second.id + ".");
    });
  };
  for (const std::string& name : parts_.link.names()) {
    if (!name.starts_with(kSocketPrefix) || used.contains(name)) continue;
    const auto socket = parts_.link.get(name);
    if (socket && is_read(name)) (void)::shutdown(socket->get(), SHUT_RDWR);
    parts_.link.drop(name);
  }
  for (auto& [key, app] : apps_) spread(app);
}

}  // namespace pmx::supervisor
