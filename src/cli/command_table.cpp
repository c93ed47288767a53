#include "cli/command_table.h"

#include <algorithm>
#include <array>
#include <string>

#include "cli/handlers.h"
#include "cli/session.h"

namespace pmx::cli {
namespace {

// clang-format off
constexpr std::array kCommands{
    Command{"start", "", "start <script|ecosystem file|name|id|namespace>... [options] [-- arguments]",
            "Start a program, the apps of an ecosystem file, or an app that is stopped.",
            Words::kFiles, "app force env only attach update-env no-daemon", &run_start},
    Command{"list", "ls l ps status", "list [--watch] [options]", "Show all apps; with --watch again and again.",
            Words::kNone, "mini-list sort", &run_list},
    Command{"monit", "dashboard dash imonit", "monit [options]",
            "Watch all apps, and what one of them prints, on the whole screen.", Words::kNone, "sort", &run_monit},
    Command{"logs", "log", "logs [name|id|namespace|/regex/] [options]",
            "Show the last lines of the logs and follow them.", Words::kTargets,
            "lines nostream follow raw json format pretty out err timestamp highlight since until level grep", &run_logs_command},
    Command{"stop", "", "stop <name|id|namespace|all>... [--watch]", "Stop apps; they stay in the list. With --watch their files are not watched any more.",
            Words::kTargets, "", &run_stop},
    Command{"restart", "", "restart <name|id|namespace|ecosystem file|all>... [options]", "Stop and start apps.",
            Words::kTargets, "app update-env env only", &run_restart},
    Command{"reload", "", "reload <name|id|namespace|ecosystem file|all>... [options]",
            "Replace cluster workers one after the other, with no request lost; other apps are restarted.",
            Words::kTargets, "app update-env env only parallel rollback", &run_reload},
    Command{"startOrRestart", "", "startOrRestart <ecosystem file> [options]",
            "Start the apps of a file, and restart those that run.", Words::kFiles, "env only update-env", &run_start_or_restart},
    Command{"startOrReload", "startOrGracefulReload", "startOrReload <ecosystem file> [options]",
            "Start the apps of a file, and reload those that run.", Words::kFiles, "env only update-env parallel", &run_start_or_reload},
    Command{"scale", "", "scale <name> <number|+number>", "Have so many instances of an app; the newest go first.",
            Words::kTargets, "", &run_scale},
    Command{"delete", "del", "delete <name|id|namespace|all>...", "Stop apps and take them off the list.",
            Words::kTargets, "", &run_delete},
    Command{"describe", "show info desc", "describe <name|id>", "Show all that is known of an app.",
            Words::kTargets, "reveal", &run_describe},
    Command{"why", "", "why <name|id>", "Tell why an app is as it is: how its last run ended, and what to try.",
            Words::kTargets, "", &run_why},
    Command{"balance", "", "balance <name|id|namespace|all>...",
            "Show the connections and requests of each worker in the last minute, and whether they are uneven.",
            Words::kTargets, "", &run_balance},
    Command{"env", "", "env <id>", "Show the environment of an app.", Words::kTargets, "reveal", &run_env},
    Command{"id", "", "id <name>", "Print the ids of an app.", Words::kTargets, "", &run_id},
    Command{"pid", "", "pid [name]", "Print the process ids of an app, or of all.",
            Words::kTargets, "", &run_pid},
    Command{"jlist", "", "jlist", "Print the list as JSON.", Words::kNone, "", &run_jlist},
    Command{"prettylist", "", "prettylist", "Print the list as JavaScript.", Words::kNone, "", &run_prettylist},
    Command{"reset", "", "reset <name|id|all>", "Set the restart counters to 0.",
            Words::kTargets, "", &run_reset},
    Command{"flush", "", "flush [name|id]", "Empty log files.", Words::kTargets, "", &run_flush},
    Command{"rotate", "", "rotate [name|id]", "Rotate log files now.", Words::kTargets, "", &run_rotate},
    Command{"reloadLogs", "", "reloadLogs", "Open all log files again.", Words::kNone, "", &run_reload_logs},
    Command{"sendSignal", "", "sendSignal <signal> <name|id|namespace|all>", "Send a signal, as SIGUSR2, to an app's own process.",
            Words::kTargets, "", &run_send_signal},
    Command{"send", "", "send <id> <line>", "Send a line to the standard input of an app.",
            Words::kTargets, "", &run_send},
    Command{"attach", "", "attach <id> [separator]",
            "Type into the standard input of an app and see what it prints; each line ends in the separator, else in a newline.",
            Words::kTargets, "", &run_attach},
    Command{"trigger", "", "trigger <id|name|namespace|all> <action> [parameter]",
            "Call an action that an app has declared (axm:action), and print what it returns.",
            Words::kTargets, "", &run_trigger},
    Command{kForegroundCommand, "", "run [options] <script|ecosystem file> | -- <program> [arguments]",
            "Run apps in the foreground, as a container does, and end as they end; also as pm2-runtime.",
            Words::kFiles, "app env only json raw format formatted delay", &run_foreground},
    Command{kServeCommand, "expose", "serve [path] [port] [options]", "Serve the files of a folder over HTTP, as an app; port 8080.",
            Words::kFiles, "app port host spa ftp dotfiles access-log basic-auth-username basic-auth-password monitor force no-daemon", &run_serve},
    Command{"ship", "", "ship [status | test <url> | pause <sink> | resume <sink> | retry <sink>] [--json]",
            "Show what has arrived in the stores, try one, stop and continue one, send refused lines again.",
            Words::kNone, "json", &run_ship, "status test pause resume retry"},
    Command{"set", "", "set <setting> <value>", "Set a default for new apps, or max_disk, ship and autosave of the home.",
            Words::kSettings, "", &run_set},
    Command{"get", "", "get [setting]", "Show a setting.", Words::kSettings, "", &run_get},
    Command{"unset", "", "unset <setting>", "Take a setting back.", Words::kSettings, "", &run_unset},
    Command{"conf", "config", "conf [setting]", "Show what was set.", Words::kSettings, "", &run_conf},
    Command{"multiset", "", "multiset <setting> <value> [<setting> <value>]...", "Set several at once.",
            Words::kSettings, "", &run_multiset},
    Command{"install", "", "install pm2-logrotate", "Nothing to install: rotation is built in.",
            Words::kNone, "", &run_install},
    Command{"save", "dump", "save [--force]", "Save the list of apps to dump.pm2.", Words::kNone, "force", &run_save},
    Command{"cleardump", "", "cleardump", "Save an empty list.", Words::kNone, "", &run_cleardump},
    Command{"resurrect", "", "resurrect", "Bring back what dump.pm2 holds and the list has not.",
            Words::kNone, "", &run_resurrect},
    Command{"import", "", "import [PM2's home] [--yes]", "Show what PM2 has saved, and take it over.",
            Words::kFiles, "yes", &run_import},
    Command{"ping", "", "ping [--json]", "Ask whether the daemon is there.", Words::kNone, "json", &run_ping},
    Command{"kill", "", "kill", "Delete all apps and end the daemon.", Words::kNone, "", &run_kill},
    Command{"update", "updatePM2", "update", "Have this version run the home, with no restart.",
            Words::kNone, "", &run_update},
    Command{"startup", "", "startup [platform] [options]", "Have pmx, and its apps, come back at boot.",
            Words::kNone, "user hp service-name wait-ip", &run_startup, "systemd"},
    Command{"unstartup", "", "unstartup [platform] [options]", "Have it not come back any more.",
            Words::kNone, "user hp service-name", &run_unstartup, "systemd"},
    Command{"ecosystem", "init", "ecosystem [simple] [-f]", "Write an ecosystem.config.js to begin with.",
            Words::kNone, "force", &run_ecosystem, "simple"},
    Command{"link-pm2", "", "link-pm2 [directory] [-f]",
            "Make pm2, pm2-runtime and pm2-docker links to this program.", Words::kFiles, "force", &run_link_pm2},
    Command{"report", "", "report", "Print what helps to understand a problem.", Words::kNone, "", &run_report},
    Command{"completion", "", "completion <bash|zsh|fish>", "Print a script that completes commands.",
            Words::kNone, "", &run_completion, "bash zsh fish"},
    Command{"version", "", "version", "Show the version.", Words::kNone, "", &run_version},
    Command{"help", "", "help [command]", "Show this, or more of one command.", Words::kNone, "", &run_help},
    Command{"docs", "", "docs <settings|schema|defaults|man>", "", Words::kNone, "", &run_docs},
};
// clang-format on

bool is_called(const Command& command, std::string_view name) {
  if (command.name == name) return true;
  return !name.empty() && name.find(' ') == std::string_view::npos &&
         (" " + std::string(command.aliases) + " ").find(" " + std::string(name) + " ") !=
             std::string::npos;
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  const auto* const found =
      std::find_if(kCommands.begin(), kCommands.end(),
                   [&](const Command& command) { return is_called(command, name); });
  return found == kCommands.end() ? nullptr : found;
}

std::vector<std::string_view> command_names() {
  std::vector<std::string_view> names;
  for (const Command& command : kCommands) {
    if (command.summary.empty()) continue;
    names.push_back(command.name);
    for (std::string_view rest = command.aliases; !rest.empty();) {
      const std::size_t space = rest.find(' ');
      names.push_back(rest.substr(0, space));
      rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
    }
  }
  return names;
}

}  // namespace pmx::cli
