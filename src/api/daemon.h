// The daemon: where keeper link, pipeline, supervisor and API are put together. Recovery is the
// start path: every daemon begins with what the keeper holds, the first with nothing.
#pragma once

#include <string>
#include <vector>

namespace pmx::api {

struct DaemonOptions {
  std::string home;  // Absolute.
  int keeper_fd = -1;
  std::string keeper_executable;  // For the next keeper, should this one die.
  std::vector<std::string> keeper_arguments;
  std::string run_file;  // Foreground: a file {"app":…,"ship_secrets":…}; "": the list of apps.
};

// Until the keeper is told to end, or something is so wrong that the next daemon must try. The
// keeper gives its own exit code to whoever waits for it; ours only tells it whether we crashed.
int run_daemon(const DaemonOptions& options);

}  // namespace pmx::api
