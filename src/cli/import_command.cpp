// `pmx import [PM2's home]`: what PM2 has saved there, shown first, and taken over with --yes.
#include "base/fs.h"
#include "base/sys.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "config/pm2_dump.h"
#include "config/settings.h"

namespace pmx::cli {
namespace {

struct Found {
  std::string home;
  Json entries = Json::array();  // Of dump.pm2, only those that can be brought back.
  Json settings = Json::object();
  std::vector<std::string> lines, warnings;
};

Result<Json> json_file(const std::string& path) {
  const std::string text = PMX_TRY(RealFs().read_file(path));
  return PMX_TRY_WITHIN(path, Json::parse(text));
}

// The dump, or the one before where it is broken, as PM2 does.
Result<Json> dump_in(Found& found) {
  auto newest = json_file(found.home + "/dump.pm2");
  if (newest && newest->is_array()) return newest;
  auto before = json_file(found.home + "/dump.pm2.bak");
  if (before && before->is_array()) {
    found.warnings.push_back(found.home + "/dump.pm2 cannot be read: dump.pm2.bak is used");
    return before;
  }
  return Error(Errc::kNotFound,
               "no list of apps in " + found.home + ": run `pm2 save` first, or name PM2's home");
}

std::string line_of(const config::DumpedApp& app) {
  std::string line = "app " + app.spec.name + ": " + app.spec.script;
  for (const std::string& argument : app.spec.args) line += " " + argument;
  return line + (app.runs ? "" : " (stopped)");
}

void take_apps(Found& found, const Json& dump) {
  for (const Json& entry : dump.items()) {
    const auto app = config::dumped_app(entry, found.home);
    if (!app) {
      found.warnings.push_back(app.error().message());
      continue;
    }
    found.lines.push_back(line_of(*app));
    found.entries.push_back(entry);
  }
}

// {"pm2-logrotate": {"max_size": "10M", …}, "module-db-v2": …}
void take_settings(Found& found) {
  const auto conf = json_file(found.home + "/module_conf.json");
  if (!conf) return;  // PM2 without settings.
  for (const auto& [key, value] : (*conf)["pm2-logrotate"].members()) {
    const auto name = config::setting_name("pm2-logrotate:" + key);
    if (!name || name->key.empty()) {
      found.warnings.push_back("pm2-logrotate:" + key + " has no meaning here" +
                               (name ? ": " + name->note : ""));
      continue;
    }
    const std::string text = value.is_string() ? value.as_string() : value.dump();
    const auto checked = config::change_settings(
        Json::object(), Json::object({{"set", Json::object({{name->key, text}})}}));
    if (!checked) {
      found.warnings.push_back("pm2-logrotate:" + key + ": " + checked.error().message());
      continue;
    }
    found.settings.set(name->key, text);
    found.lines.push_back("setting " + name->key + " " + text);
  }
}

Result<Found> look(const Session& session) {
  Found found;
  const auto home = session.env.find("HOME");
  found.home = session.line.words.empty()
                   ? (home == session.env.end() ? "" : home->second) + "/.pm2"
                   : session.line.words.front();
  if (!found.home.starts_with('/')) found.home = session.cwd + "/" + found.home;
  while (found.home.size() > 1 && found.home.ends_with('/')) found.home.pop_back();
  take_apps(found, PMX_TRY(dump_in(found)));
  take_settings(found);
  return found;
}

Result<void> take_over(Session& session, const Found& found) {
  // Two supervisors would run everything twice, on the same ports.
  if (sys::connect_unix(found.home + "/rpc.sock"))
    return invalid("PM2 still runs in " + found.home + ": `pm2 save`, `pm2 kill`, then import");
  if (!found.settings.members().empty())
    (void)PMX_TRY(session.client.post("/v1/settings", Json::object({{"set", found.settings}})));
  const Json answer = PMX_TRY(session.client.post(
      "/v1/resurrect", Json::object({{"entries", found.entries}, {"home", found.home}})));
  print_messages(session, answer);
  session.console.info("Imported " + std::to_string(answer["ids"].items().size()) + " of " +
                       std::to_string(found.entries.items().size()) +
                       " processes; names that were listed already were left alone");
  return {};
}

}  // namespace

int run_import(Session& session) {
  const Result<Found> found = look(session);
  if (!found) return failed(session, found.error());
  for (const std::string& line : found->lines) session.console.text(line + "\n");
  for (const std::string& warning : found->warnings) session.console.warn(warning);
  if (!session.line.has("yes")) {
    session.console.info("Nothing was changed: --yes does it");
    return 0;
  }
  const Result<void> taken = take_over(session, *found);
  return taken ? print_list(session) : failed(session, taken.error());
}

}  // namespace pmx::cli
