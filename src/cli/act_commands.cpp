// Commands that do one thing to the apps that a word means: one row of kActs each.
#include <array>

#include "cli/app_request.h"
#include "cli/daemon_boot.h"
#include "cli/drift.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "config/app_config.h"
#include "config/ecosystem.h"

namespace pmx::cli {
namespace {

// What is asked of the daemon, and what PM2 calls it in the lines that it prints.
struct Act {
  std::string_view action;
  std::string_view shown;
};
constexpr Act kStop{"stop", "stopProcessId"};
constexpr Act kRestart{"restart", "restartProcessId"};
constexpr Act kReload{"reload", "reloadProcessId"};
constexpr Act kDelete{"delete", "deleteProcessId"};

bool starts_again(const Act& act) {
  return act.action == kRestart.action || act.action == kReload.action;
}

void print_outcome(Session& session, const Act& act, const Json& answer) {
  const auto& ids = answer["ids"].items();
  const auto& names = answer["names"].items();
  std::string last;
  for (std::size_t i = 0; i < ids.size() && i < names.size(); ++i) {
    const std::string& name = names[i].as_string();
    if (name == last) continue;
    last = name;
    std::string of_name;
    for (std::size_t j = i; j < ids.size() && j < names.size(); ++j)
      if (names[j].as_string() == name) of_name += (of_name.empty() ? "" : ", ") + ids[j].dump();
    session.console.info("Applying action " + std::string(act.shown) + " on app [" + name +
                         "](ids: [ " + of_name + " ])");
  }
  for (std::size_t i = 0; i < ids.size() && i < names.size(); ++i)
    session.console.info("[" + names[i].as_string() + "](" + ids[i].dump() + ") ✓");
  print_messages(session, answer);
}

Result<Json> ask(Session& session, std::string_view action, const std::string& target, Json extra) {
  Json body = Json::object({{"action", action}, {"target", target}, {"cwd", session.cwd}});
  for (const auto& [key, value] : extra.members()) body.set(key, value);
  PMX_TRY(add_parallel(session, body));
  if (action == kStop.action && session.line.has("watch"))
    body.set("changes", Json::object({{"watch", false}}));
  return session.client.post("/v1/act", body);
}

Result<void> act_on_file(Session& session, const Act& act, const std::string& file) {
  const std::vector<AppSpec> apps = PMX_TRY(ecosystem_apps(session, file));
  for (const AppSpec& app : apps) {
    Json extra = Json::object();
    if (starts_again(act)) {
      set_changes(extra, app);
      add_ship_secrets(session, extra);
    }
    const Json answer = PMX_TRY(ask(session, act.action, app.name, std::move(extra)));
    print_outcome(session, act, answer);
  }
  return {};
}

Result<void> act_on_word(Session& session, const Act& act, const std::string& word) {
  if (word == "-" || config::is_config_file(word)) return act_on_file(session, act, word);
  Json extra = Json::object();
  if (starts_again(act)) {
    extra = PMX_TRY(changes_of_line(session, word));
    if (!session.line.has("update-env"))
      session.console.text(
          session.console.paint(Color::kBlue, "Use --update-env to update environment variables") +
          "\n");
    say_what_differs(session, word);
  }
  const Json answer = PMX_TRY(ask(session, act.action, word, std::move(extra)));
  print_outcome(session, act, answer);
  return {};
}

int act_on_words(Session& session, const Act& act) {
  if (session.line.words.empty()) return missing_argument(session, "id|name|namespace|all");
  for (const std::string& word : session.line.words) {
    const Result<void> done = act_on_word(session, act, word);
    if (done) continue;
    (void)failed(session, done.error());
    if (act.action == kReload.action) print_words_of_failed_reloads(session);
    return 1;
  }
  return act.action == kReload.action ? 0 : print_list(session);  // PM2 shows no list after it.
}

std::string word_or_all(const Session& session) {
  return session.line.words.empty() ? "all" : session.line.words.front();
}

}  // namespace

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
  session.console.info("Scaling application " + name + " to " + session.line.words[1]);
  return print_list(session);
}

int run_reset(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name|id|all");
  for (const std::string& word : session.line.words) {
    const Result<Json> answer = ask(session, "reset", word, {});
    if (!answer) return failed(session, answer.error());
    for (const Json& id : (*answer)["ids"].items())
      session.console.info("Resetting meta for process id " + id.dump());
  }
  return print_list(session);
}

int run_flush(Session& session) {
  const Result<Json> answer = ask(session, "flush", word_or_all(session), {});
  const bool nothing_to_flush =
      session.line.words.empty() && !answer && answer.error().code() == Errc::kNotFound;
  if (!answer && !nothing_to_flush) return failed(session, answer.error());
  session.console.info("Flushing:");
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
  session.console.info("Reloading all logs...");
  const Result<Json> answer = ask(session, "reload_logs", "all", {});
  if (!answer) return failed(session, answer.error());
  session.console.info("All logs reloaded");
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
