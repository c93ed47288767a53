// The sealed files of a log put together by segment: what retention counts and removes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "rotate/log_dir.h"

namespace pmx::rotate::internal {

struct SealedSegments {
  struct One {
    std::uint64_t segment = 0;
    std::vector<SealedFile> files;  // More than one: a crash between packing and removing.
    std::int64_t sealed_ns = 0;     // By its stamp.
    std::uint64_t size_bytes() const;
    std::uint64_t disk_bytes() const;  // What removing it gains.
  };
  std::vector<One> segments;  // Oldest first.
};

Result<SealedSegments> sealed_segments(Fs& files, const LogDir& dir);
// Of a listing of the log's directory.
Result<SealedSegments> sealed_segments(Fs& files, const LogDir& dir,
                                       std::span<const std::string> names);

// Text first, then the index; what is gone already is fine.
Result<void> remove_segment(Fs& files, Fs& state, const LogDir& dir,
                            const SealedSegments::One& segment);
Result<void> remove_if_there(Fs& fs, const std::string& path);

}  // namespace pmx::rotate::internal
