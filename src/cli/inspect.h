// A JSON value as Node's util.inspect(value, {depth: null, colors: false}) prints it: scripts grep
// the output of `pm2 prettylist`.
#pragma once

#include <string>

#include "base/json.h"

namespace pmx::cli {

std::string inspect(const Json& value);

}  // namespace pmx::cli
