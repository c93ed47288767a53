// Every command, one row each: dispatch, help, completions and the man page read it.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

namespace pmx::cli {

struct Session;
using Handler = int (*)(Session&);  // The exit code.

enum class Words {
  kNone,
  kTargets,
  kFiles,
  kSettings
};  // What follows the command, for completion.

struct Command {
  std::string_view name;
  std::string_view aliases;  // Separated by spaces.
  std::string_view usage;    // After "pmx ".
  std::string_view summary;  // "" hides the command from help.
  Words words;
  std::string_view options;  // As option_table.h options_of().
  Handler handler;
  std::string_view choices = "";  // What the first word may be, where that is one of a few.
};

std::span<const Command> commands();
const Command* find_command(std::string_view name);  // By name or alias.
std::vector<std::string_view> command_names();       // With aliases, without what is hidden.

}  // namespace pmx::cli
