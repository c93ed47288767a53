// Files of variables, as dotenv reads them: NAME=value lines, `export ` before a name, # comments.
// 'single' and `backtick` quotes keep what is in them, "double" ones know \n \r \t \" \\ and \$;
// all three may go over several lines. Without quotes a value ends at a # or at the line's end.
// Nothing is expanded and no command is run.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pmx {

// Of a name that stands there twice the last counts. The error says the line, never a value.
Result<std::map<std::string, std::string>> parse_dotenv(std::string_view text);

}  // namespace pmx
