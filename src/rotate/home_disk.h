// The bound of a whole home: what the sealed files of all its logs, of deleted apps too, may take.
//
// Two limits may hold. The size counts every sealed file, wherever it is. The share of the disk
// that is kept free concerns only files on the home's own file system, and gives way where others
// fill it: below 128 MiB nothing of ours is removed for their sake, or one full disk would cost all
// history and help nobody.
//
// Thread:  any.
// Errors:  what cannot be listed or removed does not keep the others; the first such error is
// returned
//          in the end.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "rotate/log_dir.h"
#include "rotate/retention.h"

namespace pmx::rotate {

struct HomeLog {
  LogDir dir;
  Fs* files;  // With the rights of the log's owner, one for all of his; outlives the call.
  std::uint64_t floor_segment = kNoFloor;
};
struct HomeLimit {
  std::uint64_t max_disk_bytes =
      0;                          // 0: 10% of the home's file system, at most 4 GiB, 15% kept free.
  std::uint64_t other_bytes = 0;  // What else counts: pmx.log, dead letters.
};
struct RemovedSegment {
  std::string active_path;  // Which log's.
  std::uint64_t segment = 0;
  bool still_needed = false;  // It was at or above the log's floor: its lines are lost to somebody.
};
struct HomeResult {
  std::uint64_t sealed_bytes = 0;  // What is left.
  std::uint64_t bytes_removed = 0;
  std::vector<RemovedSegment> removed;
};

// Removes the oldest sealed segments of all logs while they take more than the limit: first what
// nobody needs, leaving each log one; then what is needed; then the last ones.
Result<HomeResult> enforce_max_disk(Fs& state, const std::string& state_directory,
                                    std::span<const HomeLog> logs, const HomeLimit& limit);

}  // namespace pmx::rotate
