// What apps say over their channel, sorted by what it is for. Most of it is for nobody here (an app
// under PM2 may send what it likes to a bus that pmx does not have), and costs one look.
//
// Thread:  any; pure functions.
// Bounds:  kMaxActions and kMaxMonitorKeys of at most kMaxReportBytes each; what is more is
//          ignored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"

namespace pmx::supervisor {

struct AppMessage {
  enum class Kind : std::uint8_t {
    kOther,
    kReady,     // "ready"
    kAction,    // axm:action: what `pmx trigger` may ask for.
    kMonitor,   // axm:monitor: figures, by name.
    kReply,     // axm:reply: the answer to a trigger.
    kHandle,    // A socket that comes along; Node sends nothing more before it is acknowledged.
    kInternal,  // Between Node and whoever started it: NODE_CLUSTER and the like.
  };
  Kind kind = Kind::kOther;
  Json data = {};  // kAction, kMonitor, kReply: an object.
};

AppMessage app_message(std::string_view line);

inline constexpr std::size_t kMaxActions = 100, kMaxMonitorKeys = 200, kMaxReportBytes = 4096;
// False: it is known already, has no name, or there are too many.
bool add_action(Json& actions, const Json& action);
bool knows_action(const Json& actions, std::string_view name);
void merge_monitor(Json& monitor, const Json& figures);

}  // namespace pmx::supervisor
