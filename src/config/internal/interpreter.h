// Which program runs a script.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "model/app_spec.h"

namespace pmx::config {

// Sets interpreter (and interpreter_args, PYTHONUNBUFFERED) of `app`, whose script, env and cwd are
// resolved. `given`: the user named the interpreter, else it follows from the script.
Result<void> choose_interpreter(AppSpec& app, bool given);

}  // namespace pmx::config
