// `pmx run -- program`, `pmx run ecosystem.config.js`, and as pm2-runtime: this process becomes the
// keeper of these apps and ends as they end, which is what a container wants of its first process.
#include <poll.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"
#include "base/units.h"
#include "cli/app_request.h"
#include "cli/daemon_boot.h"
#include "cli/foreground_run.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "config/app_config.h"
#include "config/ecosystem.h"
#include "supervisor/echo_style.h"
#include "supervisor/keeper_start.h"

namespace pmx::cli {
namespace {

constexpr std::int64_t kMostDelaySeconds = 24 * 3600;

// The program is the first word after `--`, or the first word at all.
Result<std::string> take_program(CommandLine& line) {
  if (!line.words.empty()) {
    std::string program = line.words.front();
    line.app_args.insert(line.app_args.begin(), line.words.begin() + 1, line.words.end());
    return program;
  }
  if (line.app_args.empty())
    return invalid("missing required argument `program': pmx run -- <program> [arguments]");
  std::string program = line.app_args.front();
  line.app_args.erase(line.app_args.begin());
  return program;
}

// pm2-runtime's words and ours; the last of them in its table counts.
supervisor::EchoStyle style_of(const CommandLine& line) {
  auto style = supervisor::EchoStyle::kRaw;
  for (const char* const name : {"formatted", "format", "json"})
    if (line.has(name)) style = *supervisor::echo_style_named(name);
  return line.has("raw") ? supervisor::EchoStyle::kRaw : style;
}

Result<std::vector<AppSpec>> named_apps(Session& session) {
  const CommandLine& line = session.line;
  if (line.words.size() == 1 && config::is_config_file(line.words.front()))
    return ecosystem_apps(session, line.words.front());
  const std::string program = PMX_TRY(take_program(session.line));
  return std::vector{PMX_TRY(script_app(session, program))};
}

// Files for containers say /dev/null so that nothing is kept twice: what is printed comes from the
// home's own logs here, which have their bounds.
void print_all_of(AppSpec& app) {
  app.disable_logs = false;
  for (std::string* const file : {&app.out_file, &app.error_file})
    if (*file == "/dev/null" || *file == "NULL" || *file == "null" || *file == "false")
      file->clear();
}

// pm2-runtime's --delay: seconds before anything is started.
Result<void> wait_first(const CommandLine& line) {
  if (!line.has("delay")) return {};
  const auto seconds = parse_integer(line.value("delay"));
  if (!seconds || *seconds < 0 || *seconds > kMostDelaySeconds)
    return invalid("--delay: seconds from 0 to " + std::to_string(kMostDelaySeconds) + ", not \"" +
                   line.value("delay") + "\"");
  (void)::poll(nullptr, 0, static_cast<int>(*seconds) * 1000);
  return {};
}

Error start(Session& session, AppsToRun apps_to_run) {
  session.command = kForegroundCommand;
  Result<std::string> home = choose_run_home(session.env, session.cwd);
  if (!home) return home.error();
  session.home = *home;
  const Result<void> free = refuse_pm2_home(session.home);
  if (!free) return free.error();
  // Before anything is written: run.json is what the next daemon of that home goes by.
  if (ApiClient(session.home, {}).running())
    return Error(Errc::kExists, "pmx runs already in " + session.home +
                                    ": end it (PMX_HOME=" + session.home +
                                    " pmx kill), or give this one a home of its own: "
                                    "PMX_HOME=<directory> pmx run …");
  Result<std::vector<AppSpec>> apps = apps_to_run(session);
  if (!apps) return apps.error();
  const Result<void> waited = wait_first(session.line);
  if (!waited) return waited.error();

  const std::string file = session.home + "/state/run.json";
  // One by one: what is made on the way to a directory gets everybody's rights.
  for (const std::string& directory : {session.home, session.home + "/state"}) {
    const Result<void> made = RealFs().make_directories(directory, 0700);
    if (!made) return made.error();
  }
  Json list = Json::array();
  for (AppSpec& app : *apps) {
    print_all_of(app);
    list.push_back(config::app_to_json(app));
  }
  Json content = Json::object({{"apps", list}, {"output", name_of(style_of(session.line))}});
  add_ship_secrets(session, content);
  // 0600: it holds the whole environment, and secrets of sinks.
  const Result<void> written = RealFs().replace_file(file, content.dump(), 0600);
  if (!written) return written.error();

  supervisor::StartKeeperOptions options;
  Result<std::string> keeper = keeper_executable();
  if (!keeper) return keeper.error();
  options.keeper_executable = *keeper;
  options.daemon_executable = sys::self_exe();
  options.home = session.home;
  options.daemon_options = {"--run", file};
  options.foreground = true;
  return supervisor::exec_keeper(std::move(options));
}

}  // namespace

int run_in_foreground(Session& session, AppsToRun apps_to_run) {
  return failed(session, start(session, apps_to_run));
}

int run_foreground(Session& session) { return run_in_foreground(session, &named_apps); }

}  // namespace pmx::cli
