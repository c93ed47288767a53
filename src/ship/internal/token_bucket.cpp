#include "ship/internal/token_bucket.h"

#include <algorithm>

namespace pmx::ship::internal {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kMaxRate = 1'000'000'000;  // More than any log has; products still fit.

}  // namespace

RateLimit::RateLimit(std::uint64_t lines_per_second)
    : rate_(static_cast<std::int64_t>(std::min(lines_per_second, kMaxRate))) {}

bool RateLimit::admit(std::string_view app, std::int64_t time_ns, std::uint32_t lines) {
  if (rate_ == 0) return true;
  const std::int64_t full = rate_ * kNsPerSecond;  // One second's lines may come at once.
  auto found = buckets_.find(app);
  if (found == buckets_.end())
    found = buckets_.emplace(std::string(app), Bucket{time_ns, full, 0}).first;
  Bucket& bucket = found->second;
  const std::int64_t passed_ns = time_ns - bucket.time_ns;
  if (passed_ns < -kNsPerSecond) {
    // Another log of the app that is read later. Nothing was refilled for its times, and to
    // suppress for that would lose lines that kept to the limit.
    bucket.time_ns = time_ns;
    bucket.line_ns = full;
  } else if (passed_ns > 0) {
    const std::int64_t missing = full - bucket.line_ns;
    // Not multiplied where it would be more than fits: a pause may have been long.
    bucket.line_ns = passed_ns > missing / rate_ ? full : bucket.line_ns + passed_ns * rate_;
    bucket.time_ns = time_ns;
  }
  if (bucket.line_ns < kNsPerSecond) {
    bucket.suppressed += lines;
    return false;
  }
  // A stack trace of more lines than there are goes through as a whole, on credit.
  bucket.line_ns -= std::max<std::int64_t>(lines, 1) * kNsPerSecond;
  return true;
}

std::uint64_t RateLimit::take_suppressed(std::string_view app) {
  const auto found = buckets_.find(app);
  return found == buckets_.end() ? 0 : std::exchange(found->second.suppressed, 0);
}

}  // namespace pmx::ship::internal
