#include "cli/program.h"
#include "base/path.h"
#include "cli/home.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "cli/command_table.h"
#include "cli/daemon_boot.h"
#include "cli/daemon_command.h"
#include "cli/file_server_command.h"
#include "cli/handlers.h"
#include "cli/help_text.h"
#include "cli/not_offered.h"
#include "cli/option_table.h"
#include "cli/session.h"
#include "config/nearest.h"

namespace pmx::cli {
namespace {

int unknown_command(Console& console, const CommandLine& line) {
  const std::string& word = line.words.front();
  if (const NotOffered* const row = find_not_offered(word)) {
    // Test suites begin with `pm2 link delete`.
    const bool harmless =
        row->harmless || (word == "link" && line.words.size() > 1 && line.words[1] == "delete");
    console.warn(word + ": " + std::string(row->line));
    return harmless ? 0 : 1;
  }
  const auto names = command_names();
  console.error("Command not found: " + word + config::suggestion(word, names));
  console.notice("pmx help lists the commands");
  return 1;
}

int misused(Console& console, const std::string& line) {
  console.error(line);
  return 1;
}

Result<Session> make_session(CommandLine line, Console console, const std::string& called_as) {
  std::error_code unreachable;
  const std::string physical = std::filesystem::current_path(unreachable).string();
  if (unreachable) return invalid("the current directory is gone: cd to one that is there");
  Environment env = current_environment();
  const std::string cwd = shell_directory(env, physical);
  std::string home = PMX_TRY(choose_home(env, called_as, cwd));
  auto start = [home, console]() mutable -> Result<void> {
    PMX_TRY(refuse_pm2_home(home));  // Before we say that we spawn anything.
    console.notice("Spawning pmx daemon with home=" + home);
    return boot_daemon(home);
  };
  return Session{std::move(line),
                 "",
                 console,
                 std::move(env),
                 cwd,
                 called_as,
                 home,
                 ApiClient(home, std::move(start)),
                 RealClock()};
}

// `pm2-runtime start app.js` and `pm2-runtime app.js`, as containers' images have it.
bool is_runtime_name(std::string_view called_as) {
  const std::string_view name = base_name(called_as);
  return name == "pm2-runtime" || name == "pm2-docker" || name == "pmx-runtime";
}

void take_as_runtime(CommandLine& line) {
  if (line.words.empty() && line.app_args.empty()) return;
  if (!line.words.empty() && line.words.front() == "start") line.words.erase(line.words.begin());
  line.words.insert(line.words.begin(), std::string(kForegroundCommand));
}

// As PM2 does, but not into a script's data: on stderr.
void warn_of_other_version(Session& session) {
  const std::string& running = session.client.daemon_version();
  if (running.empty() || running == PMX_VERSION) return;
  session.console.warn("the daemon in " + session.home + " is pmx " + running + ", this is " +
                       PMX_VERSION + ": `pmx update` changes it, and restarts nothing");
}

// Options that an app may well have itself: taken here and without effect, they would be missed
// there.
constexpr std::array<std::string_view, 4> kOnlyWhereMeant{"port", "host", "spa", "dotfiles"};

std::string misplaced_option(const CommandLine& line, const Command& command) {
  const std::vector<OptionRow> meant = options_of(command.options);
  for (const std::string_view name : kOnlyWhereMeant)
    if (line.has(name) && std::none_of(meant.begin(), meant.end(), [&](const OptionRow& row) {
          return long_name(row.names) == name;
        }))
      return std::string(name);
  return "";
}

int dispatch(CommandLine line, Console& console, const std::string& called_as) {
  if (line.has("version"))
    line.words = {"version"};
  else if (is_runtime_name(called_as))
    take_as_runtime(line);
  if (line.words.empty()) {
    console.data(usage_text());
    return line.has("help") ? 0 : 1;
  }
  const std::string word = line.words.front();
  const Command* command = find_command(word);
  if (command == nullptr) return unknown_command(console, line);
  const bool starts_in_foreground = line.has("no-daemon") && command->name == "start";
  if (starts_in_foreground) command = find_command(kForegroundCommand);
  if (line.has("no-daemon") && command->name != kServeCommand &&
      command->name != kForegroundCommand)
    return misused(console, "--no-daemon is for start and serve, which then run in the foreground");
  if (line.has("help")) {
    console.data(usage_text(*command));
    return 0;
  }
  if (const std::string option = misplaced_option(line, *command); !option.empty())
    return misused(console, "unknown option `--" + option + "': an app's own stand behind --");
  line.words.erase(line.words.begin());
  Result<Session> session = make_session(std::move(line), console, called_as);
  if (!session) {
    console.error(session.error().message());
    return 1;
  }
  session->command = command->name;
  session->starts_in_foreground = starts_in_foreground;
  const int exit_code = command->handler(*session);
  warn_of_other_version(*session);
  return exit_code;
}

}  // namespace

int failed(Session& session, const Error& error) {
  session.console.error(error.message());
  return 1;
}

int missing_argument(Session& session, std::string_view name) {
  session.console.error("missing required argument `" + std::string(name) + "': see pmx help " +
                        session.command);
  return 1;
}

void print_messages(Session& session, const Json& answer) {
  for (const Json& message : answer["messages"].items()) session.console.warn(message.as_string());
}

int run_program(int argc, char** argv) {
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  // The keeper's words to what it starts are not PM2's: they come before any other parsing.
  if (!words.empty() && words.front() == "daemon")
    return run_daemon_command({words.begin() + 1, words.end()});
  if (!words.empty() && words.front() == kFileServerCommand)
    return run_file_server_command({words.begin() + 1, words.end()});
  const std::vector<OptionRow> rows = all_options();
  Result<CommandLine> line = parse_command_line(rows, words);
  if (!line) {
    Console console(Console::detect(false, false));
    return misused(console, line.error().message());
  }
  Console console(Console::detect(line->has("silent"), line->has("no-color")));
  return dispatch(std::move(*line), console, argc > 0 ? argv[0] : "pmx");
}

}  // namespace pmx::cli
