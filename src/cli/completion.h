// Scripts that complete commands and options in bash, zsh and fish, made from the tables.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx::cli {

Result<std::string> completion_script(std::string_view shell);

}  // namespace pmx::cli
