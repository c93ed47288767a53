// The part of the API that is about shipping. What it asks of the engine is ShipControl.
//
//   GET  /v1/ship
//        {"sinks":[{"id","name","type","url","where","state","state_text","lag_ms","waiting_lines",
//          "captured_lines","delivered_lines","duplicate_lines","dropped":{"filtered":n,…},
//          "dead_letters":n,"dead_letters_dropped":n,"last_error","last_error_time_ms",
//          "apps":[…],"in_flight":n,"concurrency":n}]}
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
  using Done = std::function<void(Result<Json>)>;  // Called once, on control.
  virtual ~ShipControl() = default;
  virtual void status(Done done) = 0;  // As above.
  // Sends one line, past every queue. {"delivered":bool,"answer":"204 No Content","took_ms":n};
  // an Error where the sink could not even be asked.
  virtual void test(SinkSpec sink, std::string secret, Done done) = 0;
  // `sink` is a name or an id.
  virtual void pause(const std::string& sink, Done done) = 0;
  virtual void resume(const std::string& sink, Done done) = 0;
  virtual void retry(const std::string& sink, Done done) = 0;  // Dead letters; answers how many.
};

// nullptr: a daemon without shipping. It has no sinks, and says so.
void answer_ship_status(ShipControl* ship, const Server::Respond& respond);
void answer_ship_test(ShipControl* ship, const Json& body, const Server::Respond& respond);
void answer_ship_pause(ShipControl* ship, const Json& body, const Server::Respond& respond);
void answer_ship_resume(ShipControl* ship, const Json& body, const Server::Respond& respond);
void answer_ship_retry(ShipControl* ship, const Json& body, const Server::Respond& respond);

}  // namespace pmx::api
