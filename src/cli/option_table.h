// Every option of the command line: those of apps from config's table, and the program's own.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "cli/command_line.h"

namespace pmx::cli {

std::vector<OptionRow> all_options();
// The rows whose first long name is among `names` (separated by spaces), plus the settings of apps
// where `names` contains "app".
std::vector<OptionRow> options_of(std::string_view names);

}  // namespace pmx::cli
