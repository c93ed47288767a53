#include "supervisor/cluster_message.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace pmx::supervisor {
namespace {

using Act = ClusterMessage::Act;

struct ActName {
  std::string_view name;
  Act act;
};
constexpr std::array kActs{
    ActName{"online", Act::kOnline},
    ActName{"queryServer", Act::kQueryServer},
    ActName{"listening", Act::kListening},
    ActName{"close", Act::kClose},
    ActName{"exitedAfterDisconnect", Act::kLeaving},
};
constexpr std::array kOwnActs{ActName{"drained", Act::kDrained}, ActName{"alive", Act::kAlive},
                              ActName{"traffic", Act::kTraffic}};

constexpr std::int64_t kIpv6OnlyFlag = 1, kReuseAddressFlag = 4;  // Of uv_tcp_bind, uv_udp_bind.
constexpr int kMostBacklog = 1 << 20, kMostDescriptors = 1 << 20;

template <std::size_t N>
Act act_of(const std::array<ActName, N>& acts, std::string_view name) {
  const auto* const row = std::find_if(acts.begin(), acts.end(),
                                       [&](const ActName& known) { return known.name == name; });
  return row == acts.end() ? Act::kOther : row->act;
}

std::optional<Traffic> traffic_of(const Json& json) {
  const Traffic traffic{json["open"].as_int(-1), json["connections"].as_int(-1),
                        json["requests"].as_int(-1)};
  if (traffic.open < 0 || traffic.connections < 0 || traffic.requests < 0) return std::nullopt;
  return traffic;
}

std::string key_of(const Json& json, std::int64_t port) {
  std::string key = json["address"].as_string() + ":" + std::to_string(port) + ":" +
                    json["addressType"].dump() + ":" + json["fd"].dump();
  if (port == 0) key += ":" + std::to_string(json["index"].as_int());
  return key;
}

void read_address(const Json& json, ClusterMessage& message) {
  ListenAddress& address = message.address;
  const std::string type = json["addressType"].dump();
  const std::int64_t flags = json["flags"].as_int(), port = json["port"].as_int(-1);
  address.address = json["address"].as_string();
  address.port = static_cast<int>(std::max<std::int64_t>(port, 0));
  address.ipv6 = type.find('6') != std::string::npos;
  if (type.find("udp") != std::string::npos) {
    address.kind = ListenAddress::Kind::kUdp;
    address.reuse_address = (flags & kReuseAddressFlag) != 0;
  } else if (port < 0) {
    address.kind = ListenAddress::Kind::kUnix;
    // The worker has resolved an abstract name as if it were a path: "/cwd/\0name".
    const std::size_t nul = address.address.find('\0');
    if (nul != std::string::npos) address.address.erase(0, nul);
    if (json["readableAll"].as_bool()) address.more_mode |= 0444;
    if (json["writableAll"].as_bool()) address.more_mode |= 0222;
  }
  address.ipv6_only = address.ipv6 && (flags & kIpv6OnlyFlag) != 0;
  const std::int64_t backlog = json["backlog"].as_int();
  if (backlog > 0)
    address.backlog = static_cast<int>(std::min<std::int64_t>(backlog, kMostBacklog));
  // listen({fd: 3}) would name a descriptor of ours.
  if (json["fd"].as_int(-1) >= 0 || port > 65'535) message.refused = EINVAL;
}

std::string cluster(Json fields, std::int64_t seq) {
  Json message = Json::object({{"cmd", "NODE_CLUSTER"}});
  for (const auto& [key, value] : fields.members()) message.set(key, value);
  message.set("seq", seq);
  return message.dump();
}

// `data` as it came: a worker may tell "1.0" from "1".
std::string answer_of(const ClusterMessage& query, std::string_view data, const std::string& more,
                      std::int64_t seq) {
  return R"({"cmd":"NODE_CLUSTER","errno":0,"key":)" + Json(query.key).dump() + R"(,"ack":)" +
         std::to_string(query.seq) + R"(,"data":)" + (data.empty() ? "null" : std::string(data)) +
         more + R"(,"seq":)" + std::to_string(seq) + "}";
}

std::string with_handle(std::string_view type, const std::string& message) {
  return R"({"cmd":"NODE_HANDLE","type":")" + std::string(type) + R"(","msg":)" + message + "}";
}

}  // namespace

ClusterMessage cluster_message(std::string_view line) {
  ClusterMessage message;
  const auto json = Json::parse(line);
  if (!json || !json->is_object()) return message;
  const std::string& command = (*json)["cmd"].as_string();
  if (command == "NODE_PMX") {
    message.act = act_of(kOwnActs, (*json)["act"].as_string());
    if (message.act == Act::kTraffic) message.traffic = traffic_of(*json);
    return message;
  }
  if (command != "NODE_CLUSTER") return message;
  message.seq = (*json)["seq"].as_int();
  if (json->find("ack") != nullptr && (*json)["act"].is_null()) {
    message.act = Act::kAck;
    message.ack = (*json)["ack"].as_int();
    message.accepted = (*json)["accepted"].as_bool();
    return message;
  }
  message.act = act_of(kActs, (*json)["act"].as_string());
  message.key = (*json)["key"].as_string();
  if (message.act == Act::kQueryServer || message.act == Act::kListening) {
    message.key = key_of(*json, (*json)["port"].as_int(-1));
    message.asked_key = key_of(*json, 0);
    message.descriptor =
        static_cast<int>(std::clamp<std::int64_t>((*json)["fd"].as_int(-1), -1, kMostDescriptors));
  }
  if (message.act == Act::kQueryServer || message.act == Act::kListening)
    read_address(*json, message);
  if (message.act == Act::kQueryServer) {
    const Json& data = (*json)["data"];
    if (!data.is_null()) message.data = data.dump();
  }
  return message;
}

std::string listener_reply(const ClusterMessage& query, std::string_view data, std::int64_t seq) {
  const bool udp = query.address.kind == ListenAddress::Kind::kUdp;
  return with_handle(udp ? "dgram.Native" : "net.Native", answer_of(query, data, "", seq));
}

std::string handover_reply(const ClusterMessage& query, std::string_view data,
                           const std::optional<BoundName>& name, std::int64_t seq) {
  if (!name) return answer_of(query, data, "", seq);
  const Json socket = Json::object(
      {{"address", name->address}, {"family", name->ipv6 ? "IPv6" : "IPv4"}, {"port", name->port}});
  return answer_of(query, data, R"(,"sockname":)" + socket.dump(), seq);
}

std::string refusal(const ClusterMessage& query, int why, std::int64_t seq) {
  return cluster(
      Json::object({{"errno", -why}, {"key", query.key}, {"ack", query.seq}, {"data", nullptr}}),
      seq);
}

std::string new_connection(std::string_view key, std::int64_t seq) {
  return with_handle("net.Native",
                     cluster(Json::object({{"act", "newconn"}, {"key", std::string(key)}}), seq));
}

std::string acknowledgement(std::int64_t of, std::int64_t seq) {
  return cluster(Json::object({{"ack", of}}), seq);
}

std::string disconnect_request(std::int64_t seq) {
  return cluster(Json::object({{"act", "disconnect"}}), seq);
}

}  // namespace pmx::supervisor
