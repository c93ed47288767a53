// A worker's runs as the keeper tells of them: what has begun, how it ended, and what a daemon that
// takes over finds.
#include <algorithm>
#include <cstring>
#include <utility>

#include "supervisor/worker.h"

namespace pmx::supervisor {

void Worker::child_changed(const Child& child) {
  const bool over =
      child.state == Child::State::kExited || child.state == Child::State::kSpawnFailed;
  if (leaving(child.run) != nullptr) {
    if (over) left(child);
    return;
  }
  if (record_.successor && record_.successor->run == child.run) return successor_changed(child);
  if (record_.successor && over) {
    // What was to be followed has died: who was to follow is here.
    ExitFacts exit = facts_of(child, record_.started_ns);
    exit.cause = exit_cause(exit, {false, false, host_.oom_killer_was_here()});
    record_.last_exit = exit;
    host_.notice(label() + " exited " + exit_text(exit) + " while it was reloaded");
    return take_over(false);
  }
  switch (child.state) {
    case Child::State::kStarting:
      break;
    case Child::State::kRunning:
      if (record_.state == WorkerState::kLaunching) record_.started_ns = clock_.system_ns();
      run_begun(child);
      break;
    case Child::State::kSpawnFailed: {
      const RunId run = record_.run;
      not_started(child.failed_step + ": " + std::strerror(child.spawn_errno), child.spawn_errno);
      host_.run_ended(record_, run);
      break;
    }
    case Child::State::kExited:
      ended(child);
      break;
  }
}

void Worker::run_begun(const Child& child) {
  record_.pid = child.pid;
  record_.start_ticks = child.start_ticks;
  apply(record_.spec.wait_ready ? WorkerEvent::kRunningUnready : WorkerEvent::kRunning);
}

// Counted from the run's start, not from now: the daemon may be another one since.
void Worker::await_ready() {
  using std::chrono::nanoseconds;
  const nanoseconds whole = listen_timeout(record_.spec);
  const nanoseconds left = whole - nanoseconds(clock_.system_ns() - record_.started_ns);
  ready_timer_ = timers_.call_after(std::clamp(left, nanoseconds(0), whole), [this] {
    ready_timer_ = 0;
    apply(WorkerEvent::kReadyDue);
  });
}

void Worker::mark_late() {
  late_ = true;
  record_.trouble = record_.spec.name + " (id " + std::to_string(record_.id.value) +
                    ") is not ready: it has not sent 'ready' within " +
                    std::to_string(listen_timeout(record_.spec).count()) +
                    " ms (listen_timeout); it goes on, and is online once it does";
  host_.notice(record_.trouble);
}

bool Worker::said(RunId run, const AppMessage& message) {
  if (run != record_.run) {
    if (message.kind != AppMessage::Kind::kReady || !record_.successor ||
        record_.successor->run != run)
      return false;
    record_.successor->ready = true;
    host_.save_soon();
    look_at_successor();
    return true;
  }
  switch (message.kind) {
    case AppMessage::Kind::kReady: {
      const bool waited_for = record_.state == WorkerState::kUnready;
      apply(WorkerEvent::kReady);
      return waited_for;
    }
    case AppMessage::Kind::kAction: {
      const bool fresh = add_action(record_.actions, message.data);
      if (fresh) host_.save_soon();
      return fresh;
    }
    case AppMessage::Kind::kMonitor:
      merge_monitor(monitor_, message.data);
      return false;
    default:
      return false;
  }
}

// What is started now may be another release than the last one. A rollback leads to the last one
// that has lived for a while, or, after a rollback, forward again to what it has left.
void Worker::note_release(const AppSpec& old, const std::optional<Links>& old_links, bool proven) {
  record_.proven = proven;
  const auto runs_now = [this](const AppSpec& app, const Links& links) {
    return same_program(app, record_.spec) && links == record_.links;
  };
  if (!old_links || runs_now(old, *old_links)) return;
  record_.proven = false;
  const bool went_back = record_.before && runs_now(record_.before->app, record_.before->links);
  if (!proven && !went_back) return;
  Release before;
  before.app.name = old.name;
  take_program(before.app, old);
  before.links = *old_links;
  before.at_ns = clock_.system_ns();
  record_.before = std::move(before);
  record_.before_text.clear();
}

// All but the cause.
ExitFacts Worker::facts_of(const Child& child, std::int64_t started_ns) const {
  const std::int64_t at_ns = child.ended_ns != 0 ? child.ended_ns : clock_.system_ns();
  ExitFacts exit = exit_facts(child.wait_status, at_ns);
  exit.ran_ns = std::max<std::int64_t>(at_ns - started_ns, 0);
  exit.rss_kib = child.max_rss_kib;
  exit.run = child.run;
  return exit;
}

void Worker::ended(const Child& child) {
  ExitFacts exit = facts_of(child, record_.started_ns);
  // A run so short that its start was never seen has an uptime of nothing.
  if (record_.state == WorkerState::kLaunching) exit.ran_ns = 0;
  const bool asked = record_.state == WorkerState::kStopping;
  exit.cause = exit_cause(exit, {asked, asked && kills_ > 0, host_.oom_killer_was_here()});
  if (exit.cause == ExitCause::kAsked) exit.cause = why_;
  if (why_ == ExitCause::kMemoryLimit && asked) note_limit_run(exit.ran_ns);
  if (std::chrono::nanoseconds(exit.ran_ns) >= record_.spec.min_uptime) record_.proven = true;
  record_.last_exit = exit;
  host_.notice(label() + " exited " + exit_text(exit));
  const RunId run = std::exchange(record_.run, RunId{});
  record_.pid = 0;
  record_.actions = Json::array();
  monitor_ = Json::object();
  if (asked) {
    const auto grace = std::max(kill_at_ - clock_.steady_now(), decltype(kill_at_)::duration(0));
    if (record_.spec.treekill && host_.sweep_tree(child, grace)) {
      cancel_timers();  // The sweep has its own.
      tree_of_ = run;
      return host_.save_soon();
    }
    apply(WorkerEvent::kEndedDone);
  } else {
    if (record_.spec.treekill && host_.sweeps_always())
      (void)host_.sweep_tree(child, record_.spec.kill_timeout);
    const Verdict verdict =
        after_exit(record_.spec, record_.memory, exit, std::chrono::nanoseconds(exit.ran_ns));
    if (verdict.kind == Verdict::Kind::kBroken) {
      record_.trouble = "crash loop: " + std::to_string(record_.memory.unstable_ns.size()) +
                        " ends before min_uptime (" +
                        std::to_string(record_.spec.min_uptime.count()) + " ms), last one " +
                        exit_text(exit);
      host_.notice("Script " + record_.spec.script + " had too many unstable restarts (" +
                   std::to_string(record_.spec.max_restarts) + "). Stopped. \"errored\"");
    }
    apply_verdict(verdict);
  }
  host_.run_ended(record_, run);
}

// A stop, or the first half of a restart, is over when nobody of its tree is left.
void Worker::tree_ended(RunId run) {
  if (run != tree_of_) return;
  tree_of_ = {};
  apply(WorkerEvent::kEndedDone);
  host_.run_ended(record_, run);
}

void Worker::left(const Child& child) {
  const auto found = std::find_if(record_.leaving.begin(), record_.leaving.end(),
                                  [&](const LeavingRun& run) { return run.run == child.run; });
  ExitFacts exit = facts_of(child, found->started_ns);
  exit.cause = found->why;
  host_.notice(label() + ": pid " + std::to_string(found->pid) + ", which was followed, exited " +
               exit_text(exit));
  if (child.run != record_.failed_reload) record_.last_exit = exit;
  record_.leaving.erase(found);
  const auto timers = leave_timers_.extract(child.run);
  if (timers) {
    timers_.cancel(timers.mapped().next);
    timers_.cancel(timers.mapped().kill);
  }
  if (record_.spec.treekill) (void)host_.sweep_tree(child, std::chrono::nanoseconds(0));
  host_.save_soon();
  host_.reload_moved(record_.id);
  run_steps();
}

void Worker::note_limit_run(std::int64_t ran_ns) {
  record_.limit_runs_ns.push_back(ran_ns);
  if (record_.limit_runs_ns.size() > kLimitRuns)
    record_.limit_runs_ns.erase(record_.limit_runs_ns.begin());
  note_unasked_restart();
}

void Worker::adopt(const Child& child) {
  // The daemon died between a start and its note of it: the start counts as done.
  if (record_.state == WorkerState::kWaiting) ++record_.restarts;
  cancel_timers();
  record_.run = child.run;
  record_.pid = child.pid;
  record_.start_ticks = child.start_ticks;
  record_.started_ns = static_cast<std::int64_t>(child.run.value);  // A run's id is its birth.
  const std::optional<Links> old_links = std::exchange(record_.links, links_of(record_.spec));
  note_release(record_.spec, old_links, record_.proven);
  record_.actions = Json::array();
  record_.state = WorkerState::kLaunching;
  if (child.state == Child::State::kRunning) run_begun(child);
  host_.save_soon();
  if (!record_.should_run) stop(Wanted::kNoLonger, nullptr);
}

void Worker::resume(const Child* child, bool again) {
  // A successor is younger than the run that it follows, and runs come by age.
  if (child == nullptr || child->run == record_.run) resume_side_runs(child == nullptr);
  if (child != nullptr && child->run != record_.run && owns(child->run))
    return child_changed(*child);
  if (child != nullptr && record_.run == child->run) {
    if (child->state == Child::State::kRunning) {
      const bool stopping = record_.state == WorkerState::kStopping;
      const bool begun = record_.state == WorkerState::kOnline || stopping;
      const auto birth_ns = static_cast<std::int64_t>(child->run.value);
      if (!begun) record_.started_ns = std::max(record_.started_ns, birth_ns);
      record_.state = begun ? WorkerState::kOnline : WorkerState::kLaunching;
      run_begun(*child);
      // A stop that was under way goes on; where it was half of a restart, so does that.
      if (stopping && record_.should_run) {
        restart(std::nullopt, nullptr);
      } else if (stopping) {
        stop(Wanted::kNoLonger, nullptr);
      }
    } else {
      const bool half_restart = record_.state == WorkerState::kStopping && record_.should_run;
      child_changed(*child);
      if (half_restart && again) start(std::nullopt, nullptr);
    }
    return;
  }
  record_.run = {};
  record_.pid = 0;
  const bool was_waiting = record_.state == WorkerState::kWaiting;
  if (has_run(record_.state) || was_waiting) record_.state = WorkerState::kStopped;
  if (!record_.should_run || !again) return;
  if (was_waiting) {
    record_.state = WorkerState::kLaunching;
    next_delay_ = std::max(record_.spec.restart_delay, record_.memory.backoff_delay);
    apply(WorkerEvent::kEndedAgain);
  } else {
    start(std::nullopt, nullptr);
  }
}

}  // namespace pmx::supervisor
