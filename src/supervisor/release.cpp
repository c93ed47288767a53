#include "supervisor/release.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

namespace pmx::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 30> kOfTheShell{
    "_",         "PWD",       "OLDPWD",    "SHLVL",     "TERM",     "COLORTERM", "COLUMNS",
    "LINES",     "LS_COLORS", "WINDOWID",  "HISTFILE",  "HISTSIZE", "PS1",       "PROMPT_COMMAND",
    "TMUX",      "STY",       "MAIL",      "DISPLAY",   "EDITOR",   "PAGER",     "LESSOPEN",
    "LESSCLOSE", "name",      "namespace", "unique_id", "pm_id",    "pm_cwd",    "pm_exec_path",
    "exec_mode", "NO_COLOR"};
constexpr std::array<std::string_view, 13> kPrefixesOfTheShell{
    "SSH_", "XDG_",  "DBUS_", "TERM_", "TMUX_", "VSCODE_",          "GPG_",
    "npm_", "SUDO_", "BASH_", "PM2_",  "PMX_",  "NODE_APP_INSTANCE"};

std::string without_links(const std::string& path) {
  std::error_code failed;
  const std::string found = fs::canonical(path, failed).string();
  return failed ? path : found;
}

// The last name stays: a virtual environment's python is itself a link, and must be called so.
std::string in_folder_without_links(const std::string& path) {
  const fs::path whole(path);
  return (fs::path(without_links(whole.parent_path().string())) / whole.filename()).string();
}

// An entry of env_file may have a ? at its end.
std::string_view file_of(std::string_view entry) {
  return entry.ends_with('?') ? entry.substr(0, entry.size() - 1) : entry;
}

std::string led_to(const AppSpec& app, const std::string& path) {
  const auto pin = app.pinned.find(path);
  if (pin != app.pinned.end()) return pin->second;
  return path == app.script || path == app.cwd ? without_links(path)
                                               : in_folder_without_links(path);
}

std::map<std::string, std::string> own_variables(const AppSpec& app) {
  std::map<std::string, std::string> own = app.env;
  std::erase_if(own, [&](const auto& variable) {
    return is_of_the_shell(variable.first) && !app.own_env.contains(variable.first);
  });
  return own;
}

}  // namespace

bool is_of_the_shell(std::string_view variable) {
  return std::find(kOfTheShell.begin(), kOfTheShell.end(), variable) != kOfTheShell.end() ||
         std::any_of(kPrefixesOfTheShell.begin(), kPrefixesOfTheShell.end(),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

Links links_of(const AppSpec& app) {
  Links links;
  const auto add = [&](std::string_view written) {
    std::string path(written);
    if (!path.starts_with('/') || links.size() >= kMostLinks) return;
    std::string led = led_to(app, path);
    if (led != path) links[std::move(path)] = std::move(led);
  };
  add(app.script);
  add(app.cwd);
  add(app.interpreter);
  for (const std::string& entry : app.env_file) add(file_of(entry));
  for (const std::string& word : app.interpreter_args) add(word);
  for (const std::string& word : app.args) add(word);
  return links;
}

bool same_program(const AppSpec& one, const AppSpec& other) {
  return one.script == other.script && one.args == other.args &&
         one.interpreter == other.interpreter && one.interpreter_args == other.interpreter_args &&
         one.source_map_support == other.source_map_support && one.cwd == other.cwd &&
         one.env_file == other.env_file && one.uid == other.uid && one.gid == other.gid &&
         own_variables(one) == own_variables(other);
}

void take_program(AppSpec& app, const AppSpec& from) {
  app.script = from.script;
  app.args = from.args;
  app.interpreter = from.interpreter;
  app.interpreter_args = from.interpreter_args;
  app.source_map_support = from.source_map_support;
  app.cwd = from.cwd;
  app.env = from.env;
  app.own_env = from.own_env;
  app.env_file = from.env_file;
  app.uid = from.uid;
  app.gid = from.gid;
  app.version = from.version;
}

AppSpec with_pinned_paths(const AppSpec& app) {
  AppSpec out = app;
  const auto replace = [&](std::string& text) {
    const std::string_view file = file_of(text);
    const auto pin = app.pinned.find(std::string(file));
    if (pin != app.pinned.end()) text = pin->second + text.substr(file.size());
  };
  replace(out.script);
  replace(out.cwd);
  replace(out.interpreter);
  for (std::vector<std::string>* const words : {&out.env_file, &out.interpreter_args, &out.args})
    for (std::string& word : *words) replace(word);
  return out;
}

Result<AppSpec> back_to(const Release& release, AppSpec now) {
  take_program(now, release.app);
  now.pinned.clear();
  const Links today = links_of(now);
  for (const auto& [path, led] : release.links) {
    const auto leads = today.find(path);
    if (leads != today.end() && leads->second == led) continue;
    std::error_code failed;
    const bool needed = path == now.script || path == now.cwd || path == now.interpreter;
    if (needed && !fs::exists(led, failed))
      return Error(Errc::kNotFound, now.name + " cannot go back: " + led +
                                        ", which it ran from, is not there any more");
    now.pinned[path] = led;
  }
  return now;
}

}  // namespace pmx::supervisor
