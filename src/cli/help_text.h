// Texts that are made from the tables of commands and options.
#pragma once

#include <string>

#include "cli/command_table.h"

namespace pmx::cli {

std::string usage_text();                        // `pmx` and `pmx help`
std::string usage_text(const Command& command);  // `pmx help start`
std::string man_page();                          // pmx(1), as troff.

}  // namespace pmx::cli
