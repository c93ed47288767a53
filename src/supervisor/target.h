// Which workers a word on the command line means, in PM2's order: all, /regex/, name or script
// path, namespace, id. The errors are PM2's words, because scripts look for them.
//
// Thread:  any; pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/ids.h"

namespace pmx::supervisor {

struct TargetCandidate {
  WorkerId id;
  std::string name;
  std::string app_namespace;
  std::string script;
};

// `cwd` is the caller's: a relative path to a script is a name too. Never empty when it is a value.
Result<std::vector<WorkerId>> resolve_target(std::string_view target, std::string_view cwd,
                                             const std::vector<TargetCandidate>& candidates);

}  // namespace pmx::supervisor
