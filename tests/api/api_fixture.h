// The API's parts on a supervisor with fakes; requests go to the routes without a socket.
#pragma once

#include <optional>
#include <string>

#include "api/routes.h"
#include "supervisor/supervisor_fixture.h"

namespace pmx::test {

class ApiFixture : public SupervisorFixture {
 protected:
  ApiFixture()
      : operations_(*supervisor_, pipeline_, small_codec(),
                    [](const std::function<void()>& call) { call(); }),
        list_(*supervisor_, pipeline_, small_codec(),
              supervisor::Monitor(clock_, [](pid_t) { return std::nullopt; })),
        settings_(home_ + "/state/settings.json", files_,
                  [](const Json& values, const Json& change) -> Result<Json> {
                    Json changed = values;
                    for (const auto& [key, value] : change["set"].members()) {
                      if (key == "no.such.key") return invalid("unknown setting no.such.key");
                      changed.set(key, value);
                    }
                    for (const Json& key : change["unset"].items()) changed.erase(key.as_string());
                    return changed;
                  }),
        routes_({operations_, list_, settings_, api::DumpFile(home_, files_),
                 [] {
                   return Json::object({{"version", "x"}});
                 },
                 [this] { quits_ = true; }}) {}

  // nullopt: the answer comes later, in late_.
  std::optional<api::Response> request(const std::string& method, const std::string& path,
                                       const std::string& body = {}) {
    late_.reset();
    routes_.handle({method, path, body}, [this](api::Response response) { late_ = response; });
    return late_;
  }
  std::optional<api::Response> post(const std::string& path, const Json& body) {
    return request("POST", path, body.dump());
  }
  std::optional<api::Response> act(const std::string& action, const std::string& target) {
    return post("/v1/act", Json::object({{"action", action}, {"target", target}}));
  }
  static Json app_json(const std::string& name, int instances = 1) {
    return Json::object({{"name", name}, {"script", "/bin/true"}, {"instances", instances}});
  }
  std::optional<api::Response> start(Json app, bool force = false) {
    Json apps = Json::array();
    apps.push_back(std::move(app));
    return post("/v1/start", Json::object({{"apps", apps}, {"force", force}}));
  }
  void all_run() {
    for (const RunId run : link_.starting()) link_.run(run);
  }
  static std::string error_of(const std::optional<api::Response>& response) {
    return response ? response->body["error"].as_string() : "no answer";
  }

  std::optional<api::Response> late_;
  bool quits_ = false;
  api::Operations operations_;
  api::ProcessList list_;
  api::SettingsStore settings_;
  api::Routes routes_;
};

}  // namespace pmx::test
