// Where an app and its surroundings have drifted apart since it was started: variables of the
// shell, and the file that it was read from. Names, never values.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cli/home.h"
#include "cli/session.h"
#include "model/app_spec.h"

namespace pmx::cli {

struct EnvDifference {
  std::vector<std::string> changed, added, gone;  // Added: only the shell has it.
};
// Without `own` (what the app says itself) and what differs from one terminal to the next anyway.
EnvDifference env_difference(const Environment& app, const std::set<std::string>& own,
                             const Environment& shell);
std::string text_of(const EnvDifference& difference);  // "A, new: B, gone: C"; "" for none.

// Settings, by their keys, and variables, as env.NAME, in which what a file says now differs.
std::vector<std::string> spec_difference(const AppSpec& running, const AppSpec& file);

// Before a restart by name, which takes over neither: one line each, grouped by apps. An unknown
// target is left for the restart to say.
void say_what_differs(Session& session, const std::string& target);

}  // namespace pmx::cli
