// The part of the API that is about shipping. What it asks of the engine is ShipControl.
//
//   GET  /v1/ship
//        {"sinks":[{"id","name","type","url","state","state_text","lag_ms","waiting_lines",
//          "captured_lines","delivered_lines","duplicate_lines","dropped":{"filtered":n,…},
//          "dead_letters":n,"last_error","last_error_time_ms","apps":[…],"in_flight":n,
//          "concurrency":n}]}
//   POST /v1/ship/test    {"sink":<URL or object>,"secret":"…"}   what the store answered
//   POST /v1/ship/pause, /v1/ship/resume {"sink":<name or id>}    {}
//   POST /v1/ship/retry   {"sink":<name or id>}                   {"lines":n}
//
// Thread:  control.
// Errors:  one line; kNotFound (404) for a sink that nobody knows. Never a secret.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "api/server.h"
#include "base/json.h"
#include "base/result.h"
#include "model/sink_spec.h"

namespace pmx::api {

class ShipControl {
 public:
  virtual ~ShipControl() = default;
  virtual Json status() = 0;  // As above.
  // Sends one line, past every queue. {"delivered":bool,"answer":"204 No Content","took_ms":n};
  // an Error where the sink could not even be asked. `done` is called once, on control.
  virtual void test(SinkSpec sink, std::string secret, std::function<void(Result<Json>)> done) = 0;
  // `sink` is a name or an id.
  virtual Result<void> pause(const std::string& sink) = 0;
  virtual Result<void> resume(const std::string& sink) = 0;
  // Dead letters are sent again; answers how many.
  virtual Result<std::uint64_t> retry(const std::string& sink) = 0;
};

// nullptr: a daemon without shipping. It has no sinks, and says so.
void answer_ship_status(ShipControl* ship, const Server::Respond& respond);
void answer_ship_test(ShipControl* ship, const Json& body, const Server::Respond& respond);
void answer_ship_pause(ShipControl* ship, const Json& body, const Server::Respond& respond);
void answer_ship_resume(ShipControl* ship, const Json& body, const Server::Respond& respond);
void answer_ship_retry(ShipControl* ship, const Json& body, const Server::Respond& respond);

}  // namespace pmx::api
