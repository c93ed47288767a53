#include "supervisor/worker.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "supervisor/leaving_signal.h"

namespace pmx::supervisor {
namespace {

constexpr std::int64_t kMinuteNs = 60'000'000'000;

}  // namespace

Worker::Worker(WorkerRecord record, WorkerHost& host, Timers& timers, const Clock& clock)
    : record_(std::move(record)),
      host_(host),
      timers_(timers),
      clock_(clock),
      cron_(timers, clock, [this] { cron_due(); }) {
  arm_cron(record_.cron_due_ns);
}

Worker::~Worker() {
  cancel_timers();
  timers_.cancel(successor_timer_);
  for (const auto& [run, timers] : leave_timers_) {
    timers_.cancel(timers.next);
    timers_.cancel(timers.kill);
  }
}

std::string Worker::label() const {
  return "App [" + record_.spec.name + ":" + std::to_string(record_.id.value) + "]";
}

// ---- Operations.

bool Worker::room_for(std::size_t steps, const Done& done) {
  if (steps_.size() + steps <= kMaxSteps) return true;
  if (done)
    done(Error(Errc::kUnavailable, record_.spec.name + ": too many operations are waiting"));
  return false;
}

void Worker::start(std::optional<AppSpec> spec, Done done) {
  if (!room_for(1, done)) return;
  steps_.push_back({StepKind::kStart, std::move(done), std::move(spec)});
  run_steps();
}

void Worker::stop(Wanted wanted, Done done) {
  if (!room_for(1, done)) return;
  Step step{StepKind::kStop, std::move(done)};
  step.wanted = wanted;
  steps_.push_back(std::move(step));
  run_steps();
}

void Worker::restart(std::optional<AppSpec> spec, Done done, ExitCause why) {
  if (!room_for(2, done)) return;
  Step stop_step{StepKind::kStop, nullptr};
  stop_step.wanted = Wanted::kStill;
  stop_step.why = why;
  Step start_step{StepKind::kStart, std::move(done), std::move(spec)};
  start_step.counts_restart = true;
  steps_.push_back(std::move(stop_step));
  steps_.push_back(std::move(start_step));
  run_steps();
}

void Worker::remove(Done done) {
  if (!room_for(2, done)) return;
  steps_.push_back({StepKind::kStop, nullptr});
  steps_.push_back({StepKind::kRemove, std::move(done)});
  run_steps();
}

void Worker::reset() {
  record_.restarts = 0;
  record_.memory.clear();
  record_.limit_runs_ns.clear();
  record_.created_ns = clock_.system_ns();
  restart_times_ns_.clear();
  host_.save_soon();
}

void Worker::run_steps() {
  if (in_steps_) return;  // Begun steps come back here through apply().
  in_steps_ = true;
  while (!steps_.empty()) {
    Step& step = steps_.front();
    if (!step.begun) {
      // A start waits for the end of a stop that was given up on (a process that SIGKILL did not
      // end).
      if (step.kind != StepKind::kStop && record_.state == WorkerState::kStopping) break;
      step.begun = true;
      begin(step);
    }
    if (!finished(step)) break;
    complete(outcome(step));
  }
  in_steps_ = false;
}

void Worker::begin(Step& step) {
  switch (step.kind) {
    case StepKind::kStart:
      if (step.spec) {
        if (!launched_spec_) launched_spec_ = std::move(record_.spec);
        record_.spec = std::move(*step.spec);
        record_.spec_text.clear();
        arm_cron(0);
      }
      if (step.counts_restart && was_running_) ++record_.restarts;
      record_.should_run = true;
      apply(WorkerEvent::kStart);
      break;
    case StepKind::kStop:
      was_running_ = has_run(record_.state);
      if (step.wanted == Wanted::kNoLonger) record_.should_run = false;
      kills_ = 0;
      why_ = step.why;
      hurry_leaving();
      if (step.wanted == Wanted::kNoLonger) forget_reload();
      apply(WorkerEvent::kStop);
      break;
    case StepKind::kReload:
      reload_error_.reset();
      record_.reload_to = std::move(*step.spec);
      reload_why_ = step.why;
      canary_ = step.canary;
      begin_successor();
      break;
    case StepKind::kRetire:
      record_.should_run = false;
      let_go();
      break;
    case StepKind::kRemove:
      removing_ = true;
      host_.remove(record_.id);
      break;
  }
}

bool Worker::finished(const Step& step) const {
  const WorkerState state = record_.state;
  switch (step.kind) {
    case StepKind::kStart:
      if (state == WorkerState::kUnready) return late_;
      return state != WorkerState::kLaunching && state != WorkerState::kStopping;
    case StepKind::kStop:
      return !has_run(state) && record_.leaving.empty();
    case StepKind::kReload:
      return !record_.reload_to;
    case StepKind::kRetire:
      return record_.leaving.empty();
    case StepKind::kRemove:
      return true;
  }
  return true;
}

Result<void> Worker::outcome(const Step& step) const {
  if (step.kind == StepKind::kReload && reload_error_) return *reload_error_;
  if (step.kind != StepKind::kStart || record_.state == WorkerState::kOnline) return {};
  // It may have reached exec and ended at once: that is the app's affair, and the list shows it.
  // One that was to say that it is ready has not done so.
  const bool over = record_.run.value == 0 && record_.last_exit && record_.trouble.empty();
  if (over && record_.spec.wait_ready)
    return Error(Errc::kIo, record_.spec.name + " (id " + std::to_string(record_.id.value) +
                                ") ended before it was ready: it exited " +
                                exit_text(*record_.last_exit));
  if (record_.state != WorkerState::kErrored && over) return {};
  return Error(Errc::kIo,
               record_.trouble.empty() ? record_.spec.name + " did not start" : record_.trouble);
}

void Worker::complete(Result<void> result) {
  const Done done = std::move(steps_.front().done);
  steps_.pop_front();
  if (done) done(std::move(result));
}

// ---- The table.

void Worker::apply(WorkerEvent event) {
  const Transition& row = transition(record_.state, event);
  record_.state = row.to;
  if (row.action != WorkerAction::kIgnore) host_.save_soon();
  perform(row.action);
  run_steps();
}

void Worker::perform(WorkerAction action) {
  switch (action) {
    case WorkerAction::kIgnore:
      break;
    case WorkerAction::kLaunch:
      cancel_timers();
      record_.memory.clear();
      launch();
      break;
    case WorkerAction::kRelaunch:
      cancel_timers();
      ++record_.restarts;
      note_unasked_restart();
      launch();
      break;
    case WorkerAction::kAwaitReady:
      await_ready();
      break;
    case WorkerAction::kMarkLate:
      mark_late();
      break;
    case WorkerAction::kMarkOnline:
      timers_.cancel(std::exchange(ready_timer_, 0));
      record_.trouble.clear();
      host_.notice(label() + " online");
      break;
    case WorkerAction::kTerminate:
      terminate();
      break;
    case WorkerAction::kKill:
      kill_now();
      break;
    case WorkerAction::kWait:
      cancel_timers();
      restart_timer_ = timers_.call_after(next_delay_, [this] {
        restart_timer_ = 0;
        apply(WorkerEvent::kRestartDue);
      });
      break;
    case WorkerAction::kSettle:
      if (record_.state != WorkerState::kOnline) cancel_timers();
      break;
  }
}

void Worker::launch() {
  record_.trouble.clear();
  record_.pid = 0;
  record_.actions = Json::array();
  monitor_ = Json::object();
  late_ = false;
  host_.notice(label() + " starting");
  const std::optional<Links> old_links = record_.links;
  auto launched = host_.launch(record_);
  const auto old = std::exchange(launched_spec_, std::nullopt);
  note_release(old ? *old : record_.spec, old_links, record_.proven);
  if (launched) return;
  not_started(launched.error().message(), launched.error().sys_errno());
  host_.run_ended(record_, RunId{});
}

void Worker::not_started(const std::string& why, int sys_errno) {
  record_.trouble = record_.spec.name + " (id " + std::to_string(record_.id.value) +
                    ") cannot be started: " + why;
  record_.run = {};
  record_.pid = 0;
  const Verdict verdict =
      after_failed_start(record_.spec, record_.memory, sys_errno, clock_.system_ns());
  host_.notice(record_.trouble +
               (verdict.kind == Verdict::Kind::kAgain
                    ? "; trying again in " + std::to_string(verdict.delay.count()) + " ms"
                    : ""));
  apply_verdict(verdict);
}

void Worker::apply_verdict(const Verdict& verdict) {
  next_delay_ = verdict.delay;
  switch (verdict.kind) {
    case Verdict::Kind::kAgain:
      apply(WorkerEvent::kEndedAgain);
      break;
    case Verdict::Kind::kDone:
      if (record_.state != WorkerState::kStopping) record_.should_run = false;
      apply(WorkerEvent::kEndedDone);
      break;
    case Verdict::Kind::kBroken:
      apply(WorkerEvent::kEndedBroken);
      break;
  }
}

void Worker::terminate() {
  cancel_timers();
  host_.notice("Stopping app:" + record_.spec.name + " id:" + std::to_string(record_.id.value));
  // An app that was asked by a message ends the rest of its group by itself, or kill_timeout does.
  const bool by_message =
      record_.spec.shutdown_with_message && host_.say(record_.run, "\"shutdown\"");
  const int signal = kill_signal(record_.spec);
  if (record_.spec.treekill) host_.signal_strays(record_.run, record_.pid, by_message ? 0 : signal);
  if (!by_message) host_.signal(record_.run, signal, record_.spec.treekill);
  kill_at_ = clock_.steady_now() + record_.spec.kill_timeout;
  kill_timer_ = timers_.call_after(record_.spec.kill_timeout, [this] {
    kill_timer_ = 0;
    apply(WorkerEvent::kKillDue);
  });
}

void Worker::kill_now() {
  ++kills_;
  const std::string pid = std::to_string(record_.pid);
  host_.notice(label() + " with pid " + pid + " still alive after " +
               std::to_string(record_.spec.kill_timeout.count()) + "ms, sending SIGKILL");
  if (record_.spec.treekill) host_.signal_strays(record_.run, record_.pid, SIGKILL);
  host_.signal(record_.run, SIGKILL, record_.spec.treekill);
  kill_timer_ = timers_.call_after(
      std::max(record_.spec.kill_timeout, std::chrono::milliseconds(1000)), [this] {
        kill_timer_ = 0;
        apply(WorkerEvent::kKillDue);
      });
  // A process in an uninterruptible sleep outlives SIGKILL for as long as its disk is away. Whoever
  // asked gets an answer now; what else was asked for waits until it is really gone.
  if (kills_ == 2 && !steps_.empty() && steps_.front().kind == StepKind::kStop)
    complete(Error(Errc::kIo, record_.spec.name + " (pid " + pid +
                                  ") does not end even by SIGKILL: it waits for the system"));
}

// The same pattern again keeps its time.
void Worker::arm_cron(std::int64_t due_ns) {
  cron_.set(record_.spec.cron_restart, due_ns);
  record_.cron_due_ns = cron_.due_ns();
}

// PM2's rule: an app that is stopped is started too. One that is meant to end by itself is a job:
// it is left alone while it runs.
void Worker::cron_due() {
  record_.cron_due_ns = cron_.due_ns();
  host_.save_soon();
  if (!record_.spec.autorestart && (has_run(record_.state) || !steps_.empty()))
    return host_.notice(label() + " still runs: this time of its cron_restart is left out");
  host_.notice(label() + " is due by its cron_restart");
  restart(std::nullopt, nullptr, ExitCause::kCron);
}

void Worker::cancel_timers() {
  timers_.cancel(std::exchange(kill_timer_, 0));
  timers_.cancel(std::exchange(restart_timer_, 0));
  timers_.cancel(std::exchange(ready_timer_, 0));
}

void Worker::note_unasked_restart() {
  restart_times_ns_.push_back(clock_.system_ns());
  if (restart_times_ns_.size() > kMaxRestartTimes) restart_times_ns_.pop_front();
}

std::int64_t Worker::restarts_in_last_minute() const {
  const std::int64_t since = clock_.system_ns() - kMinuteNs;
  return std::count_if(restart_times_ns_.begin(), restart_times_ns_.end(),
                       [since](std::int64_t at) { return at >= since; });
}

}  // namespace pmx::supervisor
