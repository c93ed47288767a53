// `pmx serve [path] [port]`: an app whose worker is this program as a file server. What it is to
// serve stands in its environment, under PM2's names, as an ecosystem file would have it there.
#include <algorithm>
#include <array>
#include <filesystem>

#include "base/path.h"
#include "base/units.h"
#include "cli/app_request.h"
#include "cli/foreground_run.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "config/served_apps.h"
#include "http/tcp_listener.h"

namespace pmx::cli {
namespace {

constexpr std::int64_t kHighestPort = 65'535;

struct Flag {
  std::string_view option, variable;
};
constexpr std::array kFlags{
    Flag{"spa", "PM2_SERVE_SPA"},
    Flag{"ftp", "PM2_SERVE_FTP"},
    Flag{"dotfiles", "PM2_SERVE_DOTFILES"},
    Flag{"access-log", "PM2_SERVE_ACCESS_LOG"},
};

std::string from_shell(const Session& session, const std::string& name) {
  const auto found = session.env.find(name);
  return found == session.env.end() ? "" : found->second;
}

// The first that is said: by the line, by the shell's environment, by nobody.
std::string chosen(const std::string& said, const std::string& shell, std::string_view otherwise) {
  if (!said.empty()) return said;
  return shell.empty() ? std::string(otherwise) : shell;
}

Result<std::string> chosen_folder(const Session& session) {
  const std::vector<std::string>& words = session.line.words;
  const std::string said =
      chosen(words.empty() ? "" : words[0], from_shell(session, "PM2_SERVE_PATH"), ".");
  const std::string folder = absolute_path(session.cwd, said, from_shell(session, "HOME"));
  std::error_code unreadable;
  if (!std::filesystem::is_directory(folder, unreadable))
    return invalid("serve: there is no folder " + folder);
  return folder;
}

Result<std::string> chosen_port(const Session& session) {
  const std::vector<std::string>& words = session.line.words;
  const std::string said = chosen(words.size() > 1 ? words[1] : session.line.value("port"),
                                  from_shell(session, "PM2_SERVE_PORT"), "8080");
  const auto number = parse_integer(said);
  if (!number || *number < 1 || *number > kHighestPort)
    return invalid("serve: a port is a number from 1 to 65535, not \"" + said + "\"");
  return std::to_string(*number);
}

Result<void> put_auth(const Session& session, Json& env) {
  const CommandLine& line = session.line;
  if (!line.has("basic-auth-username") && !line.has("basic-auth-password")) return {};
  const std::string user = chosen(line.value("basic-auth-username"),
                                  from_shell(session, "PM2_SERVE_BASIC_AUTH_USERNAME"), "");
  const std::string password = chosen(line.value("basic-auth-password"),
                                      from_shell(session, "PM2_SERVE_BASIC_AUTH_PASSWORD"), "");
  if (user.empty() || password.empty())
    return invalid("serve: --basic-auth-username and --basic-auth-password go together");
  env.set("PM2_SERVE_BASIC_AUTH", "true");
  env.set("PM2_SERVE_BASIC_AUTH_USERNAME", user);
  env.set("PM2_SERVE_BASIC_AUTH_PASSWORD", password);
  return {};
}

bool is_listed(Session& session, const std::string& name) {
  if (!session.client.running()) return false;
  const auto list = session.short_list();
  return list && std::any_of(list->items().begin(), list->items().end(),
                             [&](const Json& app) { return app["name"].as_string() == name; });
}

// A port that somebody else has is said before anything is started. Instances share theirs: there
// the workers find out.
Result<void> try_port(Session& session, const AppSpec& app) {
  if (app.instances_given || is_listed(session, app.name)) return {};
  const std::string host = app.env.contains("PM2_SERVE_HOST") ? app.env.at("PM2_SERVE_HOST") : "";
  const auto port = parse_integer(app.env.at("PM2_SERVE_PORT"));
  const auto listener = http::listen_tcp(host.empty() ? "0.0.0.0" : host,
                                         static_cast<std::uint16_t>(*port), http::SharePort::kNo);
  return listener ? Result<void>() : listener.error();
}

Result<AppSpec> served_app(Session& session) {
  if (session.line.words.size() > 2)
    return invalid("serve: a path and a port, not \"" + session.line.words[2] + "\" as well");
  const std::string folder = PMX_TRY(chosen_folder(session));
  const std::string port = PMX_TRY(chosen_port(session));
  Json env = Json::object({{"PM2_SERVE_PATH", folder}, {"PM2_SERVE_PORT", port}});
  if (session.line.has("host")) env.set("PM2_SERVE_HOST", session.line.value("host"));
  for (const Flag& flag : kFlags)
    if (session.line.has(flag.option)) env.set(flag.variable, "true");
  PMX_TRY(put_auth(session, env));
  Json app = app_of_options(session.line);
  app.set("script", kFileServerScript);
  app.set("env", std::move(env));
  if (app.find("name") == nullptr) app.set("name", config::served_name(port));
  if (app.find("cwd") == nullptr) app.set("cwd", folder);
  AppSpec spec = PMX_TRY(described_app(session, app));
  PMX_TRY_WITHIN("serve", try_port(session, spec));
  return spec;
}

Result<std::vector<AppSpec>> served_apps(Session& session) {
  return std::vector{PMX_TRY(served_app(session))};
}

Result<void> serve(Session& session) {
  const AppSpec app = PMX_TRY(served_app(session));
  PMX_TRY(post_apps(session, {app}));
  session.console.info("Serving " + app.env.at("PM2_SERVE_PATH") + " on port " +
                       app.env.at("PM2_SERVE_PORT"));
  return {};
}

}  // namespace

int run_serve(Session& session) {
  if (session.line.has("no-daemon")) return run_in_foreground(session, &served_apps);
  const Result<void> served = serve(session);
  return served ? print_list(session) : failed(session, served.error());
}

}  // namespace pmx::cli
