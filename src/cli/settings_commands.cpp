// `pmx set` and its siblings: defaults for new apps, under our names or pm2-logrotate's.
#include "cli/app_request.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "config/resolve_ship.h"
#include "config/schema.h"
#include "config/settings.h"

namespace pmx::cli {
namespace {

// The settings afterwards. `body` may have more than the change.
Result<Json> change(Session& session, const Json& body) {
  // Checked here first: a wrong value needs no daemon to be said so.
  const Json values = PMX_TRY(stored_settings(session.home));
  (void)PMX_TRY(config::change_settings(values, body));
  return session.client.post("/v1/settings", body);
}

// Into what is to be sent. Sinks become what the daemon may keep, with their secrets beside.
Result<void> add_setting(Session& session, Json& body, const std::string& key,
                         const std::string& value) {
  Json wanted = value;
  if (key == "ship") {
    if (value.starts_with('[') || value.starts_with('{')) {
      const Result<Json> objects = Json::parse(value);  // Its error would show what is in there.
      if (!objects)
        return invalid("ship: begins as JSON and is none; as a URL: loki+http://host:3100");
      wanted = *objects;
    }
    const config::ResolveContext context = PMX_TRY(resolve_context(session));
    const config::ResolvedShip ship = PMX_TRY(config::resolve_sinks(wanted, context));
    for (const std::string& warning : ship.warnings) session.console.warn(warning);
    wanted = config::sinks_to_json(ship.specs);
    if (!ship.secrets.empty()) body.set("ship_secrets", config::secrets_to_json(ship.secrets));
  }
  Json set = body["set"];
  set.set(key, std::move(wanted));
  body.set("set", std::move(set));
  return {};
}

// From when on a change holds.
std::string_view since_when(std::string_view key) {
  if (key == "ship") return " for every app that names no store itself, from now on";
  return key == "max_disk" || key == "autosave" ? "" : " for apps that are started from now on";
}

int set_all(Session& session, const Json& body) {
  const Result<Json> changed = change(session, body);
  if (!changed) return failed(session, changed.error());
  for (const auto& [key, value] : body["set"].members()) {
    const Result<std::string> text = config::setting_text(*changed, key);
    if (!text) return failed(session, text.error());
    session.console.info(key + " is " + *text + std::string(since_when(key)));
  }
  return 0;
}

int show(Session& session, const std::string& written) {
  const Result<Json> values = stored_settings(session.home);
  if (!values) return failed(session, values.error());
  const Result<config::SettingName> name = config::setting_name(written);
  if (!name) return failed(session, name.error());
  if (name->key.empty()) {
    session.console.data(written + " has no meaning here: " + name->note + "\n");
    return 0;
  }
  const Result<std::string> text = config::setting_text(*values, name->key);
  if (!text) return failed(session, text.error());
  session.console.data(*text + "\n");
  return 0;
}

}  // namespace

int run_set(Session& session) {
  const std::vector<std::string>& words = session.line.words;
  if (words.empty()) return missing_argument(session, "setting");
  if (words.size() < 2) return missing_argument(session, "value");
  const Result<config::SettingName> name = config::setting_name(words[0]);
  if (!name) return failed(session, name.error());
  if (name->key.empty()) {
    session.console.warn(words[0] + " has no meaning here: " + name->note);
    return 0;
  }
  // A cron pattern may come unquoted, as several words.
  std::string value = words[1];
  for (std::size_t i = 2; i < words.size(); ++i) value += " " + words[i];
  Json body = Json::object();
  const Result<void> added = add_setting(session, body, name->key, value);
  return added ? set_all(session, body) : failed(session, added.error());
}

// "key value key value …", also as one word: all of them or none.
int run_multiset(Session& session) {
  std::vector<std::string> words;
  for (const std::string& word : session.line.words)
    for (std::string& part : config::split_words(word)) words.push_back(std::move(part));
  if (words.empty()) return missing_argument(session, "setting value …");
  if (words.size() % 2 != 0) return failed(session, invalid(words.back() + " has no value"));
  Json body = Json::object();
  for (std::size_t i = 0; i < words.size(); i += 2) {
    const Result<config::SettingName> name = config::setting_name(words[i]);
    if (!name) return failed(session, name.error());
    if (name->key.empty()) {
      session.console.warn(words[i] + " has no meaning here: " + name->note);
      continue;
    }
    const Result<void> added = add_setting(session, body, name->key, words[i + 1]);
    if (!added) return failed(session, added.error());
  }
  return set_all(session, body);
}

int run_unset(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "setting");
  const Result<config::SettingName> name = config::setting_name(session.line.words.front());
  if (!name) return failed(session, name.error());
  if (name->key.empty()) return 0;
  Json keys = Json::array();
  keys.push_back(name->key);
  const Result<Json> changed = change(session, Json::object({{"unset", std::move(keys)}}));
  if (!changed) return failed(session, changed.error());
  session.console.info(name->key + " has its default again");
  return 0;
}

int run_get(Session& session) {
  return session.line.words.empty() ? run_conf(session) : show(session, session.line.words.front());
}

int run_conf(Session& session) {
  if (!session.line.words.empty()) return show(session, session.line.words.front());
  const Result<Json> values = stored_settings(session.home);
  if (!values) return failed(session, values.error());
  for (const auto& [key, value] : values->members()) {
    const Result<std::string> text = config::setting_text(*values, key);
    if (!text) return failed(session, text.error());
    session.console.data("$ pmx set " + key + " " + *text + "\n");
  }
  return 0;
}

int run_install(Session& session) {
  if (session.line.words.empty()) return missing_argument(session, "module");
  const std::string& module = session.line.words.front();
  if (module != "pm2-logrotate")
    return failed(session, invalid("modules cannot be installed: \"" + module +
                                   "\" is written for PM2's own daemon"));
  session.console.info(
      "Rotation is built in and on: nothing to install. See `pmx get rotate.max_size`, `pmx set`");
  return 0;
}

}  // namespace pmx::cli
