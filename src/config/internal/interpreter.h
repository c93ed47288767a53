// Which program runs a script.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "model/app_spec.h"

namespace pmx::config {

// Sets interpreter and interpreter_args of `app`, whose script, env and cwd are
// resolved. `given`: the user named the interpreter, else it follows from the script.
// `version_cache` as node_version.h has it.
Result<void> choose_interpreter(AppSpec& app, bool given, const std::string& version_cache);

}  // namespace pmx::config
