#include "rotate/internal/segment_list.h"

#include <algorithm>

namespace pmx::rotate {
namespace {

// False: nothing of that name. What else can go wrong is no answer.
Result<bool> is_there(Fs& fs, const std::string& path) {
  const auto info = fs.info(path);
  if (info) return info->is_regular;
  if (info.error().code() == Errc::kNotFound) return false;
  return info.error();
}

}  // namespace

Result<void> SegmentList::list() {
  if (listed_) return {};
  indexed_ = PMX_TRY(dir_.index_segments(fs_));
  listed_ = true;
  return {};
}

Result<void> SegmentList::list_sealed() {
  if (sealed_) return {};
  const std::vector<SealedFile> files = PMX_TRY(dir_.sealed_files(fs_));
  sealed_.emplace();
  for (const SealedFile& file : files)
    if (sealed_->empty() || sealed_->back() != file.name.segment)
      sealed_->push_back(file.name.segment);
  return {};
}

Result<bool> SegmentList::has_unindexed_active() {
  return unindexed_ ? is_there(fs_, dir_.active_path()) : Result<bool>(false);
}

// A new log's index comes before its first byte: one that was not there when we looked may be now.
SegmentList::Found SegmentList::unindexed_or_newest() {
  if (!PMX_TRY(has_unindexed_active())) return std::optional<std::uint64_t>();
  listed_ = false;
  PMX_TRY(list());
  return std::optional(indexed_.empty() ? kUnindexedActive : indexed_.back());
}

SegmentList::Found SegmentList::newest() {
  PMX_TRY(list());
  if (!indexed_.empty()) return std::optional(indexed_.back());
  if (const auto active = PMX_TRY(unindexed_or_newest())) return active;
  PMX_TRY(list_sealed());
  return sealed_->empty() ? std::nullopt : std::optional(sealed_->back());
}

SegmentList::Found SegmentList::oldest() {
  PMX_TRY(list());
  std::optional<std::uint64_t> first;
  if (!indexed_.empty()) first = indexed_.front();
  if (first == 1U) return first;  // The first that there ever is.
  PMX_TRY(list_sealed());
  if (!sealed_->empty()) first = std::min(first.value_or(UINT64_MAX), sealed_->front());
  return first ? Found(first) : newest();
}

SegmentList::Found SegmentList::before(std::uint64_t segment) {
  PMX_TRY(list());
  std::optional<std::uint64_t> best;
  if (segment <= 1) return best;
  const auto indexed = std::lower_bound(indexed_.begin(), indexed_.end(), segment);
  if (indexed != indexed_.begin()) best = *std::prev(indexed);
  if (best == segment - 1) return best;
  PMX_TRY(list_sealed());
  const auto found = std::lower_bound(sealed_->begin(), sealed_->end(), segment);
  if (found != sealed_->begin()) best = std::max(best.value_or(0), *std::prev(found));
  return best;
}

SegmentList::Found SegmentList::after(std::uint64_t segment) {
  PMX_TRY(list());
  std::optional<std::uint64_t> best;
  if (segment == kUnindexedActive) {
    if (!indexed_.empty()) best = indexed_.front();
    return best;
  }
  if (!indexed_.empty() && segment >= indexed_.back()) {
    // The live end, asked at each wakeup: one stat.
    if (!PMX_TRY(is_there(fs_, dir_.index_path(segment + 1)))) return best;
    indexed_.push_back(segment + 1);
    return std::optional(segment + 1);
  }
  const auto indexed = std::upper_bound(indexed_.begin(), indexed_.end(), segment);
  if (indexed != indexed_.end()) best = *indexed;
  if (best == segment + 1) return best;
  PMX_TRY(list_sealed());
  const auto found = std::upper_bound(sealed_->begin(), sealed_->end(), segment);
  if (found != sealed_->end()) best = std::min(best.value_or(UINT64_MAX), *found);
  // Not behind a segment that is not sealed: its text is in the active file, and has been read.
  const bool was_sealed = std::binary_search(sealed_->begin(), sealed_->end(), segment);
  if (!best && was_sealed && PMX_TRY(has_unindexed_active())) best = kUnindexedActive;
  return best;
}

}  // namespace pmx::rotate
