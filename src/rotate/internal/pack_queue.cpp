#include "rotate/internal/pack_queue.h"

#include <algorithm>
#include <utility>

namespace pmx::rotate::internal {

void PackQueue::add(PackJob job, bool remove_half_archives, TimePoint now) {
  const LogId id = log_id_of(job.dir.active_path());
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    entries_.emplace(id, PackEntry{std::move(job), remove_half_archives, 0, 0, now, ++turns_});
    return;
  }
  PackEntry& waiting = found->second;
  job.segment = std::max(job.segment, waiting.job.segment);
  job.flush_below = std::max(job.flush_below, waiting.job.flush_below);
  if (waiting.job.flushed) {  // Who asked first is still waiting.
    job.flushed = [first = std::move(waiting.job.flushed),
                   then = std::move(job.flushed)](const Result<void>& result) {
      first(result);
      if (then) then(result);
    };
  }
  waiting.job = std::move(job);
  if (waiting.job.flush_below > 0) waiting.due = now;
  waiting.remove_half_archives = waiting.remove_half_archives || remove_half_archives;
}

PackEntry* PackQueue::next(TimePoint now) {
  PackEntry* first = nullptr;
  for (auto& [id, entry] : entries_) {
    if (entry.due > now) continue;
    if (first == nullptr || entry.turn < first->turn) first = &entry;
  }
  return first;
}

std::optional<PackQueue::TimePoint> PackQueue::next_due() const {
  std::optional<TimePoint> due;
  for (const auto& [id, entry] : entries_)
    if (!due || entry.due < *due) due = entry.due;
  return due;
}

void PackQueue::requeue(PackEntry& entry, TimePoint now) {
  entry.failures = 0;
  entry.due = now;
  entry.turn = ++turns_;
}

std::chrono::milliseconds PackQueue::fail(PackEntry& entry, TimePoint now) {
  constexpr unsigned kMaxDoublings =
      16;  // Keeps the shift in range; last_retry_ is reached long before.
  const auto delay =
      std::min(first_retry_ * (1U << std::min(entry.failures, kMaxDoublings)), last_retry_);
  ++entry.failures;
  entry.due = now + delay;
  entry.turn = ++turns_;
  return delay;
}

void PackQueue::remove(const PackEntry& entry) {
  entries_.erase(log_id_of(entry.job.dir.active_path()));
}

}  // namespace pmx::rotate::internal
