#include "cli/daemon_command.h"

#include "base/sys.h"
#include "base/units.h"
#include "cli/console.h"
#include "supervisor/keeper_start.h"

namespace pmx::cli {

Result<api::DaemonOptions> parse_daemon_options(const std::vector<std::string>& arguments,
                                                const std::string& self) {
  api::DaemonOptions options;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string& name = arguments[i];
    if (i + 1 == arguments.size()) return invalid("daemon: " + name + " needs a value");
    const std::string& value = arguments[i + 1];
    if (name == "--home") {
      options.home = value;
    } else if (name == "--keeper-exe") {
      options.keeper_executable = value;
    } else if (name == "--run") {
      options.run_file = value;
    } else if (name == "--keeper-fd") {
      const std::int64_t fd = PMX_TRY_WITHIN("daemon: --keeper-fd", parse_integer(value));
      options.keeper_fd = static_cast<int>(fd);
    } else {
      return invalid("daemon: unknown option " + name);
    }
  }
  if (!options.home.starts_with('/') || options.keeper_fd < 0)
    return invalid("daemon: it is started by pmx-keeper; you want `pmx start` or `pmx run`");
  supervisor::StartKeeperOptions keeper;
  keeper.keeper_executable = options.keeper_executable;
  keeper.home = options.home;
  keeper.daemon_executable = self;
  keeper.foreground = !options.run_file.empty();
  if (keeper.foreground) keeper.daemon_options = {"--run", options.run_file};
  options.keeper_arguments = supervisor::keeper_arguments(keeper);
  return options;
}

int run_daemon_command(const std::vector<std::string>& arguments) {
  const Result<api::DaemonOptions> options = parse_daemon_options(arguments, sys::self_exe());
  if (options) return api::run_daemon(*options);
  Console(Console::Options()).error(options.error().message());
  return 1;
}

}  // namespace pmx::cli
