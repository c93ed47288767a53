// Which segments a log has, in order: those with an index, those of which only the sealed file is
// left, and the active file of a log that has no index at all.
//
// The directory of the logs may hold tens of thousands of files, so it is read only where the
// numbers of the indexes leave a gap.
//
// Thread:  any, one at a time.
// Errors:  of a directory that cannot be read; it is read again at the next call. To take it for an
//          empty one would leave lines out.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "rotate/log_dir.h"

namespace pmx::rotate {

inline constexpr std::uint64_t kUnindexedActive =
    UINT64_MAX;  // In the place of a segment's number.

class SegmentList {
 public:
  // `unindexed`: an active file without an index counts as a segment.
  SegmentList(Fs& fs, const LogDir& dir, bool unindexed)
      : fs_(fs), dir_(dir), unindexed_(unindexed) {}

  using Found = Result<std::optional<std::uint64_t>>;  // nullopt: there is none.
  Found newest();
  Found before(std::uint64_t segment);
  Found after(std::uint64_t segment);
  Found oldest();
  void look_again() {
    listed_ = false;
    sealed_.reset();
  }  // Something changed in the index directory.

 private:
  Result<void> list();
  Found unindexed_or_newest();
  Result<void> list_sealed();
  Result<bool> has_unindexed_active();

  Fs& fs_;
  const LogDir& dir_;
  const bool unindexed_;
  bool listed_ = false;
  std::vector<std::uint64_t> indexed_;                // Ascending.
  std::optional<std::vector<std::uint64_t>> sealed_;  // Ascending; read when first needed.
};

}  // namespace pmx::rotate
