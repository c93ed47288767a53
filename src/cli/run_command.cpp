// `pmx run -- program`: this process becomes the keeper of one app and ends as the app ends, which
// is what a container wants of its first process.
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"
#include "cli/app_request.h"
#include "cli/daemon_boot.h"
#include "cli/handlers.h"
#include "cli/session.h"
#include "config/app_config.h"
#include "supervisor/keeper_start.h"

namespace pmx::cli {
namespace {

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

Error start(Session& session) {
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
  const Result<std::string> program = take_program(session.line);
  if (!program) return program.error();
  const Result<AppSpec> app = script_app(session, *program);
  if (!app) return app.error();

  const std::string file = session.home + "/state/run.json";
  // One by one: what is made on the way to a directory gets everybody's rights.
  for (const std::string& directory : {session.home, session.home + "/state"}) {
    const Result<void> made = RealFs().make_directories(directory, 0700);
    if (!made) return made.error();
  }
  Json content = Json::object({{"app", config::app_to_json(*app)}});
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

int run_foreground(Session& session) { return failed(session, start(session)); }

}  // namespace pmx::cli
