#include "api/foreground.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace pmx::api {
namespace {

using supervisor::Worker;
using supervisor::WorkerRecord;
using supervisor::WorkerState;

bool is_idle(const WorkerRecord& record) {
  return record.state == WorkerState::kStopped || record.state == WorkerState::kErrored;
}

bool is_at_rest(const WorkerRecord& record) {
  return is_idle(record) && record.spec.cron_restart.empty();
}

int exit_code_of(const WorkerRecord& record) {
  if (!record.last_exit) return Foreground::kCannotStart;
  if (record.last_exit->signal) return 128 + *record.last_exit->signal;
  return record.last_exit->code.value_or(1);
}

// Of one that was never started nothing is known, and nothing is wrong.
bool has_failed(const WorkerRecord& record) {
  if (!is_at_rest(record)) return false;
  if (!record.last_exit) return record.state == WorkerState::kErrored;
  return exit_code_of(record) != 0;
}

}  // namespace

void Foreground::run_ended(const WorkerRecord& record) {
  if (is_at_rest(record) && !record.last_exit) parts_.complain(record.trouble);
  look();
}

// Also after a daemon's start: what its predecessor had seen may not have been acted on.
void Foreground::look() {
  const auto workers = parts_.workers.workers();
  for (const Worker* const worker : workers)
    if (!code_ && has_failed(worker->record())) worker_failed(worker->record());
  const bool over = std::all_of(workers.begin(), workers.end(), [&](const Worker* worker) {
    // A job whose time has not come is not waited for once we are to end.
    return is_at_rest(worker->record()) ||
           (is_idle(worker->record()) && (code_ || end_signal_ != 0));
  });
  if (!over || parts_.workers.sweeping()) return;
  parts_.finish(killed_ ? 128 + end_signal_ : code_.value_or(0));
}

void Foreground::worker_failed(const WorkerRecord& record) {
  code_ = exit_code_of(record);
  if (end_signal_ != 0) return;
  const auto workers = parts_.workers.workers();
  if (workers.size() > 1)
    parts_.complain(record.spec.name + " (id " + std::to_string(record.id.value) +
                    ") ended with exit code " + std::to_string(*code_) +
                    ": the others are stopped");
  for (const Worker* const worker : workers)
    if (!is_idle(worker->record()))
      parts_.workers.stop(worker->record().id, Worker::Wanted::kNoLonger,
                          [this](const Result<void>&) { look(); });
}

void Foreground::told_to_end(int signal) {
  if (end_signal_ != 0) {
    killed_ = true;
    return parts_.workers.signal_all(SIGKILL);
  }
  end_signal_ = signal;
  parts_.workers.sweep_from_now_on(signal);  // `npm start` ends before the server behind it.
  std::chrono::milliseconds grace{0};
  parts_.workers.change_specs([&](AppSpec& spec) {
    grace = std::max(grace, spec.kill_timeout);
    spec.autorestart = false;
    spec.cron_restart.clear();
    spec.watch = {};
    return true;
  });
  for (const Worker* const worker : parts_.workers.workers())
    if (worker->record().state == WorkerState::kWaiting)
      parts_.workers.stop(worker->record().id, Worker::Wanted::kNoLonger, nullptr);
  grace_timer_ = parts_.timers.call_after(grace, [this] {
    grace_timer_ = 0;
    killed_ = true;
    parts_.workers.signal_all(SIGKILL);
  });
  look();
}

}  // namespace pmx::api
