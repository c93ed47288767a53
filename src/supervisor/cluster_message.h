// Node's cluster protocol as a primary hears and speaks it: one JSON value a line over the worker's
// channel, {"cmd":"NODE_CLUSTER",…}. Pure functions; cluster.h acts on them.
//
// Source: what Node 18 to 26 send and expect, message by message (lib/internal/cluster of Node's
// own tree has the other end).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "supervisor/listen_socket.h"

namespace pmx::supervisor {

// What a worker has counted of its clients, all of its servers together.
struct Traffic {
  std::int64_t open = 0;                       // Connections, now.
  std::int64_t connections = 0, requests = 0;  // New ones of the last minute.
  bool operator==(const Traffic&) const = default;
};

struct ClusterMessage {
  enum class Act : std::uint8_t {
    kOnline,       // It has booted.
    kQueryServer,  // It wants to listen: `address`, or `refused` where that cannot be.
    kListening,    // It does, on `key`.
    kClose,        // Not any more, on `key`.
    kLeaving,      // exitedAfterDisconnect: by its own wish; must be answered.
    kAck,          // Of what we have sent as `ack`: `accepted`.
    kDrained,      // NODE_PMX of our own hook: no connection waits for a request.
    kAlive,        // … and its answer to kPing.
    kTraffic,      // … and to kTrafficRequest: `traffic`.
    kOther,
  };
  Act act = Act::kOther;
  std::int64_t seq = 0;  // The worker's own count.
  std::int64_t ack = 0;
  bool accepted = false;
  ListenAddress address;
  int refused = 0;      // An errno.
  int descriptor = -1;  // listen({fd: 3}), which is refused where it is not one of pmx's.
  // Address, port, type, descriptor, and for port 0 which of several: one listener of an app.
  std::string key;
  std::string asked_key;           // kListening: the same with port 0, which it may have asked for.
  std::optional<Traffic> traffic;  // nullopt: not what can be one.
  std::string data;  // JSON text that the workers of one listener share (TLS ticket keys).
};
ClusterMessage cluster_message(std::string_view line);

// What goes to a worker. `seq` must be one that was not used before in its life.
std::string listener_reply(const ClusterMessage& query, std::string_view data, std::int64_t seq);
// Of a listener whose connections are handed over one by one. `name`: of its socket, where that is
// one of TCP.
std::string handover_reply(const ClusterMessage& query, std::string_view data,
                           const std::optional<BoundName>& name, std::int64_t seq);
std::string refusal(const ClusterMessage& query, int why, std::int64_t seq);
std::string new_connection(std::string_view key, std::int64_t seq);  // With the connection.
std::string acknowledgement(std::int64_t of, std::int64_t seq);
std::string disconnect_request(std::int64_t seq);
inline constexpr std::string_view kDrainRequest = R"({"cmd":"NODE_PMX","act":"drain"})";
inline constexpr std::string_view kTrafficRequest = R"({"cmd":"NODE_PMX","act":"count"})";
inline constexpr std::string_view kPing = R"({"cmd":"NODE_PMX","act":"ping"})";

}  // namespace pmx::supervisor
