#include "api/ship_routes.h"

#include "config/sink_config.h"

namespace pmx::api {
namespace {

void answer(const Server::Respond& respond, Result<Json> result) {
  if (!result) return respond(error_response(status_of(result.error()), result.error().message()));
  respond({200, std::move(*result)});
}

Error no_shipping() { return {Errc::kNotFound, "this daemon ships nothing"}; }

// The sink that a body names, by name or id.
Result<std::string> named_sink(const ShipControl* ship, const Json& body) {
  if (body["sink"].as_string().empty()) return invalid("which sink? {\"sink\": its name or id}");
  if (ship == nullptr) return no_shipping();
  return body["sink"].as_string();
}

ShipControl::Done answering(const Server::Respond& respond) {
  return [respond](Result<Json> result) { answer(respond, std::move(result)); };
}

}  // namespace

void answer_ship_status(ShipControl* ship, const Server::Respond& respond) {
  if (ship == nullptr) return answer(respond, Json::object({{"sinks", Json::array()}}));
  ship->status(answering(respond));
}

void answer_ship_test(ShipControl* ship, const Json& body, const Server::Respond& respond) {
  Result<config::ConfiguredSink> sink = config::sink_from_json(body["sink"]);
  if (!sink) return answer(respond, sink.error());
  if (ship == nullptr) return answer(respond, no_shipping());
  std::string secret = body["secret"].as_string();
  if (secret.empty()) secret = std::move(sink->secret);
  ship->test(std::move(sink->spec), std::move(secret), answering(respond));
}

void answer_ship_pause(ShipControl* ship, const Json& body, const Server::Respond& respond) {
  const Result<std::string> sink = named_sink(ship, body);
  if (!sink) return answer(respond, sink.error());
  ship->pause(*sink, answering(respond));
}

void answer_ship_resume(ShipControl* ship, const Json& body, const Server::Respond& respond) {
  const Result<std::string> sink = named_sink(ship, body);
  if (!sink) return answer(respond, sink.error());
  ship->resume(*sink, answering(respond));
}

void answer_ship_retry(ShipControl* ship, const Json& body, const Server::Respond& respond) {
  const Result<std::string> sink = named_sink(ship, body);
  if (!sink) return answer(respond, sink.error());
  ship->retry(*sink, answering(respond));
}

}  // namespace pmx::api
