#include "supervisor/memory_guard.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/units.h"

namespace pmx::supervisor {
namespace {

constexpr std::chrono::seconds kFirstRest{1}, kLongestRest{60};

struct TooLarge {
  const Worker* worker = nullptr;
  std::uint64_t bytes = 0;
};

bool is_bounded(const Worker* worker) {
  return worker->record().spec.max_memory_restart > 0 && worker->record().pid > 0;
}

}  // namespace

MemoryGuard::~MemoryGuard() {
  parts_.timers.cancel(timer_);
  for (const auto& [app, rest] : rests_) parts_.timers.cancel(rest.timer);
}

void MemoryGuard::worker_began() {
  if (timer_ != 0) return;
  const auto workers = parts_.workers();
  if (std::none_of(workers.begin(), workers.end(), is_bounded)) return;
  timer_ = parts_.timers.call_after(kLookEvery, [this] {
    timer_ = 0;
    look();
  });
}

// Of each app the largest that is too large.
void MemoryGuard::look() {
  std::map<AppKey, TooLarge> largest;
  for (const Worker* const worker : parts_.workers()) {
    const WorkerRecord& record = worker->record();
    if (!is_bounded(worker)) continue;
    const AppKey app = app_key(record.spec);
    const bool up = record.state == WorkerState::kOnline || record.state == WorkerState::kUnready;
    if (!up || busy_.contains(app) || parts_.is_reloaded(app)) continue;
    const auto bytes = parts_.rss_bytes(record.pid);
    if (!bytes || *bytes <= record.spec.max_memory_restart) continue;
    TooLarge& most = largest[app];
    if (*bytes > most.bytes) most = {worker, *bytes};
  }
  for (const auto& [app, most] : largest) {
    const WorkerRecord& record = most.worker->record();
    parts_.notice("App [" + record.spec.name + ":" + std::to_string(record.id.value) + "] has " +
                  format_size(most.bytes) + " in memory, more than its max_memory_restart (" +
                  format_size(record.spec.max_memory_restart) + "): it is restarted");
    busy_.insert(app);
    parts_.restart(record.id, [this, app = app](const Result<void>& result) {
      restarted(app, result.has_value());
    });
  }
  worker_began();
}

void MemoryGuard::restarted(const AppKey& app, bool well) {
  if (well) {
    rests_.erase(app);
    busy_.erase(app);
    return;
  }
  Rest& rest = rests_[app];
  rest.length = std::clamp<std::chrono::nanoseconds>(2 * rest.length, kFirstRest, kLongestRest);
  rest.timer = parts_.timers.call_after(rest.length, [this, app] {
    rests_.at(app).timer = 0;
    busy_.erase(app);
  });
}

}  // namespace pmx::supervisor
