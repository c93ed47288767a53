// `pmx startup` and `unstartup`: whether pmx, and with it its apps, comes back at boot.
#include <pwd.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/fs.h"
#include "base/sys.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "cli/systemd_unit.h"

namespace pmx::cli {
namespace {

constexpr std::string_view kUnitDirectory = "/etc/systemd/system/";

// In PM2's order: the first of these programs in PATH names the system.
struct InitSystem {
  std::string_view name, program;
};
constexpr std::array kInitSystems{
    InitSystem{"systemd", "systemctl"}, InitSystem{"upstart", "update-rc.d"},
    InitSystem{"systemv", "chkconfig"}, InitSystem{"openrc", "rc-update"},
    InitSystem{"launchd", "launchctl"}, InitSystem{"rcd", "sysrc"},
};

std::string path_of(const Session& session) {
  const auto path = session.env.find("PATH");
  return path == session.env.end() ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                                   : path->second;
}

bool in_path(const Session& session, std::string_view program) {
  const std::string path = path_of(session);
  std::string_view rest = path;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string file = std::string(rest.substr(0, colon)) + "/" + std::string(program);
    if (::access(file.c_str(), X_OK) == 0) return true;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return false;
}

Result<std::string> init_system(const Session& session) {
  if (!session.line.words.empty()) return session.line.words.front();
  for (const InitSystem& system : kInitSystems)
    if (in_path(session, system.program)) return std::string(system.name);
  return Error(Errc::kNotFound, "no init system was found: name it, as `pmx startup systemd`");
}

struct Account {
  std::string name, home;
};
Result<Account> account_of(const Session& session) {
  const std::string wanted = session.line.value("user");
  const passwd* const entry = wanted.empty() ? ::getpwuid(::getuid()) : ::getpwnam(wanted.c_str());
  if (entry == nullptr) return Error(Errc::kNotFound, "there is no user " + wanted);
  // As PM2: $HOME is where this user's pmx looks, whatever the account's directory is.
  const auto home = session.env.find("HOME");
  const bool own = wanted.empty() && home != session.env.end() && !home->second.empty();
  return Account{entry->pw_name, own ? home->second : entry->pw_dir};
}

bool home_is_named(const Session& session) {
  if (session.line.has("hp")) return false;  // It is said here.
  return session.env.contains("PMX_HOME") || session.env.contains("PM2_HOME");
}

// --hp is the user's home directory, as PM2 has it.
std::string home_for(const Session& session, const Account& account) {
  if (home_is_named(session)) return session.home;
  const std::string below = called_as_pm2(session.called_as) ? "/.pm2" : "/.pmx";
  if (session.line.has("hp")) return session.line.value("hp") + below;
  return session.line.has("user") ? account.home + below : session.home;
}

std::string service_name(const Session& session, const Account& account) {
  const std::string given = session.line.value("service-name");
  return given.empty() ? "pmx-" + account.name : given;
}

// PM2's line, to be pasted: the shell's PATH goes with it, because sudo has another.
int ask_for_root(Session& session, const std::string& system, const Account& account,
                 std::string_view command) {
  session.console.info("To " + std::string(command == "startup" ? "setup" : "unsetup") +
                       " the Startup Script, copy/paste the following command:");
  std::string line = "sudo env PATH=$PATH:" + shell_word("/usr/bin") + " ";
  if (home_is_named(session)) line += "PMX_HOME=" + shell_word(session.home) + " ";
  line += shell_word(sys::self_exe()) + " " + std::string(command) + " " + shell_word(system) +
          " -u " + shell_word(account.name) + " --hp " + shell_word(account.home);
  session.console.data(line + "\n");
  return 1;
}

std::chrono::milliseconds longest_kill_timeout(Session& session) {
  std::int64_t longest = 0;
  if (session.client.running())
    if (const auto list = session.list())
      for (const Json& app : list->items())
        longest = std::max(longest, app["pm2_env"]["kill_timeout"].as_int());
  return std::chrono::milliseconds(longest);
}

// systemctl, to its end; its own words are on the terminal.
Result<void> systemctl(std::vector<std::string> words) {
  words.insert(words.begin(), "systemctl");
  std::vector<char*> argv;
  std::string line;
  for (std::string& word : words) {
    argv.push_back(word.data());
    line += (line.empty() ? "" : " ") + word;
  }
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ);
  if (failed != 0) return system_error(failed, line);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return {};
  return Error(
      Errc::kIo,
      line + " failed" +
          (WIFEXITED(status) ? " with exit code " + std::to_string(WEXITSTATUS(status)) : ""));
}

bool is_service_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.@";
  return !name.empty() && name.find_first_not_of(kAllowed) == std::string_view::npos &&
         name.front() != '-';
}

