// Which segments a log has, in order: those with an index, those of which only the sealed file is
// left, and the active file of a log that has no index at all.
//
// The directory of the logs may hold tens of thousands of files, so it is read only where the
// numbers of the indexes leave a gap.
//
// Thread:  any, one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/fs.h"
#include "rotate/log_dir.h"

namespace pmx::rotate {

inline constexpr std::uint64_t kUnindexedActive =
    UINT64_MAX;  // In the place of a segment's number.

class SegmentList {
 public:
  SegmentList(Fs& fs, const LogDir& dir) : fs_(fs), dir_(dir) {}

  std::optional<std::uint64_t> newest();
  std::optional<std::uint64_t> before(std::uint64_t segment);
  std::optional<std::uint64_t> after(std::uint64_t segment);
  std::optional<std::uint64_t> oldest();
  void look_again() {
    listed_ = false;
    sealed_.reset();
  }  // Something changed in the index directory.

 private:
  void list();
  const std::vector<std::uint64_t>& sealed();
  bool has_unindexed_active();

  Fs& fs_;
  const LogDir& dir_;
  bool listed_ = false;
  std::vector<std::uint64_t> indexed_;                // Ascending.
  std::optional<std::vector<std::uint64_t>> sealed_;  // Ascending; read when first needed.
};

}  // namespace pmx::rotate
