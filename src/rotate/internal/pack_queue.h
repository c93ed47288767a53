// Which log is packed next: one entry a log, the one that waits longest first, failed ones after a
// growing delay.
//
// Thread:  pack.
// Bounds:  one entry a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "model/ids.h"
#include "rotate/packer.h"

namespace pmx::rotate::internal {

struct PackEntry {
  PackJob job;
  bool remove_half_archives = false;
  std::uint64_t segments_packed = 0;
  unsigned failures = 0;  // In a row.
  std::chrono::steady_clock::time_point due;
  std::uint64_t turn = 0;  // Among those that are due at once.
};

class PackQueue {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  PackQueue(std::chrono::milliseconds first_retry, std::chrono::milliseconds last_retry)
      : first_retry_(first_retry), last_retry_(last_retry) {}

  // A job of a log that waits already takes its place; a failed one's delay stays.
  void add(PackJob job, bool remove_half_archives, TimePoint now);
  PackEntry* next(TimePoint now);  // nullptr: none is due.
  std::optional<TimePoint> next_due() const;
  void requeue(PackEntry& entry, TimePoint now);  // Worked, and there is more: others first.
  std::chrono::milliseconds fail(PackEntry& entry, TimePoint now);  // The delay that it gets.
  void remove(const PackEntry& entry);

 private:
  const std::chrono::milliseconds first_retry_, last_retry_;
  std::map<LogId, PackEntry> entries_;
  std::uint64_t turns_ = 0;
};

}  // namespace pmx::rotate::internal
