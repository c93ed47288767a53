#include "api/routes.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace pmx::api {
namespace {

Json to_json(const Outcome& outcome) {
  Json ids = Json::array(), names = Json::array(), messages = Json::array();
  for (const WorkerId id : outcome.ids) ids.push_back(id.value);
  for (const std::string& name : outcome.names) names.push_back(name);
  for (const std::string& message : outcome.messages) messages.push_back(message);
  return Json::object({{"ids", ids}, {"names", names}, {"messages", messages}});
}

Operations::Done answering(const Server::Respond& respond) {
  return [respond](Result<Outcome> outcome) {
    if (!outcome)
      return respond(error_response(status_of(outcome.error()), outcome.error().message()));
    respond({200, to_json(*outcome)});
  };
}

void answer(const Server::Respond& respond, Result<Json> result) {
  if (!result) return respond(error_response(status_of(result.error()), result.error().message()));
  respond({200, std::move(*result)});
}

AppChanges changes_of(const Json& body) {
  return {body["changes"], body["update_env"], body["keep_shell_env"].as_bool(),
          static_cast<std::size_t>(std::max<std::int64_t>(body["parallel"].as_int(1), 1)),
          body["rollback"].as_bool()};
}

// A number is a target too: {"target":0}.
std::string target_of(const Json& body) {
  const Json& target = body["target"];
  return target.is_integer() ? std::to_string(target.as_int()) : target.as_string();
}

}  // namespace

struct Routes::Route {
  std::string_view method, path;
  Method answer;
};
const Routes::Route Routes::kRoutes[] = {
    {"GET", "/v1/ping", &Routes::ping},
    {"GET", "/v1/list", &Routes::list},
    {"GET", "/v1/list/short", &Routes::list_short},
    {"POST", "/v1/list/named", &Routes::list_named},
    {"POST", "/v1/specs", &Routes::specs},
    {"POST", "/v1/start", &Routes::start},
    {"POST", "/v1/act", &Routes::act},
    {"POST", "/v1/scale", &Routes::scale},
    {"POST", "/v1/save", &Routes::save_dump},
    {"POST", "/v1/cleardump", &Routes::clear_dump},
    {"POST", "/v1/resurrect", &Routes::resurrect},
    {"POST", "/v1/signal", &Routes::send_signal},
    {"POST", "/v1/send", &Routes::send_line},
    {"POST", "/v1/trigger", &Routes::trigger},
    {"POST", "/v1/traffic", &Routes::traffic},
    {"POST", "/v1/kill", &Routes::kill},
    {"POST", "/v1/update", &Routes::update},
    {"GET", "/v1/settings", &Routes::get_settings},
    {"POST", "/v1/settings", &Routes::set_settings},
    {"GET", "/v1/ship", &Routes::ship},
    {"POST", "/v1/ship/test", &Routes::ship_test},
    {"POST", "/v1/ship/pause", &Routes::ship_pause},
    {"POST", "/v1/ship/resume", &Routes::ship_resume},
    {"POST", "/v1/ship/retry", &Routes::ship_retry},
};

void Routes::handle(const Request& request, const Server::Respond& respond) {
  bool path_known = false;
  for (const Route& route : kRoutes) {
    if (route.path != request.path) continue;
    path_known = true;
    if (route.method != request.method) continue;
    Json body;
    if (!request.body.empty()) {
      auto parsed = Json::parse(request.body);
      if (!parsed)
        return respond(error_response(400, "the request is no JSON: " + parsed.error().message()));
      body = std::move(*parsed);
      if (!body.is_object()) return respond(error_response(400, "the request is no JSON object"));
    }
    return (this->*route.answer)(body, respond);
  }
  if (path_known)
    return respond(error_response(405, request.method + " is not known for " + request.path));
  respond(error_response(404, "there is no " + request.path + " (an older daemon? pmx update)"));
}

void Routes::ping(const Json&, const Server::Respond& respond) { respond({200, parts_.ping()}); }

void Routes::list(const Json&, const Server::Respond& respond) {
  respond({200, parts_.list.jlist()});
}

void Routes::list_short(const Json&, const Server::Respond& respond) {
  respond({200, parts_.list.jlist(ProcessList::Detail::kShort)});
}

void Routes::list_named(const Json& body, const Server::Respond& respond) {
  respond({200, parts_.list.named(body["word"].as_string())});
}

void Routes::specs(const Json& body, const Server::Respond& respond) {
  answer(respond, parts_.operations.specs(target_of(body), body["cwd"].as_string()));
}

// False: they are none, and that has been answered.
bool Routes::take_secrets(const Json& body, const Server::Respond& respond) {
  auto secrets = config::secrets_from_json(body["ship_secrets"]);
  if (!secrets) {
    respond(error_response(400, secrets.error().message()));
    return false;
  }
  if (!secrets->empty() && parts_.keep_secrets) parts_.keep_secrets(std::move(*secrets));
  return true;
}

void Routes::start(const Json& body, const Server::Respond& respond) {
  if (!take_secrets(body, respond)) return;
  if (body.find("target"))
    return parts_.operations.act("start", target_of(body), body["cwd"].as_string(),
                                 changes_of(body), answering(respond));
  parts_.operations.start_apps(body["apps"], body["force"].as_bool(), answering(respond));
}

void Routes::act(const Json& body, const Server::Respond& respond) {
  if (!take_secrets(body, respond)) return;
  parts_.operations.act(body["action"].as_string(), target_of(body), body["cwd"].as_string(),
                        changes_of(body), answering(respond));
}

