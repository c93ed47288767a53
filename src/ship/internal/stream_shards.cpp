#include "ship/internal/stream_shards.h"

#include <algorithm>
#include <bit>

namespace pmx::ship::internal {
namespace {

using std::chrono::nanoseconds;
constexpr nanoseconds kSecond = std::chrono::seconds(1);  // The store measures by the second.

}  // namespace

void StreamShards::look(nanoseconds now) {
  // Also where time went back: the events' own times do, where logs are merged.
  if (!began_ || now < begin_) {
    begin_ = now;
    began_ = true;
    bytes_ = 0;
  }
  next_look_bytes_ = bytes_ + kLookEveryBytes;
  const nanoseconds elapsed = now - begin_;
  const double seconds = std::chrono::duration<double>(std::max(elapsed, kSecond)).count();
  const auto rate = static_cast<std::uint64_t>(static_cast<double>(bytes_) / seconds);
  const auto needed = std::bit_ceil((rate + kShardBytes - 1) / kShardBytes);
  if (needed > count_) {
    count_ = static_cast<unsigned>(std::min<std::uint64_t>(needed, kMaxShards));
    quiet_ = nanoseconds(0);
  }
  if (elapsed < kSecond) return;
  quiet_ = rate < count_ * kShardBytes / 4 ? quiet_ + elapsed : nanoseconds(0);
  if (quiet_ >= kQuiet && count_ > 1) {
    count_ /= 2;
    quiet_ = nanoseconds(0);
  }
  begin_ = now;
  bytes_ = 0;
  next_look_bytes_ = kLookEveryBytes;
}

void StreamShards::go_on_from(const Measure& measure) {
  if (measure.count > kMaxShards || !std::has_single_bit(measure.count)) return;
  count_ = measure.count;
  bytes_ = measure.bytes;
  next_look_bytes_ = bytes_ + kLookEveryBytes;
  begin_ = measure.begin;
  quiet_ = measure.quiet;
  began_ = true;
}

}  // namespace pmx::ship::internal
