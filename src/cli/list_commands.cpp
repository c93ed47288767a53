// Commands that show what is there.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "base/fs.h"
#include "base/time_text.h"
#include "base/units.h"
#include "cli/app_request.h"
#include "cli/describe_view.h"
#include "cli/handlers.h"
#include "cli/inspect.h"
#include "cli/list_view.h"
#include "cli/logs.h"
#include "cli/session.h"
#include "config/node_version.h"
#include "config/settings.h"

namespace pmx::cli {
namespace {

constexpr int kRefreshMs = 900;  // PM2's.

Reveal reveal(const Session& session) {
  return session.line.has("reveal") ? Reveal::kYes : Reveal::kNo;
}

// What the daemon leaves to us: which node an app runs with. Each is asked once.
Result<Json> with_node_versions(const Session& session, Result<Json> list) {
  if (!list || list->elements() == nullptr) return list;
  const std::string cache = config::node_version_cache(session.home);
  std::map<std::vector<std::string>, std::optional<std::string>> versions;
  for (Json& element : *list->elements()) {
    Json* const env = element.find("pm2_env");
    if (env == nullptr) continue;
    const std::vector<std::string> key{(*env)["exec_interpreter"].as_string(),
                                       (*env)["env"]["PATH"].as_string(),
                                       (*env)["pm_cwd"].as_string()};
    const auto [version, first] = versions.try_emplace(key);
    if (first) version->second = config::interpreter_version(key[0], key[1], key[2], cache);
    if (version->second) env->set("node_version", *version->second);
  }
  return list;
}

Result<Json> full_list(Session& session) { return with_node_versions(session, session.list()); }

// Of the apps with this name, else of the one with this id.
Result<Json> list_of(Session& session, const std::string& word) {
  return session.client.look_up("/v1/list/named", Json::object({{"word", word}}));
}

// Where nothing is saved by itself, what differs would be lost with the machine.
void warn_of_stale_dump(Session& session, const Json& list) {
  const Result<Json> values = stored_settings(session.home);
  const auto settings =
      values ? config::settings_from_json(*values) : Result<config::Settings>(values.error());
  if (!settings || settings->autosave) return;
  const auto text = RealFs().read_file(session.home + "/dump.pm2");
  const auto dump = text ? Json::parse(*text) : Result<Json>(text.error());
  const std::string differs = dump_difference(dump ? *dump : Json::array(), list);
  if (!differs.empty())
    session.console.warn("Current process list is not synchronized with saved list: " + differs +
                         ". Type 'pmx save' to synchronize.");
}

// The daemon began with what it could read of its list of apps, and kept the rest for whoever can.
void warn_of_unread_state(Session& session) {
  const std::string kept = session.home + "/state/apps.json.unreadable";
  const auto info = RealFs().info(kept);
  if (info)
    session.console.warn("The list of apps could not be read in full when pmx started at " +
                         iso_time(info->modified_ns) + ": it is kept in " + kept +
                         ". 'pmx resurrect' brings back what 'pmx save' wrote last; remove the "
                         "file to end this warning.");
}

}  // namespace

int print_list(Session& session) {
  const Result<Json> list = session.short_list();
  if (!list) return failed(session, list.error());
  const Result<Json> sorted = sorted_list(*list, session.line.value("sort"));
  if (!sorted) return failed(session, sorted.error());
  session.console.text(session.line.has("mini-list")
                           ? mini_list(*sorted, session.now_ms())
                           : list_table(session.console, *sorted, session.now_ms()));
  warn_of_stale_dump(session, *list);
  warn_of_unread_state(session);
  return 0;
}

int run_list(Session& session) {
  if (!session.line.has("watch")) return print_list(session);
  pollfd reader{STDOUT_FILENO, 0, 0};  // Without events: only its end is told.
  do {
    session.console.data("\033[H\033[2J");
    const int shown = print_list(session);
    if (shown != 0) return shown;
  } while (::poll(&reader, 1, kRefreshMs) == 0);
  return 0;
}

int run_jlist(Session& session) {
  const Result<Json> list = full_list(session);
  if (!list) return failed(session, list.error());
  session.console.data(list->dump());
  return 0;
}

int run_prettylist(Session& session) {
  const Result<Json> list = full_list(session);
  if (!list) return failed(session, list.error());
  session.console.data(inspect(*list));
  return 0;
}

int run_describe(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name|id");
  for (const std::string& word : session.line.words) {
    const Result<Json> list = with_node_versions(session, list_of(session, word));
    if (!list) return failed(session, list.error());
    if (list->items().empty()) {
      session.console.warn(word + " doesn't exist");
      return 1;
    }
    for (const Json& element : list->items())
      session.console.text(describe_table(session.console, element, session.now_ms(),
                                          {reveal(session), session.env}));
  }
  return 0;
}

int run_env(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "id");
  const std::string& word = session.line.words.front();
  const Result<Json> list = list_of(session, word);
  if (!list) return failed(session, list.error());
  if (list->items().empty())
    return failed(session, Error(Errc::kNotFound, word + " doesn't exist"));
  session.console.data(env_lines(session.console, list->items().front(), reveal(session)));
  return 0;
}

int run_id(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "name");
  const Result<Json> list = session.short_list();
  if (!list) return failed(session, list.error());
  Json ids = Json::array();
  for (const Json& element : list->items())
    if (element["name"].as_string() == session.line.words.front()) ids.push_back(element["pm_id"]);
  session.console.data(inspect(ids) + "\n");
  return 0;
}

int run_pid(Session& session) {
  const Result<Json> list = session.short_list();
  if (!list) return failed(session, list.error());
  std::string out;
  for (const Json& element : list->items())
    if (session.line.words.empty() || element["name"].as_string() == session.line.words.front())
      out += std::to_string(element["pid"].as_int()) + "\n";
  session.console.data(out.empty() ? "\n" : out);
  return 0;
}

int run_ping(Session& session) {
  const Result<Json> answer = session.client.get("/v1/ping");
  if (!answer) return failed(session, answer.error());
  session.console.data(session.line.has("json") ? answer->dump() + "\n" : "{ msg: 'pong' }\n");
  return 0;
}

int run_logs_command(Session& session) {
  const CommandLine& line = session.line;
  LogsOptions options;
  options.home = session.home;
  if (!line.words.empty()) options.target = line.words.front();
  // `-n 20`, as tail has it; for apps it is --name, which means nothing here.
  const char* const lines_option = line.has("name") && !line.has("lines") ? "name" : "lines";
  if (line.has(lines_option)) {
    const std::string given = line.value(lines_option);
    const Result<std::int64_t> lines = parse_integer(given);
    if (!lines || *lines < 0)
      return failed(session, invalid("--lines: \"" + given + "\" is not a number of lines"));
    options.lines = static_cast<std::size_t>(*lines);
  }
  options.follow = !line.has("nostream");
  options.out_only = line.has("out");
  options.err_only = line.has("err");
  options.raw = line.has("raw");
  options.json = line.has("json");
  options.format = line.has("format");
  options.pretty = line.has("pretty");
  if (line.has("timestamp")) options.timestamp = line.value("timestamp");
  options.highlight = line.value("highlight");
  options.since = line.value("since");
  options.until = line.value("until");
  options.level = line.value("level");
  options.grep = line.value("grep");
  options.no_color = line.has("no-color");
  return run_logs(options, 1, 2);
}

}  // namespace pmx::cli
