// A reload of one cluster worker: the next run is started beside the current one, takes over once
// it serves, and the run before it leaves. What is under way is in the record, so that a daemon
// that takes over goes on with it.
//
// A run leaves in this order, so that no client of it sees a broken connection: it gets no new
// connections, and its clients are told to move (drain_hook.h); it closes its servers and finishes
// what it has, which it shows by closing its channel; then SIGINT, and at kill_timeout SIGKILL. One
// that binds by itself (bind_traps.h) or has its sockets from `listen` goes on accepting until none
// wait for it any more; then the signal that it handles, and at kill_timeout SIGKILL.
#include <algorithm>
#include <utility>

#include "supervisor/cluster_message.h"
#include "supervisor/leaving_signal.h"
#include "supervisor/open_connections.h"
#include "supervisor/spawn_request.h"
#include "supervisor/worker.h"

namespace pmx::supervisor {

using namespace std::chrono_literals;

namespace {

constexpr auto kSoftDrain = 1s;       // Clients that send a request within it have moved.
constexpr auto kNaturalExit = 300ms;  // From a closed channel to a signal.
constexpr auto kLookAgain = 100ms;    // At a queue that is not empty.

}  // namespace

bool WorkerHost::shares_port(const AppSpec& app) const { return is_cluster(app); }

void Worker::reload(AppSpec spec, Trust trust, Done done, ExitCause why) {
  const bool goes = std::any_of(steps_.begin(), steps_.end(),
                                [](const Step& step) { return step.kind == StepKind::kRemove; });
  if (goes || removing_) return done({});
  if (!host_.shares_port(record_.spec) || !host_.shares_port(spec) ||
      record_.state != WorkerState::kOnline || !steps_.empty()) {
    record_.reload_to.reset();
    return restart(std::move(spec), std::move(done), why);
  }
  Step step{StepKind::kReload, std::move(done), std::move(spec)};
  step.why = why;
  step.canary = trust == Trust::kCanary;
  steps_.push_back(std::move(step));
  run_steps();
}

void Worker::retire(Done done) {
  if (!room_for(3, done)) return;
  steps_.push_back({StepKind::kRetire, nullptr});
  steps_.push_back({StepKind::kStop, nullptr});  // Of what was not online.
  steps_.push_back({StepKind::kRemove, std::move(done)});
  run_steps();
}

bool Worker::owns(RunId run) const {
  return run.value != 0 &&
         (record_.run == run || (record_.successor && record_.successor->run == run) ||
          std::any_of(record_.leaving.begin(), record_.leaving.end(),
                      [run](const LeavingRun& leaving) { return leaving.run == run; }));
}

// ---- The one that takes over.

void Worker::begin_successor() {
  WorkerRecord next = record_;
  next.spec = *record_.reload_to;
  next.run = {};
  next.pid = 0;
  health_ = Health::kNotAsked;
  host_.notice(label() + " reloading");
  const auto launched = host_.launch(next);
  if (!launched) return reload_failed("cannot be started: " + launched.error().message());
  record_.successor = SideRun{next.run};
  record_.successor_logs = next.logs;
  record_.successor_links = next.links;
  host_.save_soon();
  await_successor();
}

void Worker::await_successor() {
  successor_timer_ = timers_.call_after(listen_timeout(*record_.reload_to), [this] {
    successor_timer_ = 0;
    const std::string what = record_.reload_to->wait_ready
                                 ? "has not sent 'ready'"
                                 : "does not listen on what the old one does";
    reload_failed(what + " within listen_timeout (" +
                  std::to_string(listen_timeout(*record_.reload_to).count()) + " ms)");
  });
}

void Worker::successor_changed(const Child& child) {
  SideRun& next = *record_.successor;
  switch (child.state) {
    case Child::State::kStarting:
      return;
    case Child::State::kRunning:
      next.pid = child.pid;
      next.start_ticks = child.start_ticks;
      if (next.started_ns == 0) next.started_ns = clock_.system_ns();
      host_.save_soon();
      return look_at_successor();
    case Child::State::kSpawnFailed:
    case Child::State::kExited: {
      const bool started = child.state == Child::State::kExited;
      const std::string how =
          started ? "exited " + exit_text(exit_facts(child.wait_status, child.ended_ns)) +
                        " before it was ready"
                  : "cannot be started: " + child.failed_step;
      record_.failed_reload = record_.successor->run;
      end_trial();
      record_.successor.reset();
      return reload_failed(how);
    }
  }
}

// On everything that its predecessor serves. One that serves nothing has lived for a while instead.
bool Worker::successor_serves() {
  if (record_.successor->ready) return true;
  if (record_.reload_to->wait_ready) return false;
  const std::set<std::string> old = host_.to_take_over(record_.run, record_.successor->run);
  const std::set<std::string> now = host_.listens_on(record_.successor->run);
  return !old.empty() && std::includes(now.begin(), now.end(), old.begin(), old.end());
}

// What is left of a canary's trial, which is min_uptime from its start.
std::chrono::nanoseconds Worker::on_trial() const {
  const std::chrono::nanoseconds lived(clock_.system_ns() - record_.successor->started_ns);
  return canary_
             ? std::min(record_.reload_to->min_uptime, listen_timeout(*record_.reload_to)) - lived
             : 0ns;
}

void Worker::look_at_successor() {
  if (!record_.successor || record_.successor->pid == 0) return;
  const bool serves = successor_serves();
  const bool nothing_to_serve = !record_.reload_to->wait_ready &&
                                host_.to_take_over(record_.run, record_.successor->run).empty();
  const bool fits = serves || nothing_to_serve;
  if (!fits && health_ == Health::kWell) return reload_failed("has stopped listening");
  if (!fits || !successor_is_well()) return;
  canary_ = canary_ || nothing_to_serve;
  const auto left = on_trial();
  if (left <= 0ns) return take_over(true);
  timers_.cancel(successor_timer_);
  successor_timer_ = timers_.call_after(left, [this, serves] {
    successor_timer_ = 0;
    if (serves && !successor_serves()) return reload_failed("has stopped listening");
    take_over(true);
  });
}

// Asked once it serves, and before its trial is over: one that the question kills is seen to die.
bool Worker::successor_is_well() {
  if (record_.reload_to->health.path.empty()) return true;
  if (health_ != Health::kNotAsked) return health_ == Health::kWell;
  health_ = Health::kAsked;
  timers_.cancel(std::exchange(successor_timer_, 0));  // Kept; health.within counts now.
  host_.ask_health(record_.successor->run, *record_.reload_to, [this](Result<void> answered) {
    if (!answered) return reload_failed(answered.error().message());
    health_ = Health::kWell;
    look_at_successor();
  });
  return false;
}

void Worker::end_trial() {
  timers_.cancel(std::exchange(successor_timer_, 0));
  if (record_.successor) host_.ask_no_more(record_.successor->run);
}

void Worker::listens(RunId run) {
  if (record_.successor && record_.successor->run == run) look_at_successor();
}

void Worker::take_over(bool old_lives) {
  end_trial();
  const LeavingRun old = current_run(reload_why_);
  const SideRun next = *std::exchange(record_.successor, std::nullopt);
  record_.run = next.run;
  record_.pid = next.pid;
  record_.start_ticks = next.start_ticks;
  record_.started_ns = next.started_ns;
  record_.logs = record_.successor_logs;
  const AppSpec followed = std::exchange(record_.spec, std::move(*record_.reload_to));
  const auto links = std::exchange(record_.links, std::exchange(record_.successor_links, {}));
  record_.reload_to.reset();
  record_.spec_text.clear();
  const std::chrono::nanoseconds lived(clock_.system_ns() - old.started_ns);
  note_release(followed, links, record_.proven || lived >= followed.min_uptime);
  record_.actions = Json::array();
  record_.trouble.clear();
  record_.failed_reload = {};
  monitor_ = Json::object();
  ++record_.restarts;
  if (old.why == ExitCause::kMemoryLimit) note_limit_run(lived.count());
  cancel_timers();
  arm_cron(0);
  // Where its predecessor has died too early, it is as far as any other that has been launched.
  if (next.pid == 0) {
    record_.state = WorkerState::kLaunching;
  } else if (record_.spec.wait_ready && !next.ready) {
    record_.state = WorkerState::kUnready;
    await_ready();
  } else {
    record_.state = WorkerState::kOnline;
  }
  host_.notice(label() + " reloaded: pid " + std::to_string(old.pid) + " is followed by " +
               std::to_string(next.pid));
  host_.admit(record_.run);
  if (old_lives) {
    record_.leaving.push_back(old);
    leave(record_.leaving.back());
  }
  host_.save_soon();
  host_.reload_moved(record_.id);
  run_steps();
}

void Worker::let_go() {
  if (record_.state != WorkerState::kOnline || !host_.shares_port(record_.spec)) return;
  record_.leaving.push_back(current_run(ExitCause::kAsked));
  record_.run = {};
  record_.pid = 0;
  leave(record_.leaving.back());
  apply(WorkerEvent::kLetGo);
}

void Worker::reload_failed(const std::string& why) {
  end_trial();
  const std::string what = record_.spec.name + " (id " + std::to_string(record_.id.value) +
                           "): the new process " + why + "; the old one stays";
  reload_error_ = Error(Errc::kIo, what);
  record_.trouble = "reload: " + what;
  record_.reload_to.reset();
  host_.notice(record_.trouble);
  if (record_.successor) {
    record_.failed_reload = record_.successor->run;
    LeavingRun failed;
    static_cast<SideRun&>(failed) = *std::exchange(record_.successor, std::nullopt);
    record_.leaving.push_back(failed);
    LeavingRun& run = record_.leaving.back();
    const bool idle = host_.listens_on(run.run).empty() && !host_.is_trapped(run.run);
    idle ? dismiss(run) : leave(run);
  }
  host_.save_soon();
  host_.reload_moved(record_.id);
  run_steps();
}

void Worker::give_up_reload(const std::string& why) {
  if (record_.successor) return reload_failed(why);
  forget_reload();
}

// ---- Those that leave.

LeavingRun Worker::current_run(ExitCause why) const {
  LeavingRun run;
  run.run = record_.run;
  run.pid = record_.pid;
  run.start_ticks = record_.start_ticks;
  run.started_ns = record_.started_ns;
  run.why = why;
  return run;
}

LeavingRun* Worker::leaving(RunId run) {
  for (LeavingRun& leaving : record_.leaving)
    if (leaving.run == run) return &leaving;
  return nullptr;
}

void Worker::leave_in(RunId run, std::chrono::nanoseconds delay,
                      void (Worker::*then)(LeavingRun&)) {
  Timers::Id& timer = leave_timers_[run].next;
  timers_.cancel(timer);
  timer = timers_.call_after(delay, [this, run, then] {
    leave_timers_[run].next = 0;
    if (LeavingRun* const found = leaving(run)) (this->*then)(*found);
  });
}

void Worker::leave(LeavingRun& run) {
  host_.leave_soon(run.run);
  // A client whose connection was on its way to it a moment ago has arrived by then.
  if (host_.is_trapped(run.run)) {
    const DrainHook* const hook = drain_hook_of(record_.spec);
    if (hook != nullptr && hook->signal != 0) host_.signal(run.run, hook->signal, false);
    return leave_in(run.run, kSoftDrain, &Worker::close_when_empty);
  }
  if (record_.spec.drain_hook && host_.say(run.run, kDrainRequest))
    return leave_in(run.run, kSoftDrain, &Worker::close);
  close(run);
}

void Worker::close_when_empty(LeavingRun& run) {
  const bool patient = leave_timers_[run.run].looks++ * kLookAgain < record_.spec.kill_timeout;
  if (patient && host_.waiting_at(run.run) > 0)
    return leave_in(run.run, kLookAgain, &Worker::close_when_empty);
  close(run);
}

void Worker::close(LeavingRun& run) {
  if (std::exchange(run.disconnected, true)) return;
  host_.save_soon();
  arm_kill(run.run);
  // After the end of the channel nothing can be said any more.
  const bool told = record_.spec.shutdown_with_message && host_.say(run.run, "\"shutdown\"");
  if (!host_.disconnect(run.run) && !(told && host_.is_trapped(run.run))) tell_to_end(run);
}

// It has no clients, and may be at its start: node takes a channel that closes then for an error.
void Worker::dismiss(LeavingRun& run) {
  run.disconnected = true;
  arm_kill(run.run);
  tell_to_end(run);
}

void Worker::arm_kill(RunId run) {
  leave_timers_[run].kill = timers_.call_after(record_.spec.kill_timeout, [this, run] {
    leave_timers_[run].kill = 0;
    if (LeavingRun* const found = leaving(run)) kill(*found);
  });
}

void Worker::drained(RunId run) {
  LeavingRun* const found = leaving(run);
  if (found != nullptr) close(*found);
}

void Worker::cut_off(RunId run) {
  LeavingRun* const found = leaving(run);
  if (found == nullptr) return;
  if (!std::exchange(found->disconnected, true)) arm_kill(run);  // By itself, before it was told.
  leave_in(run, kNaturalExit, &Worker::tell_to_end);
}

void Worker::tell_to_end(LeavingRun& run) {
  const bool given = !record_.spec.kill_signal.empty();
  end(run, given ? kill_signal(record_.spec) : host_.leaving_signal(run.run, run.pid));
}

void Worker::end(const LeavingRun& run, int signal) {
  if (signal == SIGKILL)
    host_.notice(label() + ": pid " + std::to_string(run.pid) + " has not let go within " +
                 std::to_string(record_.spec.kill_timeout.count()) + "ms, and held " +
                 std::to_string(open_connections(run.pid)) + " connections: sending SIGKILL");
  if (record_.spec.treekill) host_.signal_strays(run.run, run.pid, signal);
  host_.signal(run.run, signal, record_.spec.treekill);
}

// It is stopped: nobody waits for clients any more, and nobody takes over.
void Worker::hurry_leaving() {
  if (record_.successor) reload_failed("was stopped");
  for (LeavingRun& run : record_.leaving) {
    timers_.cancel(std::exchange(leave_timers_[run.run].next, 0));
    close(run);
    // The others have just had their signal.
    if (!host_.is_trapped(run.run)) end(run, kill_signal(record_.spec));
  }
}

void Worker::drop_side_runs_but(const std::set<RunId>& known) {
  std::erase_if(record_.leaving, [&](const LeavingRun& run) { return !known.contains(run.run); });
  if (record_.successor && !known.contains(record_.successor->run)) record_.successor.reset();
}

// After a daemon's start. Those of them that have ended are told of one by one.
void Worker::resume_side_runs(bool all_are_seen) {
  for (LeavingRun& run : record_.leaving) {
    if (!run.disconnected) {
      leave(run);
      continue;
    }
    arm_kill(run.run);
    if (!host_.connected(run.run)) cut_off(run.run);
  }
  if (!record_.successor || !record_.reload_to) return;
  health_ = Health::kNotAsked;
  canary_ = true;  // It may be one.
  await_successor();
  if (all_are_seen) look_at_successor();  // Else what has become of it comes next.
}

}  // namespace pmx::supervisor
