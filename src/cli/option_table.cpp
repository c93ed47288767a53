#include "cli/option_table.h"

#include <array>
#include <string>

#include "config/schema.h"

namespace pmx::cli {
namespace {

constexpr std::array kOwnOptions{
    OptionRow{"-h,--help", "", "Show help."},
    OptionRow{"-v,--version", "", "Show the version."},
    OptionRow{"-s,--silent", "", "Print nothing but errors and what was asked for."},
    OptionRow{"--no-color", "", "Print without colours."},
    OptionRow{"-f,--force", "",
              "Do it all the same: start a script that runs already, replace a file that is there; "
              "for logs: follow."},
    OptionRow{"-u,--user", "<name>", "Whose apps come back at boot; you where not given."},
    OptionRow{"--hp", "<path>", "That user's home directory."},
    OptionRow{"--service-name", "<name>", "Name of the service instead of pmx-<user>."},
    OptionRow{"--wait-ip", "", "Start only when the network is up."},
    OptionRow{"-y,--yes", "", "Do it, instead of showing what would be done."},
    OptionRow{"--env", "<name>", "Add env_<name> of the apps in an ecosystem file."},
    OptionRow{"--only", "<names>", "Of an ecosystem file, only these apps."},
    OptionRow{"-a,--update-env", "", "Give restarted apps the environment of this shell."},
    OptionRow{"--attach", "", "After starting, follow the logs."},
    OptionRow{"-m,--mini-list", "", "A short list without a table."},
    OptionRow{"--sort", "<field[:asc|desc]>",
              "Sort by name, namespace, pid, id, cpu, memory, uptime or status."},
    OptionRow{"--reveal", "", "Show values that look secret."},
    OptionRow{"--json", "", "Print JSON and nothing else."},
    OptionRow{"--lines", "<number>", "Lines of each log to begin with (15)."},
    OptionRow{"--nostream", "", "Print what is there and end."},
    OptionRow{"--follow", "", "Go on with new lines (the default)."},
    OptionRow{"--raw", "", "Lines without prefix."},
    OptionRow{"--pretty", "", "For reading: stack traces whole, JSON lines laid out."},
    OptionRow{"--out", "", "Only standard output."},
    OptionRow{"--err", "", "Only standard error."},
    OptionRow{"--timestamp", "[format]", "Put the time before each line."},
    OptionRow{"--highlight", "<text>", "Mark this text."},
    OptionRow{"--since", "<time>", "Lines from 10m ago, or from 2026-11-23T10:00."},
    OptionRow{"--until", "<time>", "Lines up to this time."},
    OptionRow{"--level", "<level>",
              "Lines of this level and worse: debug, info, warn, error, fatal."},
    OptionRow{"--grep", "<pattern>", "Lines that match this regular expression."},
    OptionRow{"--port", "[port]", "Listen on this port (8080)."},
    OptionRow{"--host", "<address>", "Listen on this address only; :: for IPv6 too (0.0.0.0)."},
    OptionRow{"--spa", "", "Single page app: paths that no file has are the homepage's."},
    OptionRow{"--ftp", "", "Folders without an index.html list what is in them."},
    OptionRow{"--dotfiles", "", "Serve files and folders whose name begins with a dot, too."},
    OptionRow{"--access-log", "", "Print a line for each answer, not only for failures."},
    OptionRow{"--basic-auth-username", "[name]", "Who may read, with a password."},
    OptionRow{"--basic-auth-password", "[password]",
              "That password; or set PM2_SERVE_BASIC_AUTH_PASSWORD, which other users do not see."},
    OptionRow{"--monitor", "[name]", "Accepted for PM2's sake; without effect."},
    // Accepted because PM2's users have them in scripts; each is without effect here.
    OptionRow{"--formatted", "", "Lines with id and name of their app in front."},
    OptionRow{"--format", "", "Lines as timestamp=… app=… id=… type=… message=…"},
    OptionRow{"--delay", "<seconds>", "Wait before anything is started."},
    OptionRow{"--secret", "<text>", "Accepted for PM2's sake; without effect."},
    OptionRow{"--public", "<text>", "Accepted for PM2's sake; without effect."},
    OptionRow{"--machine-name", "<text>", "Accepted for PM2's sake; without effect."},
    OptionRow{"--web", "[port]", "Accepted for PM2's sake; without effect."},
    OptionRow{"--no-auto-exit", "", "Accepted for PM2's sake; without effect."},
    OptionRow{"--rollback", "",
              "Go back to the program, arguments and environment that ran before the last change."},
    OptionRow{"--parallel", "<number>",
              "Of a reload: workers of an app that are replaced at a time, after the first."},
    OptionRow{"-w,--write", "", "Of start: write what is started to <name>-pm2.json, too."},
    OptionRow{"--no-daemon", "",
              "Of start and serve: in the foreground, as a container does (pmx run)."},
};

bool has_word(std::string_view words, std::string_view word) {
  return (" " + std::string(words) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

}  // namespace

std::vector<OptionRow> all_options() {
  std::vector<OptionRow> rows(kOwnOptions.begin(), kOwnOptions.end());
  for (const config::Setting& setting : config::settings())
    if (!setting.options.empty())
      rows.push_back({setting.options, setting.value, setting.help, true});
  return rows;
}

std::vector<OptionRow> options_of(std::string_view names) {
  std::vector<OptionRow> rows;
  for (const OptionRow& row : kOwnOptions)
    if (has_word(names, long_name(row.names))) rows.push_back(row);
  if (has_word(names, "app"))
    for (const config::Setting& setting : config::settings())
      if (!setting.options.empty())
        rows.push_back({setting.options, setting.value, setting.help, true});
  return rows;
}

}  // namespace pmx::cli
