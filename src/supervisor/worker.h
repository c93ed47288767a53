// One worker's life: the transition table applied, and a queue so that no two operations overlap.
//
// Owns:       the worker's record, its timers, the steps that wait.
// Thread:     control.
// Invariants: at most one run is alive; a step begins when the one before it is done; the roster is
//             told of a change before anything follows from it.
// Bounds:     kMaxSteps waiting steps; more are refused.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/timers.h"
#include "supervisor/app_message.h"
#include "supervisor/cron_timer.h"
#include "supervisor/keeper_link.h"
#include "supervisor/worker_record.h"

namespace pmx::supervisor {

// What a worker needs done for it.
class WorkerHost {
 public:
  virtual ~WorkerHost() = default;
  // Makes pipes, rings and the spawn; fills record.run and record.logs. The outcome comes later.
  virtual Result<void> launch(WorkerRecord& record) = 0;
  virtual void signal(RunId run, int signal, bool group) = 0;
  // Before a signal to its group: those of its descendants that have left it get the same, and are
  // ended with what is left in the group. 0: no signal now.
  virtual void signal_strays(RunId run, pid_t leader, int signal) = 0;
  // Over the run's channel. False: there is none that anybody listens to.
  virtual bool say(RunId run, std::string_view json) = 0;
  // The leader has ended, and what is left of its tree is killed after `grace`. False: nobody is
  // left. Else tree_ended() says when nobody is, later.
  virtual bool sweep_tree(const Child& leader, std::chrono::nanoseconds grace) = 0;
  virtual bool sweeps_always() const = 0;  // Also where nobody had asked for the end.
  virtual void run_ended(const WorkerRecord& record, RunId run) = 0;
  virtual void save_soon() = 0;
  virtual void remove(WorkerId id) = 0;  // Later, from the loop: the worker is still on the stack.
  virtual void notice(const std::string& line) = 0;
  // Cluster mode: addresses that a run is seen to listen on; it gets no more new connections; it is
  // told to close (false: nobody listens there); and a reload has got one step on.
  virtual std::set<std::string> listens_on(RunId) { return {}; }
  // Those of `run` that its successor must be seen to listen on.
  virtual std::set<std::string> to_take_over(RunId run, RunId) { return listens_on(run); }
  virtual void admit(RunId) {}  // It gets connections from now on.
  virtual void leave_soon(RunId) {}
  virtual bool disconnect(RunId) { return false; }
  virtual bool connected(RunId) { return false; }  // It has not closed its channel.
  // Whether workers of this app can serve one port side by side.
  virtual bool shares_port(const AppSpec& app) const;
  // Its binds are, or it was started with its sockets: it speaks no cluster protocol, and ends by a
  // signal. And how many connections only it can accept.
  virtual bool is_trapped(RunId) { return false; }
  virtual std::uint32_t waiting_at(RunId) { return 0; }
  virtual int leaving_signal(RunId, pid_t) { return SIGINT; }
  virtual void reload_moved(WorkerId) {}
  // One that is to take over is asked, by health_check.h, and no more.
  virtual void ask_health(RunId, const AppSpec&, std::function<void(Result<void>)>) {}
  virtual void ask_no_more(RunId) {}
  // Whether the kernel's OOM killer has ended anybody since this was last asked.
  virtual bool oom_killer_was_here() = 0;
};

class Worker {
 public:
  using Done = std::function<void(Result<void>)>;
  static constexpr std::size_t kMaxSteps = 64;
  static constexpr std::size_t kMaxRestartTimes = 256;
  enum class Wanted : std::uint8_t { kNoLonger, kStill };  // kStill: only the daemon is going.

  Worker(WorkerRecord record, WorkerHost& host, Timers& timers, const Clock& clock);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // `spec` replaces the app when the start begins.
  void start(std::optional<AppSpec> spec, Done done);
  void stop(Wanted wanted, Done done);
  // `why`: what is told of the end, where nobody has asked for it by hand.
  void restart(std::optional<AppSpec> spec, Done done, ExitCause why = ExitCause::kAsked);
  // worker_reload.cpp, cluster mode: another run takes over while this one serves, which then
  // leaves. Where it is not online it is restarted. An error: the old run stays, with its spec.
  // A canary must have lived for min_uptime as well before it takes over.
  enum class Trust : std::uint8_t { kAtOnce, kCanary };
  void reload(AppSpec spec, Trust trust, Done done, ExitCause why = ExitCause::kAsked);
  // Its run leaves, so that no client is cut off, before it is removed.
  void retire(Done done);
  bool reloading() const { return record_.successor.has_value(); }
  bool reloads_for_memory() const { return reloading() && reload_why_ == ExitCause::kMemoryLimit; }
  void owe_reload(AppSpec spec) { record_.reload_to = std::move(spec); }
  void forget_reload() { record_.reload_to.reset(); }
  void give_up_reload(const std::string& why);            // In work or owed: the old run stays.
  void drop_side_runs_but(const std::set<RunId>& known);  // After a daemon's start.
  void listens(RunId run);                                // On one more address.
  void drained(RunId run);     // Of a leaving one: no client has a connection to it.
  void cut_off(RunId run);     // It has closed its channel.
  bool owns(RunId run) const;  // Current, successor, or leaving.
  void remove(Done done);      // Stops it first. The host forgets it soon after `done`.
  void reset();                // Counters, at once.
  // A start is about to be asked for: the list says so before anything happens, so that a daemon
  // that takes over in the middle goes on with it instead of ending what had just begun.
  void want() { record_.should_run = true; }

