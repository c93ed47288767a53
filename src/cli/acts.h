// What a command does to apps that are listed, and what PM2 calls it in the lines that it prints.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace pmx::cli {

struct Session;

struct Act {
  std::string_view action;
  std::string_view shown;
};
inline constexpr Act kStop{"stop", "stopProcessId"};
inline constexpr Act kRestart{"restart", "restartProcessId"};
inline constexpr Act kReload{"reload", "reloadProcessId"};
inline constexpr Act kDelete{"delete", "deleteProcessId"};

// act_commands.cpp. Asks the daemon, with what the line says of the action itself; `extra` are more
// members of the request.
Result<Json> ask(Session& session, std::string_view action, const std::string& target,
                 const Json& extra);
// Of the daemon's answer about what `word` meant.
void print_outcome(Session& session, const Act& act, const std::string& word, const Json& answer);

// start_command.cpp: apps of the file that are listed are restarted, or reloaded, with what it says
// now, the others are started.
Result<void> bring_up_file(Session& session, const Act& act, const std::string& file);

}  // namespace pmx::cli
