// From the keeper to a worker or a daemon: everything is made ready before the fork, and the child
// makes system calls only, so that it cannot hang on a lock that nobody will let go.
//
// Thread: the keeper's only one.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "keeper/protocol.h"

namespace pmx::keeper {

// How a child that could not start tells why, over a close-on-exec pipe; its end without a word
// means that exec has taken place.
struct SpawnReport {
  Step step = Step::kNone;
  std::int32_t sys_errno = 0;
};

struct Spawned {
  SpawnReport failure;  // Step::kNone: the child is on its way.
  pid_t pid = 0;
  Fd pidfd;
  Fd report;  // Read end, non-blocking.
};

// `fds` as a SPAWN brings them: the order, then those that `which` names. `dev_null` stands for
// others. The child stores its own pid in `pid` before anything else: if we die right after the
// fork, the next keeper still finds it.
Spawned spawn_worker(const std::vector<Fd>& fds, std::uint32_t which, int dev_null,
                     const TableHeader& limits, std::atomic<std::int32_t>& pid);

// Daemons keep our own raised limits. `inherited` is the one descriptor that goes with it.
Result<pid_t> spawn_daemon(const std::vector<std::string>& arguments, int inherited);

// Best effort: lowering it needs CAP_SYS_RESOURCE. System calls only.
void set_oom_score(int score);

}  // namespace pmx::keeper
