// What a user should know of an app that is about to be started or stopped: one line each, and none
// of them an error.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/app_spec.h"
#include "supervisor/worker_record.h"

namespace pmx::api {

// Bytes that all of us together may have: of the machine, or of the cgroups that we are in
// (cgroups(7): memory.max, and v1's memory.limit_in_bytes, on the way up). 0: not known.
struct MemoryBound {
  std::uint64_t bytes = 0;
  bool of_cgroup = false;
};
using ReadText = std::function<std::string(const std::string& path)>;  // "": it cannot be read.
MemoryBound memory_bound(const ReadText& read);
MemoryBound memory_bound();

// `port_sharing`: of its workers, as Supervisor says it.
std::vector<std::string> start_warnings(const AppSpec& app, const MemoryBound& bound,
                                        std::string_view port_sharing);
// Of those that have been stopped and are started again by their cron_restart; one for each app.
std::vector<std::string> stop_warnings(const std::vector<const supervisor::WorkerRecord*>& stopped);

}  // namespace pmx::api
