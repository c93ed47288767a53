// From an app as the user asked for it to everything that exec needs: program, arguments,
// environment and identity, resolved before the fork so that each mistake is one clear line.
//
// Thread:  control.
// Errors:  kInvalidArgument and kNotFound for what the user can put right.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "supervisor/keeper_link.h"
#include "supervisor/worker_record.h"

namespace pmx::supervisor {

struct Identity {
  std::string name;  // "" where the number has no entry.
  std::string home;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};
// nullopt where the app keeps our own. Only root may change it; names and numbers from passwd and
// group.
Result<std::optional<Identity>> identity_of(const AppSpec& app);

// The environment of a worker: the app's own and PM2's small set, and nothing of the configuration.
std::vector<std::string> environment_of(const WorkerRecord& worker, const std::string& home,
                                        const std::optional<Identity>& identity);

// Absolute path of a program: as it is, or found in the PATH that the app has.
Result<std::string> find_program(const std::string& program, const AppSpec& app);

// Without descriptors: those are the launcher's.
Result<SpawnRequest> spawn_request_of(const WorkerRecord& worker, RunId run,
                                      const std::string& home,
                                      const std::optional<Identity>& identity);

}  // namespace pmx::supervisor
