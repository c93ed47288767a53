// What a JavaScript expression or module says, as JSON: evaluated by the user's node, bun or deno
// in a process of its own.
//
// Errors: kNotFound without errno when none of them is in PATH.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace pmx::config {

Result<Json> expression_value(const std::string& text);  // "{ apps: [ … ] } // with comments"
// `module.exports`, or the default export, or the named exports.
Result<Json> module_value(const std::string& path);

}  // namespace pmx::config
