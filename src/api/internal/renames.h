// Apps that a restart gives another name (`--name`), where that concerns more than one process:
// those that share sockets. Their sockets go with the name, so that the address stays open.
//
// Thread:  control. It reads only.
// Errors:  kExists where they cannot be renamed; nothing has happened then.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/supervisor.h"

namespace pmx::api {

// From the old name to the new one. `specs`: what each of `ids` starts with; nullopt, as it is.
Result<std::map<supervisor::AppKey, supervisor::AppKey>> renames_of(
    const supervisor::Supervisor& workers, const std::vector<WorkerId>& ids,
    const std::vector<std::optional<AppSpec>>& specs);

// What to type instead of what was refused.
std::string restart_line(const supervisor::AppKey& from, const supervisor::AppKey& to);

}  // namespace pmx::api
