// Which sealed segments go, and when. The active file, and the index of a segment that is not yet
// renamed, are never touched.
//
// A segment goes oldest first, its data before its index: an index without data is found and
// removed by the next pass, data without its index would have to be framed again.
//
// Thread:  any; two at a time are harmless, as what is gone already is no error.
// Errors:  a file that cannot be removed does not keep the others; the first such error is returned
// in
//          the end.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "model/log_spec.h"
#include "rotate/log_dir.h"

namespace pmx::rotate {

// The first segment that somebody still needs: it and all later ones stay.
inline constexpr std::uint64_t kNoFloor = std::numeric_limits<std::uint64_t>::max();

struct RetentionResult {
  std::uint64_t files_removed = 0;  // Of text, plain or packed.
  std::uint64_t bytes_removed = 0;
  std::vector<std::uint64_t>
      segments;  // Gone for good; a plain file whose archive stays is not in it.
};

// Applies the log's own bounds: count, age by the stamp in the name, total size. Also finishes what
// a crash left: plain files whose archive is there, and indexes whose text is gone.
Result<RetentionResult> retire(Fs& files, Fs& state, const LogDir& dir, const RotatePolicy& policy,
                               std::int64_t now_ns, std::uint64_t floor_segment);

// The disk is full: removes this log's oldest sealed segments, down to one, until `bytes` are
// gained.
Result<RetentionResult> free_space(Fs& files, Fs& state, const LogDir& dir, std::uint64_t bytes,
                                   std::uint64_t floor_segment = kNoFloor);

// Archives that a crash left half written: "<sealed name>.tmp". Only while nothing is packing this
// log.
Result<void> remove_half_archives(Fs& files, const LogDir& dir);

// Whether `archive` holds all of the sealed text in `plain`, so that `plain` may go.
bool holds_all_of(Fs& files, const SealedFile& archive, const SealedFile& plain);

}  // namespace pmx::rotate
