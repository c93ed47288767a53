// Commands that do one thing to the apps that a word means.
#include <algorithm>

#include "cli/acts.h"
#include "cli/app_request.h"
#include "cli/daemon_boot.h"
#include "cli/drift.h"
#include "cli/handlers.h"
#include "cli/outcome_view.h"
#include "cli/session.h"
#include "config/app_config.h"
#include "config/ecosystem.h"

namespace pmx::cli {
namespace {

bool starts_again(const Act& act) {
  return act.action == kRestart.action || act.action == kReload.action;
}

// PM2: of the file's apps those that are listed. Of the others nothing is said.
Result<void> act_on_listed(Session& session, const Act& act, const std::string& file) {
  const std::vector<AppSpec> apps = PMX_TRY(ecosystem_apps(session, file));
  for (const AppSpec& app : apps) {
    Json extra = Json::object();
    if (starts_again(act)) {
      set_changes(extra, app);
      add_ship_secrets(session, extra);
    }
    const Result<Json> answer = ask(session, act.action, app.name, extra);
    if (!answer && answer.error().code() == Errc::kNotFound) continue;
    if (!answer) return answer.error();
    for (const std::string& line : worker_lines(*answer)) session.console.info(line);
    print_messages(session, *answer);
  }
  return {};
}

Result<void> act_on_word(Session& session, const Act& act, const std::string& word) {
  if (session.line.has("rollback") && (word == "-" || config::is_config_file(word)))
    return invalid(
        "--rollback goes back to what ran before, whatever a file says: give the app's "
        "name in place of " +
        word);
  if (config::is_config_file(word) && starts_again(act)) return bring_up_file(session, act, word);
  if (word == "-" || config::is_config_file(word)) return act_on_listed(session, act, word);
  Json extra = Json::object();
  if (session.line.has("rollback")) {
    extra.set("rollback", true);
  } else if (starts_again(act)) {
    if (session.line.has("env"))
      return invalid("Using --env [env] without passing the ecosystem.config.js does not work");
    extra = PMX_TRY(changes_of_line(session, word));
    if (!session.line.has("update-env"))
      session.console.text(
          session.console.paint(Color::kBlue, "Use --update-env to update environment variables") +
          "\n");
    say_what_differs(session, word);
  }
  const Json answer = PMX_TRY(ask(session, act.action, word, extra));
  print_outcome(session, act, word, answer);
  return {};
}

int act_on_words(Session& session, const Act& act) {
  if (session.line.words.empty()) return missing_argument(session, "id|name|namespace|all");
  const std::int64_t begun_ms = session.now_ms();
  for (const std::string& word : session.line.words) {
    const Result<void> done = act_on_word(session, act, word);
    if (done) continue;
    (void)failed(session, done.error());
    if (act.action == kReload.action) print_words_of_failed_reloads(session, begun_ms);
    return 1;
  }
  return act.action == kReload.action ? 0 : print_list(session);  // PM2 shows no list after it.
}

std::string word_or_all(const Session& session) {
  return session.line.words.empty() ? "all" : session.line.words.front();
}

}  // namespace

Result<Json> ask(Session& session, std::string_view action, const std::string& target,
                 const Json& extra) {
  Json body = Json::object({{"action", action}, {"target", target}, {"cwd", session.cwd}});
  for (const auto& [key, value] : extra.members()) body.set(key, value);
  PMX_TRY(add_parallel(session, body));
  if (action == kStop.action && session.line.has("watch"))
    body.set("changes", Json::object({{"watch", false}}));
  return session.client.post("/v1/act", body);
}

void print_outcome(Session& session, const Act& act, const std::string& word, const Json& answer) {
  session.console.info(applied_line(act.shown, word, answer));
  for (const std::string& line : worker_lines(answer)) session.console.info(line);
  print_messages(session, answer);
}

int run_stop(Session& session) { return act_on_words(session, kStop); }
int run_restart(Session& session) { return act_on_words(session, kRestart); }
int run_reload(Session& session) { return act_on_words(session, kReload); }
int run_delete(Session& session) { return act_on_words(session, kDelete); }

int run_scale(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name");
  if (session.line.words.size() < 2) return missing_argument(session, "number");
  const std::string& name = session.line.words[0];
  const Result<Json> answer = session.client.post(
      "/v1/scale", Json::object({{"target", name}, {"to", session.line.words[1]}}));
  if (!answer) return failed(session, answer.error());
  const Json& ids = (*answer)["ids"];
  const Result<Json> list = session.short_list();
  const bool grown =
      list && std::any_of(list->items().begin(), list->items().end(),
                          [&](const Json& e) { return e["pm_id"] == ids.items().front(); });
  if (!grown) print_outcome(session, kDelete, name, *answer);
  for (std::size_t i = 0; grown && i < ids.items().size(); ++i)
    session.console.info("Scaling up application");
  return print_list(session);
}

int run_reset(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name|id|all");
  for (const std::string& word : session.line.words) {
    const Result<Json> answer = ask(session, "reset", word, {});
    const bool nobody = !answer && word == "all" && answer.error().code() == Errc::kNotFound;
    if (nobody) continue;  // As in PM2, no mistake.
    if (!answer) return failed(session, answer.error());
    for (const Json& id : (*answer)["ids"].items())
      session.console.info("Resetting meta for process id " + id.dump());
  }
  return print_list(session);
}

int run_flush(Session& session) {
  const Result<Json> answer = ask(session, "flush", word_or_all(session), {});
  // PM2 succeeds: a script that empties logs before it starts an app goes on.
  const bool nothing_to_flush = !answer && answer.error().code() == Errc::kNotFound;
  if (!answer && !nothing_to_flush) return failed(session, answer.error());
  if (!answer && !session.line.words.empty()) session.console.warn(answer.error().message());
  if (answer) session.console.info("Flushing:");
  if (answer)
    for (const Json& path : (*answer)["messages"].items()) session.console.info(path.as_string());
  session.console.info("Logs flushed");
  return 0;
}

int run_rotate(Session& session) {
  const Result<Json> answer = ask(session, "rotate", word_or_all(session), {});
  if (!answer) return failed(session, answer.error());
  for (const Json& path : (*answer)["messages"].items())
    session.console.info("Rotated " + path.as_string());
  return 0;
}

int run_reload_logs(Session& session) {
  session.console.text("Reloading all logs...\n");
  const Result<Json> answer = ask(session, "reload_logs", "all", {});
  if (!answer) return failed(session, answer.error());
  session.console.text("All logs reloaded\n");
  return 0;
}

int run_kill(Session& session) {
  if (!session.client.running()) {
    session.console.info("No daemon runs in " + session.home + ": nothing to end");
    return 0;
  }
  const Result<Json> ping = session.client.get("/v1/ping");
  const Result<Json> answer = session.client.post("/v1/kill", Json::object());
  if (!answer) return failed(session, answer.error());
  session.console.info("[v] All Applications Stopped");
  const auto keeper = ping ? static_cast<int>((*ping)["keeper_pid"].as_int()) : 0;
  if (keeper > 0 && !wait_for_end(keeper))
    return failed(session,
                  Error(Errc::kIo, "keeper " + std::to_string(keeper) + " has not ended; " +
                                       session.home + "/pmx.log may say why"));
  session.console.info("[v] PM2 Daemon Stopped");
  return 0;
}

}  // namespace pmx::cli
