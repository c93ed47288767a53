// The paths of the API, one table, and what each answers. JSON in, JSON out; an error is
// {"error":"one line"}.
//
//   GET  /v1/ping                                                      who is here
//   GET  /v1/list                                                      PM2's jlist
//   GET  /v1/list/short                                                … without settings
//   POST /v1/specs     {"target":…,"cwd":…}                            specs of its workers
//   POST /v1/start     {"apps":[…],"force":bool} or {"target":"web"}   ids, names, messages
//   POST /v1/act       {"action":…,"target":…,"cwd":…,"update_env":{…},"changes":{…},
//                      "keep_shell_env":bool}
//                      both may have {"ship_secrets":{"<sink id>":"<secret>"}} beside it
//   POST /v1/signal    {"signal":"SIGUSR2","target":…,"cwd":…}         ids, names
//   POST /v1/send      {"id":…,"line":…}                               {"full":"why"}: not now
//   POST /v1/trigger   {"target":…,"action":…,"parameter":…}           [{name, pm_id, …, return}]
//   POST /v1/kill                                                      deletes all and ends
//   POST /v1/update    {"keeper":…,"daemon":…}                         programs that take over
//   GET  /v1/settings, POST /v1/settings {key: value}
//   /v1/ship…                                                          ship_routes.h
//
// Thread:  control.
#pragma once

#include <functional>
#include <string>

#include "api/dump_file.h"
#include "api/jlist.h"
#include "api/operations.h"
#include "api/server.h"
#include "api/settings_store.h"
#include "api/ship_routes.h"
#include "config/sink_config.h"

namespace pmx::api {

struct RouteParts {
  Operations& operations;
  ProcessList& list;
  SettingsStore& settings;
  DumpFile dump;
  std::function<Json()> ping;
  std::function<void()> quit;  // After the answer to /v1/kill has gone.
  // Secrets of sinks that a request names, before its apps are started or its settings hold.
  std::function<void(config::SinkSecrets)> keep_secrets = {};
  ShipControl* ship = nullptr;
  std::function<void()> settings_changed = [] {};
  // These programs shall take over when this daemon has gone; and, the answer sent, it goes.
  std::function<Result<void>(const std::string& keeper, const std::string& daemon)> update = {};
  std::function<void()> leave = {};
};

class Routes {
 public:
  explicit Routes(RouteParts parts) : parts_(std::move(parts)) {}
  void handle(const Request& request, const Server::Respond& respond);

 private:
  using Method = void (Routes::*)(const Json& body, const Server::Respond& respond);
  struct Route;
  static const Route kRoutes[];

  void ping(const Json& body, const Server::Respond& respond);
  void list_short(const Json& body, const Server::Respond& respond);
  void list_named(const Json& body, const Server::Respond& respond);
  void list(const Json& body, const Server::Respond& respond);
  void specs(const Json& body, const Server::Respond& respond);
  void start(const Json& body, const Server::Respond& respond);
  void act(const Json& body, const Server::Respond& respond);
  void save_dump(const Json& body, const Server::Respond& respond);
  void clear_dump(const Json& body, const Server::Respond& respond);
  void resurrect(const Json& body, const Server::Respond& respond);
  void scale(const Json& body, const Server::Respond& respond);
  void send_signal(const Json& body, const Server::Respond& respond);
  void send_line(const Json& body, const Server::Respond& respond);
  void trigger(const Json& body, const Server::Respond& respond);
  void traffic(const Json& body, const Server::Respond& respond);
  void kill(const Json& body, const Server::Respond& respond);
  void update(const Json& body, const Server::Respond& respond);
  void get_settings(const Json& body, const Server::Respond& respond);
  void set_settings(const Json& body, const Server::Respond& respond);
  void ship(const Json& body, const Server::Respond& respond);
  void ship_test(const Json& body, const Server::Respond& respond);
  void ship_pause(const Json& body, const Server::Respond& respond);
  void ship_resume(const Json& body, const Server::Respond& respond);
  void ship_retry(const Json& body, const Server::Respond& respond);
  bool take_secrets(const Json& body, const Server::Respond& respond);

  RouteParts parts_;
};

}  // namespace pmx::api
