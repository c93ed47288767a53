// What a JavaScript expression or module says, as JSON: evaluated by the user's node, bun or deno
// in a process of its own, with the environment, directory and arguments of this one. What it
// prints goes to standard error.
//
// Errors: kNotFound without errno when there is no runtime; kInvalidArgument with the script's own
//         words and line.
// Bounds: a time limit, after which the process is killed; the size of the value.
#pragma once

#include <chrono>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace pmx::config {

inline constexpr std::chrono::milliseconds kScriptTime{10'000};

// "{ apps: [ … ] } // with comments". `name` is the file's, for messages.
Result<Json> expression_value(const std::string& text, const std::string& name,
                              std::chrono::milliseconds limit = kScriptTime);
// `module.exports`, the default export or the named exports of an absolute path; where that is a
// function or a promise, what comes out of it.
Result<Json> module_value(const std::string& path, std::chrono::milliseconds limit = kScriptTime);

}  // namespace pmx::config
