// Beside the data's way: troubles, rotation by time, packing, the home's bound, the pipes' sizes.
#include <algorithm>
#include <chrono>
#include <map>

#include "rotate/home_disk.h"
#include "supervisor/pipeline_thread.h"

namespace pmx::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kLongestRetry = milliseconds(500);
constexpr auto kWaitForSpace =
    std::chrono::seconds(10);  // Then the newest lines are dropped, where the app says so.
constexpr std::size_t kAllPipesBytes = 48U << 20U;  // Of an unprivileged user's 64 MiB.

}  // namespace

void PipelineThread::fail(Log& log, Error error) {
  const auto now = clock_.steady_now();
  const bool error_is_full = error.code() == Errc::kNoSpace;
  if (!log.trouble()) {
    log.counters()->trouble.set(error.message());
    events_.notice(error.message() + ": lines wait in memory, trying again");
    log.trouble() = Log::Trouble{std::move(error), now, now};
  }
  Log::Trouble& trouble = *log.trouble();
  if (error_is_full && log.make_room(options_.floor(log.spec().path)))
    trouble.delay = milliseconds(1);
  if (error_is_full && log.spec().when_full == WhenFull::kDrop &&
      now - trouble.since > kWaitForSpace)
    (void)log.drop_newest();
  trouble.next_try = now + trouble.delay;
  loop_->call_at(trouble.next_try, [this, path = log.spec().path] {
    if (const auto found = logs_.find(path); found != logs_.end()) queue(*found->second);
  });
  trouble.delay =
      std::min(std::max(trouble.delay * 2, milliseconds(20)), milliseconds(kLongestRetry));
}

void PipelineThread::hand_to_packer(Log& log) {
  for (const rotate::SealedSegment& sealed : log.writer().take_sealed())
    (void)packer_->post({log.writer().dir(), sealed.segment, log.spec().rotate, log.spec().owner,
                         options_.floor(log.spec().path)});  // Full: the next job covers it.
}

// On the pack thread, after jobs: the bound of the whole home, deleted apps' logs included.
void PipelineThread::keep_within_disk() {
  const auto known = rotate::known_logs(state_, options_.home + "/state");
  if (!known) return;
  const auto owners = owners_.get();
  std::map<std::optional<FileOwner>, RealFs> files;  // With the rights of each owner of logs.
  std::vector<rotate::HomeLog> logs;
  for (const rotate::LogDir& dir : *known) {
    const auto found = owners.find(dir.active_path());
    const auto owner = found == owners.end() ? std::nullopt : found->second;
    RealFs& with_rights = files.try_emplace(owner, owner).first->second;
    logs.push_back({dir, &with_rights, options_.floor(dir.active_path())});
  }
  const auto kept = rotate::enforce_max_disk(state_, options_.home + "/state", logs,
                                             {.max_disk_bytes = options_.max_disk_bytes()});
  if (!kept) return events_.notice("max_disk: " + kept.error().message());
  for (const rotate::RemovedSegment& removed : kept->removed)
    events_.notice(
        removed.active_path + ": segment " + std::to_string(removed.segment) +
        " removed: the logs of this home take more than max_disk" +
        (removed.still_needed ? "; what was not shipped of it is lost to its sinks" : ""));
}

void PipelineThread::plan_rotation(Log& log) {
  const std::string path = log.spec().path;
  if (const auto old = rotation_timers_.find(path); old != rotation_timers_.end()) {
    loop_->cancel(old->second);
    rotation_timers_.erase(old);
  }
  if (!log.next_rotation_ns()) return;
  // By the wall clock, looked at again at least each hour: the clock may be set meanwhile.
  const auto left = std::chrono::nanoseconds(
      std::max<std::int64_t>(*log.next_rotation_ns() - clock_.system_ns(), 0));
  rotation_timers_[path] = loop_->call_after(
      std::min<std::chrono::nanoseconds>(left, std::chrono::hours(1)), [this, path] {
        const auto found = logs_.find(path);
        if (found == logs_.end()) return;
        if (found->second->next_rotation_ns() &&
            clock_.system_ns() >= *found->second->next_rotation_ns()) {
          const auto rotated = found->second->rotate();
          tell_recorded(*found->second);
          if (!rotated) fail(*found->second, rotated.error());
          hand_to_packer(*found->second);
        }
        plan_rotation(*found->second);
      });
}

// `sync: 1s` and the like: one flush an interval, and none where nothing was written.
void PipelineThread::plan_sync(Log& log) {
  if (!log.wants_sync() || log.sync_planned) return;
  log.sync_planned = true;
  loop_->call_after(log.spec().sync.interval, [this, path = log.spec().path] {
    const auto found = logs_.find(path);
    if (found == logs_.end()) return;
    found->second->sync_planned = false;
    const auto synced = found->second->sync();
    if (!synced) events_.notice(path + ": " + synced.error().message());
  });
}

// All pipes together stay within an unprivileged user's budget: beyond it even other programs'
// pipes shrink.
void PipelineThread::fit_pipes() {
  std::size_t size = kMostPipeBytes;
  while (size > 4096 && size * streams_.size() > kAllPipesBytes) size /= 2;
  const bool smaller = size < pipe_size_bytes_;
  pipe_size_bytes_ = size;
  for (const auto& [id, stream] : streams_)
    if (stream->pipe && (smaller || stream->pipe->capacity_bytes() < size))
      stream->pipe->resize(size);
}

}  // namespace pmx::supervisor
