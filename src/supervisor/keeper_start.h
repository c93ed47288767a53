// Starting a pmx-keeper: detached from a command line, in our place for the foreground, or beside a
// daemon that has lost its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::supervisor {

struct StartKeeperOptions {
  std::string keeper_executable;            // Absolute.
  std::string home;                         // Absolute.
  std::string daemon_executable;            // Absolute; called with `daemon`.
  std::vector<std::string> daemon_options;  // More of the daemon's own.
  bool foreground = false;                  // For exec_keeper only.
};

// The keeper's command line without the program; also what KeeperLink::Options wants.
std::vector<std::string> keeper_arguments(const StartKeeperOptions& options);

// A detached keeper's pid, once it holds the home. Its own line where it does not: kExists when
// another keeper has the home.
Result<pid_t> start_keeper(const StartKeeperOptions& options);

// The line of `pmx-keeper --version`: who is to become another keeper is asked first.
std::string keeper_version_line();  // Of one that was built with this program.
std::uint32_t keeper_protocol();    // Which that one speaks, and the keeper of who has connected.
Result<std::string> keeper_version_line(const std::string& keeper_executable);

// Becomes the keeper, in this process: for the foreground. Returns only with an error.
Error exec_keeper(StartKeeperOptions options);

// A keeper that takes this daemon over, no child of ours. The answer is our end of its socket,
// which is at its end at once where the keeper could not start.
Result<Fd> start_adopting_keeper(const std::string& keeper_executable,
                                 const std::vector<std::string>& arguments, int lock_fd);

}  // namespace pmx::supervisor
