#include "config/served_apps.h"

#include <algorithm>
#include <array>

#include "config/internal/value_text.h"
#include "config/schema.h"
#include "model/app_spec.h"

namespace pmx::config {
namespace {

struct Word {
  std::string_view key, variable;  // No variable: PM2's, and without effect.
};
constexpr std::array kWords{
    Word{"path", "PM2_SERVE_PATH"},
    Word{"port", "PM2_SERVE_PORT"},
    Word{"host", "PM2_SERVE_HOST"},
    Word{"spa", "PM2_SERVE_SPA"},
    Word{"ftp", "PM2_SERVE_FTP"},
    Word{"homepage", "PM2_SERVE_HOMEPAGE"},
    Word{"dotfiles", "PM2_SERVE_DOTFILES"},
    Word{"access_log", "PM2_SERVE_ACCESS_LOG"},
    Word{"directory", ""},
    Word{"monitor", ""},
};

void put_auth(Json& env, const Json& auth) {
  env.set("PM2_SERVE_BASIC_AUTH", "true");
  env.set("PM2_SERVE_BASIC_AUTH_USERNAME", scalar_text(auth["username"]));
  env.set("PM2_SERVE_BASIC_AUTH_PASSWORD", scalar_text(auth["password"]));
}

Result<Json> served_app(const Json& written) {
  if (!written.is_object() || written["path"].is_null())
    return invalid("static: each is an object with a path, not " + written.dump());
  Json app = Json::object(), env = Json::object();
  for (const auto& [key, value] : written.members()) {
    const auto* const word = std::find_if(kWords.begin(), kWords.end(),
                                          [&](const Word& known) { return known.key == key; });
    if (key == "basic_auth")
      put_auth(env, value);
    else if (word == kWords.end())
      app.set(key, value);
    else if (!word->variable.empty() && !value.is_null())
      env.set(word->variable, scalar_text(value));
  }
  for (const auto& [name, value] : written["env"].members()) env.set(name, value);
  app.set("env", std::move(env));
  app.set("script", kFileServerScript);
  const std::string port = scalar_text(written["port"]);
  if (written["name"].is_null()) app.set("name", served_name(port.empty() ? "8080" : port));
  return app;
}

}  // namespace

void take_serve_word(Json& app) {
  for (const std::string& name : names_of(*find_setting("script"))) {
    if (!(app[name] == Json("serve"))) continue;
    app.set(name, kFileServerScript);
    if (app["name"].is_null()) app.set("name", "serve");
  }
}

Result<std::vector<Json>> served_apps(const Json& list) {
  std::vector<Json> apps;
  for (const Json& written : list.is_array() ? list.items() : Json::Array{list})
    apps.push_back(PMX_TRY(served_app(written)));
  return apps;
}

std::string served_name(std::string_view port) { return "static-page-server-" + std::string(port); }

}  // namespace pmx::config
