// Makes a keeper and its daemon run in a home, and waits until they answer.
#pragma once

#include <string>

#include "base/result.h"

namespace pmx::cli {

// pmx-keeper beside this program, as it is built and installed.
Result<std::string> keeper_executable();

// Returns once <home>/pmx.sock is listened on. Errors: the keeper's own line; a PM2 in that home;
// no answer within 10 s.
Result<void> boot_daemon(const std::string& home);

// Waits until that process has ended; false after 10 s.
bool wait_for_end(int pid);

}  // namespace pmx::cli
