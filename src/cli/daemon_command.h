// `pmx daemon`, as the keeper starts it: its options are between the two programs and no user's.
#pragma once

#include <string>
#include <vector>

#include "api/daemon.h"
#include "base/result.h"

namespace pmx::cli {

// --home DIR --keeper-fd N --keeper-exe FILE [--run FILE]. `self`: this program, for the next
// keeper.
Result<api::DaemonOptions> parse_daemon_options(const std::vector<std::string>& arguments,
                                                const std::string& self);

int run_daemon_command(const std::vector<std::string>& arguments);

}  // namespace pmx::cli
