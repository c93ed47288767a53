// Apps in the foreground: this process becomes their keeper, and ends as they end.
#pragma once

#include <vector>

#include "base/result.h"
#include "cli/session.h"
#include "model/app_spec.h"

namespace pmx::cli {

// Asked once the home is known, with `session.command` as kForegroundCommand.
using AppsToRun = Result<std::vector<AppSpec>> (*)(Session&);

// Comes back only where it could not begin: the error is printed, and this is the exit code.
int run_in_foreground(Session& session, AppsToRun apps_to_run);

}  // namespace pmx::cli
