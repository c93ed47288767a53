// `pmx ship`: what became of the lines that were to go to stores.
#include <algorithm>
#include <array>

#include "cli/app_request.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "cli/ship_view.h"
#include "config/nearest.h"
#include "config/resolve_ship.h"

namespace pmx::cli {
namespace {

int show_status(Session& session, const std::string&) {
  // To ask this starts no daemon: one that does not run ships nothing.
  Result<Json> status = Json::object({{"sinks", Json::array()}});
  if (session.client.running()) status = session.client.get("/v1/ship");
  if (!status) return failed(session, status.error());
  if (session.line.has("json")) {
    session.console.data(status->dump(2) + "\n");
  } else if ((*status)["sinks"].items().empty()) {
    session.console.data(how_to_ship());
  } else {
    session.console.data(ship_table(session.console, *status, session.now_ms()));
  }
  return 0;
}

// One line to one store. True: it has taken it.
Result<bool> try_sink(Session& session, const SinkSpec& spec, const config::SinkSecrets& secrets) {
  Json body = Json::object({{"sink", config::sink_to_json(spec)}});
  const auto secret = secrets.find(sink_id(spec));
  if (secret != secrets.end()) body.set("secret", secret->second);
  const Json answer = PMX_TRY(session.client.post("/v1/ship/test", body));
  const std::string where = spec.name + " (" + spec.urls.front() + ")";
  const std::string words = answer["answer"].as_string();
  if (session.line.has("json"))
    session.console.data(answer.dump() + "\n");
  else if (answer["delivered"].as_bool())
    session.console.info(where + " took the line in " + answer["took_ms"].dump() + " ms: " + words);
  else
    session.console.error(where + " did not take the line: " + words);
  return answer["delivered"].as_bool();
}

int test_sink(Session& session, const std::string& url) {
  const Result<config::ResolveContext> context = resolve_context(session);
  if (!context) return failed(session, context.error());
  const Result<config::ResolvedShip> ship = config::resolve_sinks(url, *context);
  if (!ship) return failed(session, ship.error());
  if (ship->specs.empty()) return missing_argument(session, "url");
  for (const std::string& warning : ship->warnings) session.console.warn(warning);
  bool all_taken = true;
  for (const SinkSpec& spec : ship->specs) {
    const Result<bool> taken = try_sink(session, spec, ship->secrets);
    if (!taken) return failed(session, taken.error());
    all_taken = all_taken && *taken;
  }
  return all_taken ? 0 : 1;
}

int ask(Session& session, const std::string& verb, const std::string& sink,
        std::string (*told)(const std::string& sink, const Json& answer)) {
  const Result<Json> answer =
      session.client.post("/v1/ship/" + verb, Json::object({{"sink", sink}}));
  if (!answer) return failed(session, answer.error());
  session.console.info(told(sink, *answer));
  return 0;
}

int pause_sink(Session& session, const std::string& sink) {
  return ask(session, "pause", sink, [](const std::string& name, const Json&) {
    return name + " is paused: its lines wait in the log files";
  });
}
int resume_sink(Session& session, const std::string& sink) {
  return ask(session, "resume", sink,
             [](const std::string& name, const Json&) { return name + " goes on"; });
}
int retry_sink(Session& session, const std::string& sink) {
  return ask(session, "retry", sink, [](const std::string& name, const Json& answer) {
    return answer["lines"].dump() + " refused line(s) of " + name + " are sent again";
  });
}

struct Act {
  std::string_view name;
  std::string_view argument;  // "": needs none.
  int (*run)(Session& session, const std::string& argument);
};
constexpr std::array kActs{
    Act{"status", "", &show_status},   Act{"test", "url", &test_sink},
    Act{"pause", "sink", &pause_sink}, Act{"resume", "sink", &resume_sink},
    Act{"retry", "sink", &retry_sink},
};

}  // namespace

int run_ship(Session& session) {
  const std::vector<std::string>& words = session.line.words;
  const std::string word = words.empty() ? "status" : words.front();
  const auto* const act = std::find_if(kActs.begin(), kActs.end(),
                                       [&](const Act& known) { return known.name == word; });
  if (act == kActs.end()) {
    std::vector<std::string_view> known;
    for (const Act& row : kActs) known.push_back(row.name);
    return failed(
        session, invalid("ship: \"" + word + "\" is none of status, test, pause, resume and retry" +
                         config::suggestion(word, known)));
  }
  if (!act->argument.empty() && words.size() < 2) return missing_argument(session, act->argument);
  return act->run(session, words.size() < 2 ? "" : words[1]);
}

}  // namespace pmx::cli