  void child_changed(const Child& child);  // Of record().run.
  void tree_ended(RunId run);              // Nobody is left of what it had started.
  // Of the same run, over its channel. True: there is something new to be saved.
  bool said(RunId run, const AppMessage& message);
  // After a daemon's start. `child` is the keeper's entry of record().run, or null; `again` asks
  // for a start where the worker is wanted and has none.
  void resume(const Child* child, bool again);
  void adopt(const Child& child);  // A run of this worker that the roster did not know yet.

  // What takes effect without a new run; of starts that wait too. `change` answers whether it did
  // anything.
  void change_spec(const std::function<bool(AppSpec&)>& change) {
    for (Step& step : steps_)
      if (step.spec) change(*step.spec);
    if (change(record_.spec)) record_.spec_text.clear();
    arm_cron(0);
  }

  const WorkerRecord& record() const { return record_; }
  WorkerRecord& record_to_save() {
    return record_;
  }                                                 // The roster keeps its text of the spec there.
  std::int64_t restarts_in_last_minute() const;     // Those that nobody had asked for.
  const Json& monitor() const { return monitor_; }  // The figures that its run has sent.
  bool removing() const { return removing_; }

 private:
  enum class StepKind : std::uint8_t { kStart, kStop, kReload, kRetire, kRemove };
  struct Step {
    StepKind kind;
    Done done;
    std::optional<AppSpec> spec = std::nullopt;
    Wanted wanted = Wanted::kNoLonger;
    bool counts_restart = false;        // The start half of a restart.
    bool canary = false;                // Of a reload.
    ExitCause why = ExitCause::kAsked;  // Of a stop.
    bool begun = false;
  };

  bool room_for(std::size_t steps, const Done& done);
  void run_steps();
  void begin(Step& step);
  bool finished(const Step& step) const;
  void complete(Result<void> result);
  Result<void> outcome(const Step& step) const;

  void apply(WorkerEvent event);
  void perform(WorkerAction action);
  void launch();
  void note_release(const AppSpec& old, const std::optional<Links>& old_links, bool proven);
  ExitFacts facts_of(const Child& child, std::int64_t started_ns) const;
  void ended(const Child& child);
  void note_limit_run(std::int64_t ran_ns);  // It had too much memory, and another follows it.
  void note_unasked_restart();
  void run_begun(const Child& child);
  void await_ready();
  void mark_late();
  void not_started(const std::string& why, int sys_errno);
  void apply_verdict(const Verdict& verdict);
  void terminate();
  void kill_now();
  void cancel_timers();
  // worker_reload.cpp
  void begin_successor();
  void successor_changed(const Child& child);
  bool successor_serves();
  bool successor_is_well();
  void end_trial();
  void look_at_successor();
  std::chrono::nanoseconds on_trial() const;
  void take_over(bool old_lives);
  void let_go();
  void reload_failed(const std::string& why);
  void await_successor();
  LeavingRun current_run(ExitCause why) const;
  void arm_kill(RunId run);
  void leave(LeavingRun& run);
  void close(LeavingRun& run);
  void dismiss(LeavingRun& run);
  void close_when_empty(LeavingRun& run);
  void end(const LeavingRun& run, int signal);
  void hurry_leaving();
  void left(const Child& child);
  void resume_side_runs(bool all_are_seen);
  LeavingRun* leaving(RunId run);
  void leave_in(RunId run, std::chrono::nanoseconds delay, void (Worker::*then)(LeavingRun&));
  void tell_to_end(LeavingRun& run);
  void kill(LeavingRun& run) { end(run, SIGKILL); }
  void arm_cron(std::int64_t due_ns);
  void cron_due();
  std::string label() const;

  WorkerRecord record_;
  WorkerHost& host_;
  Timers& timers_;
  const Clock& clock_;
  std::deque<Step> steps_;
  std::optional<AppSpec> launched_spec_;  // What ran last, where record_.spec is another by now.
  std::deque<std::int64_t> restart_times_ns_;
  std::chrono::milliseconds next_delay_{0};
  std::chrono::steady_clock::time_point kill_at_{};
  Timers::Id kill_timer_ = 0, restart_timer_ = 0, ready_timer_ = 0;
  Json monitor_ = Json::object();
  CronTimer cron_;
  ExitCause why_ = ExitCause::kAsked;  // Of the stop in work.
  std::optional<Error> reload_error_;
  Timers::Id successor_timer_ = 0;
  bool canary_ = false;
  enum class Health : std::uint8_t { kNotAsked, kAsked, kWell } health_ = Health::kNotAsked;
  ExitCause reload_why_ = ExitCause::kAsked;
  struct LeaveTimers {
    Timers::Id next = 0, kill = 0;
    int looks = 0;  // At its queue.
  };
  std::map<RunId, LeaveTimers> leave_timers_;
  int kills_ = 0;
  RunId tree_of_;             // Ended on request; its tree is waited for. {0}: none is.
  bool late_ = false;         // kUnready for longer than listen_timeout.
  bool was_running_ = false;  // When a restart's stop began.
  bool removing_ = false;
  bool in_steps_ = false;
};

}  // namespace pmx::supervisor