Result<void> install_unit(Session& session, const Account& account) {
  const std::string name = service_name(session, account);
  if (!is_service_name(name)) return invalid("\"" + name + "\" is no name for a service");
  const std::string alias = "pm2-" + account.name + ".service";
  RealFs files;
  const auto pm2s = files.info(std::string(kUnitDirectory) + alias);
  SystemdUnit unit;
  unit.user = account.name;
  unit.home = home_for(session, account);
  unit.program = sys::self_exe();
  unit.path = path_of(session);
  unit.alias = pm2s && pm2s->is_regular ? "" : alias;  // A link is an alias that we made.
  unit.stop_timeout = stop_timeout_for(longest_kill_timeout(session));
  unit.wait_for_network = session.line.has("wait-ip");
  const std::string path = std::string(kUnitDirectory) + name + ".service";
  PMX_TRY(files.replace_file(path, unit_text(unit), 0644, Fs::Sync::kYes));
  session.console.info("Written " + path + ", for the home " + unit.home);
  if (unit.alias.empty())
    session.console.warn("PM2's own " + alias +
                         " is still there: disable it, or both start at boot");
  Result<void> enabled = systemctl({"daemon-reload"});
  if (enabled) enabled = systemctl({"enable", name + ".service"});
  if (!enabled)
    return std::move(enabled).error().within(
        "the unit is written and not enabled (pmx unstartup "
        "removes it)");
  session.console.info("At boot pmx comes back, and the apps that ran with it");
  return {};
}

Result<void> remove_unit(Session& session, const Account& account) {
  const std::string name = service_name(session, account);
  if (!is_service_name(name)) return invalid("\"" + name + "\" is no name for a service");
  const std::string path = std::string(kUnitDirectory) + name + ".service";
  RealFs files;
  if (!files.info(path)) return Error(Errc::kNotFound, "there is no " + path);
  PMX_TRY(systemctl({"disable", name + ".service"}));
  PMX_TRY(files.remove(path));
  PMX_TRY(systemctl({"daemon-reload"}));
  session.console.info("Removed " + path + "; what runs goes on running");
  return {};
}

// For the others: what is to be done, in words.
int explain(Session& session, const std::string& system) {
  session.console.data("pmx writes no files for " + system + ". Have it run this at boot, as the " +
                       "user whose apps they are:\n\n    PMX_HOME=" + shell_word(session.home) +
                       " " + shell_word(sys::self_exe()) +
                       " ping\n\nIt starts pmx, and pmx starts the apps that were running.\n");
  if (system == "openrc")
    session.console.data(
        "\nWith openrc that is a file in /etc/local.d/ with the ending .start, "
        "executable, and `rc-update add local`.\n");
  if (system == "launchd")
    session.console.data(
        "\nWith launchd that is a plist in ~/Library/LaunchAgents with RunAtLoad.\n");
  return 1;
}

int change_startup(Session& session, std::string_view command,
                   Result<void> (*change)(Session&, const Account&)) {
  const Result<std::string> system = init_system(session);
  if (!system) return failed(session, system.error());
  session.console.info("Init System found: " + *system);
  if (*system != "systemd") return explain(session, *system);
  const Result<Account> account = account_of(session);
  if (!account) return failed(session, account.error());
  if (::geteuid() != 0) return ask_for_root(session, *system, *account, command);
  const Result<void> changed = change(session, *account);
  return changed ? 0 : failed(session, changed.error());
}

}  // namespace

int run_startup(Session& session) { return change_startup(session, "startup", install_unit); }
int run_unstartup(Session& session) { return change_startup(session, "unstartup", remove_unit); }

}  // namespace pmx::cli