void Routes::scale(const Json& body, const Server::Respond& respond) {
  const auto wanted = scale_from_text(body["to"].as_string());
  if (!wanted) return respond(error_response(400, wanted.error().message()));
  parts_.operations.scale(target_of(body), *wanted, answering(respond));
}

// PM2's rule: an empty list replaces a saved one only by force.
void Routes::save_dump(const Json& body, const Server::Respond& respond) {
  const Json list = parts_.list.dump();
  if (list.items().empty() && !body["force"].as_bool())
    return respond({200, Json::object({{"saved", 0}, {"path", ""}})});
  const auto saved = parts_.dump.save(list);
  if (!saved) return respond(error_response(status_of(saved.error()), saved.error().message()));
  respond({200, Json::object({{"saved", list.items().size()}, {"path", parts_.dump.path()}})});
}

void Routes::clear_dump(const Json&, const Server::Respond& respond) {
  const auto saved = parts_.dump.save(Json::array());
  if (!saved) return respond(error_response(status_of(saved.error()), saved.error().message()));
  respond({200, Json::object({{"path", parts_.dump.path()}})});
}

// {} is the home's own dump; {"entries": [...], "home": …} somebody else's.
void Routes::resurrect(const Json& body, const Server::Respond& respond) {
  std::vector<std::string> notices;
  const Json* const given = body.find("entries");
  const auto entries = given != nullptr ? Result<Json>(*given) : parts_.dump.load(notices);
  if (!entries)
    return respond(error_response(status_of(entries.error()), entries.error().message()));
  const std::string home = body["home"].as_string_or(parts_.dump.home());
  std::vector<config::DumpedApp> apps;
  for (const Json& entry : entries->items()) {
    auto app = config::dumped_app(entry, home);
    if (app)
      apps.push_back(std::move(*app));
    else
      notices.push_back(app.error().message());  // One bad entry keeps no other from running.
  }
  parts_.operations.restore(
      std::move(apps), [notices, done = answering(respond)](Result<Outcome> outcome) {
        if (outcome)
          outcome->messages.insert(outcome->messages.begin(), notices.begin(), notices.end());
        done(std::move(outcome));
      });
}
void Routes::send_signal(const Json& body, const Server::Respond& respond) {
  parts_.operations.send_signal(body["signal"].as_string(), target_of(body),
                                body["cwd"].as_string(), answering(respond));
}
void Routes::send_line(const Json& body, const Server::Respond& respond) {
  parts_.operations.send_line(
      body["id"].as_string(), body["line"].as_string(), [respond](Result<Outcome> outcome) {
        if (!outcome && outcome.error().code() == Errc::kNoSpace)
          return respond({200, Json::object({{"full", outcome.error().message()}})});
        answering(respond)(std::move(outcome));
      });
}
void Routes::trigger(const Json& body, const Server::Respond& respond) {
  parts_.operations.trigger(
      target_of(body), body["action"].as_string(), body["parameter"],
      [respond](Result<Json> replies) { answer(respond, std::move(replies)); });
}

void Routes::traffic(const Json& body, const Server::Respond& respond) {
  parts_.operations.traffic(target_of(body), body["cwd"].as_string(),
                            [respond](Result<Json> list) { answer(respond, std::move(list)); });
}

void Routes::kill(const Json&, const Server::Respond& respond) {
  parts_.operations.delete_all([respond, quit = parts_.quit](Result<Outcome> outcome) {
    // One that cannot be ended must not keep the daemon: its line is the answer, and we go.
    Response response = outcome
                            ? Response{200, to_json(*outcome)}
                            : error_response(status_of(outcome.error()), outcome.error().message());
    response.when_sent = quit;
    respond(std::move(response));
  });
}

void Routes::update(const Json& body, const Server::Respond& respond) {
  const std::string keeper(body["keeper"].as_string()), daemon(body["daemon"].as_string());
  for (const std::string& program : {keeper, daemon})
    if (!program.starts_with('/') || ::access(program.c_str(), X_OK) < 0)
      return respond(error_response(400, "cannot execute \"" + program + "\""));
  const auto agreed = parts_.update(keeper, daemon);
  if (!agreed) return respond(error_response(status_of(agreed.error()), agreed.error().message()));
  Response response{200, Json::object()};
  response.when_sent = parts_.leave;
  respond(std::move(response));
}

void Routes::get_settings(const Json&, const Server::Respond& respond) {
  answer(respond, parts_.settings.read());
}

void Routes::set_settings(const Json& body, const Server::Respond& respond) {
  auto secrets = config::secrets_from_json(body["ship_secrets"]);
  if (!secrets) return respond(error_response(400, secrets.error().message()));
  auto changed = parts_.settings.change(body);
  if (changed && !secrets->empty() && parts_.keep_secrets) parts_.keep_secrets(std::move(*secrets));
  if (changed) parts_.settings_changed();
  answer(respond, std::move(changed));
}

void Routes::ship(const Json&, const Server::Respond& respond) {
  answer_ship_status(parts_.ship, respond);
}
void Routes::ship_test(const Json& body, const Server::Respond& respond) {
  answer_ship_test(parts_.ship, body, respond);
}
void Routes::ship_pause(const Json& body, const Server::Respond& respond) {
  answer_ship_pause(parts_.ship, body, respond);
}
void Routes::ship_resume(const Json& body, const Server::Respond& respond) {
  answer_ship_resume(parts_.ship, body, respond);
}
void Routes::ship_retry(const Json& body, const Server::Respond& respond) {
  answer_ship_retry(parts_.ship, body, respond);
}

}  // namespace pmx::api
