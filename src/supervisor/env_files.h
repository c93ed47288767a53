// The variables of an app's env_file. They are read at each start of a worker and live in its
// environment only: no list, dump or state has them.
//
// Thread:  control; and the CLI, which looks before it asks for a start.
// Errors:  one line with the file's name and never a value of it.
// Bounds:  kMaxEnvFileBytes a file.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "model/app_spec.h"
#include "supervisor/spawn_request.h"

namespace pmx::supervisor {

inline constexpr std::size_t kMaxEnvFileBytes = 1U << 20U;

// As `identity` can read the files. A later file's variable stands over an earlier one's.
Result<std::map<std::string, std::string>> read_env_files(const AppSpec& app,
                                                          const std::optional<Identity>& identity);

}  // namespace pmx::supervisor
