#include "rotate/home_disk.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/units.h"
#include "rotate/internal/sealed_segments.h"

namespace pmx::rotate {
namespace {

using internal::sealed_segments;
using internal::SealedSegments;

constexpr std::uint64_t kDefaultMost = 4_GiB;
constexpr std::uint64_t kDefaultPercent = 10;
constexpr std::uint64_t kFreePercent = 15;
constexpr std::uint64_t kAlwaysOurs = 128_MiB;

struct Candidate {
  std::size_t log;
  SealedSegments::One segment;
  bool gone = false;
};

enum class Mercy { kNeededAndLast, kLast, kNone };  // What is spared.

class Home {
 public:
  Home(Fs& state, std::span<const HomeLog> logs)
      : state_(state), logs_(logs), left_in_log_(logs.size(), 0) {}

  void collect() {
    for (std::size_t i = 0; i < logs_.size(); ++i) {
      // A directory that cannot be read must not keep the others from being bounded.
      auto sealed = sealed_of(logs_[i]);
      if (!sealed) {
        if (!error_) error_ = std::move(sealed).error();
        continue;
      }
      left_in_log_[i] = sealed->segments.size();
      for (SealedSegments::One& segment : sealed->segments)
        candidates_.push_back({i, std::move(segment)});
    }
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return a.segment.sealed_ns < b.segment.sealed_ns;
                     });
  }

  template <class Counts>
  std::uint64_t bytes(Counts counts) const {
    std::uint64_t sum = 0;
    for (const Candidate& one : candidates_)
      if (!one.gone && counts(one)) sum += one.segment.disk_bytes();
    return sum;
  }

  // Removes the oldest of those that `counts` names until they take at most `limit_bytes`.
  template <class Counts>
  void shrink(std::uint64_t limit_bytes, Counts counts) {
    std::uint64_t used = bytes(counts);
    for (const Mercy mercy : {Mercy::kNeededAndLast, Mercy::kLast, Mercy::kNone})
      for (Candidate& one : candidates_) {
        if (used <= limit_bytes) return;
        if (one.gone || !counts(one) || spared(one, mercy) || !remove(one)) continue;
        used -= one.segment.disk_bytes();
      }
  }

  Result<HomeResult> result() && {
    if (error_) return std::move(*error_);
    result_.sealed_bytes = bytes([](const Candidate&) { return true; });
    return std::move(result_);
  }

 private:
  // Nearly all logs of a home are in one directory, which is listed once.
  Result<SealedSegments> sealed_of(const HomeLog& log) {
    const auto [listing, first] =
        listings_.try_emplace({log.files, log.dir.directory()}, std::vector<std::string>());
    if (first) listing->second = log.files->list(log.dir.directory());
    const auto& names = listing->second;
    if (names) return sealed_segments(*log.files, log.dir, *names);
    if (names.error().code() == Errc::kNotFound) return SealedSegments();
    return names.error();
  }
  bool needed(const Candidate& one) const {
    return one.segment.segment >= logs_[one.log].floor_segment;
  }
  bool spared(const Candidate& one, Mercy mercy) const {
    if (mercy == Mercy::kNone) return false;
    return left_in_log_[one.log] <= 1 || (mercy == Mercy::kNeededAndLast && needed(one));
  }
  bool remove(Candidate& one) {
    const HomeLog& log = logs_[one.log];
    auto removed = internal::remove_segment(*log.files, state_, log.dir, one.segment);
    if (!removed) {
      if (!error_) error_ = std::move(removed).error();
      return false;
    }
    one.gone = true;
    --left_in_log_[one.log];
    result_.bytes_removed += one.segment.disk_bytes();
    result_.removed.push_back({log.dir.active_path(), one.segment.segment, needed(one)});
    return true;
  }

  Fs& state_;
  std::span<const HomeLog> logs_;
  std::map<std::pair<Fs*, std::string>, Result<std::vector<std::string>>> listings_;
  std::vector<std::uint64_t> left_in_log_;
  std::vector<Candidate> candidates_;  // Oldest first.
  HomeResult result_;
  std::optional<Error> error_;
};

}  // namespace

Result<HomeResult> enforce_max_disk(Fs& state, const std::string& state_directory,
                                    std::span<const HomeLog> logs, const HomeLimit& limit) {
  const DiskSpace space = PMX_TRY(state.disk_space(state_directory));
  const std::uint64_t device = PMX_TRY(state.info(state_directory)).device;
  Home home(state, logs);
  home.collect();
  const auto everything = [](const Candidate&) { return true; };
  const auto on_home_device = [&](const Candidate& one) {
    return one.segment.files[0].info.device == device;
  };

  const std::uint64_t most =
      limit.max_disk_bytes != 0 ? limit.max_disk_bytes
                                : std::min(space.total_bytes / 100 * kDefaultPercent, kDefaultMost);
  const std::uint64_t ours_at_home = home.bytes(on_home_device);
  home.shrink(most - std::min(most, limit.other_bytes), everything);
  if (limit.max_disk_bytes == 0) {
    const std::uint64_t keep_free = space.total_bytes / 100 * kFreePercent;
    const std::uint64_t missing = keep_free - std::min(keep_free, space.free_bytes);
    if (missing != 0)
      home.shrink(std::max(ours_at_home - std::min(ours_at_home, missing), kAlwaysOurs),
                  on_home_device);
  }
  return std::move(home).result();
}

}  // namespace pmx::rotate
