#include "rotate/internal/segment_list.h"

#include <algorithm>
#include <utility>

namespace pmx::rotate {

void SegmentList::list() {
  if (std::exchange(listed_, true)) return;
  indexed_ = dir_.index_segments(fs_).value_or(
      {});  // An unreadable directory is an empty one to a reader.
}

const std::vector<std::uint64_t>& SegmentList::sealed() {
  if (!sealed_) {
    sealed_.emplace();
    for (const SealedFile& file : dir_.sealed_files(fs_).value_or({}))
      if (sealed_->empty() || sealed_->back() != file.name.segment)
        sealed_->push_back(file.name.segment);
  }
  return *sealed_;
}

bool SegmentList::has_unindexed_active() {
  const auto info = fs_.info(dir_.active_path());
  return info && info->is_regular;
}

std::optional<std::uint64_t> SegmentList::newest() {
  list();
  if (!indexed_.empty()) return indexed_.back();
  if (has_unindexed_active()) return kUnindexedActive;
  return sealed().empty() ? std::nullopt : std::optional(sealed().back());
}

std::optional<std::uint64_t> SegmentList::oldest() {
  list();
  std::optional<std::uint64_t> first;
  if (!indexed_.empty()) first = indexed_.front();
  // Number 1 is the first that there ever is.
  if (first != 1U && !sealed().empty())
    first = std::min(first.value_or(UINT64_MAX), sealed().front());
  return first ? first : newest();
}

std::optional<std::uint64_t> SegmentList::before(std::uint64_t segment) {
  list();
  if (segment <= 1) return std::nullopt;
  const auto indexed = std::lower_bound(indexed_.begin(), indexed_.end(), segment);
  std::optional<std::uint64_t> best;
  if (indexed != indexed_.begin()) best = *std::prev(indexed);
  if (best == segment - 1) return best;
  const auto found = std::lower_bound(sealed().begin(), sealed().end(), segment);
  if (found != sealed().begin()) best = std::max(best.value_or(0), *std::prev(found));
  return best;
}

std::optional<std::uint64_t> SegmentList::after(std::uint64_t segment) {
  list();
  if (segment == kUnindexedActive)
    return indexed_.empty() ? std::nullopt : std::optional(indexed_.front());
  if (!indexed_.empty() && segment >= indexed_.back()) {
    // The live end, asked at each wakeup: one stat.
    if (!fs_.info(dir_.index_path(segment + 1))) return std::nullopt;
    indexed_.push_back(segment + 1);
    return segment + 1;
  }
  const auto indexed = std::upper_bound(indexed_.begin(), indexed_.end(), segment);
  std::optional<std::uint64_t> best;
  if (indexed != indexed_.end()) best = *indexed;
  if (best == segment + 1) return best;
  const auto found = std::upper_bound(sealed().begin(), sealed().end(), segment);
  if (found != sealed().end()) best = std::min(best.value_or(UINT64_MAX), *found);
  // Not behind a segment that is not sealed: its text is in the active file, and has been read.
  const bool was_sealed = std::binary_search(sealed().begin(), sealed().end(), segment);
  if (!best && was_sealed && has_unindexed_active()) best = kUnindexedActive;
  return best;
}

}  // namespace pmx::rotate
