// Where pmx keeps everything of one user: logs/, pids/, state/, pmx.log, pmx.sock.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx::cli {

using Environment = std::map<std::string, std::string>;

bool called_as_pm2(std::string_view called_as);  // argv[0]: pm2, pm2-runtime and so on.

// $PMX_HOME, else $PM2_HOME, else ~/.pm2 when called as pm2…, else ~/.pmx; absolute.
Result<std::string> choose_home(const Environment& env, std::string_view called_as,
                                const std::string& cwd);
// For `pmx run`: a container has no PM2 whose home it would share. $PMX_HOME, else ~/.pmx.
Result<std::string> choose_run_home(const Environment& env, const std::string& cwd);

// Refuses a home in which a PM2 daemon answers: two supervisors would share names, logs and ids.
Result<void> refuse_pm2_home(const std::string& home);

Environment current_environment();

// $PWD where that is a name of `physical`, the working directory: a deploy's `current` link is to
// stay one, so that a restart follows it.
std::string shell_directory(const Environment& env, const std::string& physical);

}  // namespace pmx::cli
