// From the command line to a running keeper: the home's lock, the detaching, our own limits.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace pmx::keeper {

struct CommandLine {
  std::string home;    // Absolute.
  std::string daemon;  // Absolute.
  bool foreground = false;
  int lock_fd = -1;   // Inherited and already ours; -1: take the lock.
  int adopt_fd = -1;  // A daemon's socket; -1: start a daemon.
  int held_fd = -1;   // After an exec in place: what the program before us held.
  std::vector<std::string> extra;
  bool help = false, version = false;
};

Result<CommandLine> parse(const std::vector<std::string>& arguments);

// The whole program. Exit codes: 0 (detached: the keeper's pid is printed), the daemon's QUIT code
// (foreground), kExitHomeTaken, 1 for everything else, with one line on stderr.
int keeper_main(int argc, char** argv);

}  // namespace pmx::keeper
