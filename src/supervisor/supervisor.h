// All workers of one home: what users ask for goes to the workers' queues, what keeper and pipeline
// report goes to the workers, and every change goes to the roster before anything depends on it.
//
// Owns:       the workers, the roster, the launcher; borrows keeper link and pipeline.
// Thread:     control.
// Invariants: an exit is acknowledged only after the roster that knows of it is saved; ids grow
//             until the list is empty.
// Errors:     of one worker never stop the others; the first one is the answer.
// Bounds:     kMaxWorkers workers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fs.h"
#include "base/timers.h"
#include "base/watches.h"
#include "supervisor/bind_traps.h"
#include "supervisor/channels.h"
#include "supervisor/cluster.h"
#include "supervisor/health_check.h"
#include "supervisor/keeper_link.h"
#include "supervisor/memory_guard.h"
#include "supervisor/monitor.h"
#include "supervisor/pipeline.h"
#include "supervisor/reloads.h"
#include "supervisor/roster.h"
#include "supervisor/run_launcher.h"
#include "supervisor/sweeps.h"
#include "supervisor/target.h"
#include "supervisor/triggers.h"
#include "supervisor/watch_restarts.h"
#include "supervisor/worker.h"

namespace pmx::supervisor {

struct DrainHook;

inline constexpr std::int64_t kMaxPlacedId = 1'000'000;  // Of a dump: what is larger is a mistake.
inline constexpr std::size_t kMaxWorkers = kMaxStreams / 2;

std::uint64_t kernel_oom_kills();  // "oom_kill" of /proc/vmstat (proc(5)); 0 where it has none.

struct SupervisorParts {
  KeeperLink& link;
  Pipeline& pipeline;
  Fs& files;
  Timers& timers;
  Watches& watches;
  const Clock& clock;
  AppCodec codec;
  std::function<void(const std::string&)> notice;  // One line for pmx.log.
  // Before each start of a worker, while it prints nothing yet; and when the list has got shorter.
  std::function<void(const WorkerRecord&)> before_launch = [](const WorkerRecord&) {};
  std::function<void()> list_shortened = [] {};
  // Processes that the kernel's OOM killer has ended since the machine was started.
  std::function<std::uint64_t()> oom_kills = &kernel_oom_kills;
  std::function<std::vector<ProcessEntry>()> processes = &read_process_table;
  std::function<std::optional<ProcessReading>(pid_t)> process = &read_process;
};

struct SupervisorOptions {
  std::string home;  // Absolute.
  // Foreground mode: these apps and no list on disk.
  std::vector<AppSpec> only_apps = {};
  bool autosave = true;       // false: a new keeper's list is empty, whatever was saved.
  std::string no_traps = {};  // Why binds cannot be trapped here; "": they can.
};

class Supervisor final : private WorkerHost {
 public:
  using Done = std::function<void(Result<void>)>;
  using Ended = std::function<void(const WorkerRecord&, RunId)>;

  Supervisor(SupervisorOptions options, SupervisorParts parts);
  ~Supervisor() override;

  // The start of every daemon, the first as any other. `runs`: what the pipeline was started with.
  void recover(const std::vector<RunSpec>& runs);
  // After each end of a run, and each start that did not become one (run 0).
  void on_run_ended(Ended ended) { ended_ = std::move(ended); }
  void on_tree_ended(std::function<void()> ended) { tree_ended_ = std::move(ended); }

  // From keeper and pipeline.
  void child_changed(const Child& child);
  void stream_ended(StreamId stream) { launcher_.stream_ended(stream); }
  void streams_done(RunId run) { launcher_.run_ended(run); }

  // What is asked of workers; `done` comes when it has happened. Whoever promises more than that to
  // a user calls save_now() first.
  // In the list, stopped. With a place of its own where that is free: else the next free one.
  struct Place {
    std::optional<std::int64_t> id, instance;
  };
  Result<WorkerId> add(AppSpec spec, Place place);
  Result<WorkerId> add(AppSpec spec) { return add(std::move(spec), Place()); }
  void start(WorkerId id, std::optional<AppSpec> spec, Done done);
  void stop(WorkerId id, Worker::Wanted wanted, Done done);
  void restart(WorkerId id, std::optional<AppSpec> spec, Done done);
  // What would keep this worker from starting with `spec`, before its process is ended for it.
  Result<void> check_start(WorkerId id, const AppSpec& spec) const;
  // supervisor_cluster.cpp: workers of one cluster app, one after the other; see reloads.h.
  void reload(std::vector<std::pair<WorkerId, AppSpec>> workers, std::size_t parallel, Done done);
  // All workers of an app that shares sockets, before they restart under that name: they stay open.
  // Not one of them alone, nor while it is being reloaded.
  bool shares_sockets(const AppKey& app) const { return cluster_.knows(app); }
  bool reloading(const AppKey& app) const { return reloads_.busy(app); }
  void rename_app(const AppKey& from, const AppKey& to);
  void retire_worker(WorkerId id, Done done);  // Removed once no client of it is cut off.
  void remove_worker(WorkerId id, Done done);
  void reset(WorkerId id);
  void unwatch(WorkerId id);  // Its `watch` is switched off, which takes no restart.
  // To a worker that runs, by its channel, its standard input, or a signal to its own process
  // alone.
  Result<void> say(WorkerId id, std::string_view json);
  Result<void> send_line(WorkerId id, std::string_view bytes) const;
  Result<void> send_signal(WorkerId id, int signal) const;
  Triggers& triggers() { return triggers_; }
  // What cluster workers have counted: the value is {"open","connections","requests"}, and trouble
  // is told of those that do not count.
  void count_traffic(const std::vector<WorkerId>& ids, Triggers::Done done);
  void want(WorkerId id);  // Before the save that comes before a start.
  // Of every app; see Worker::change_spec().
  void change_specs(const std::function<bool(AppSpec&)>& change);
  void save_now();
  // Of a worker that ends without being asked to, too, the tree is waited for and ended; strays get
  // the signal that the groups have had from elsewhere.
  void sweep_from_now_on(int signal);
  bool sweeping() const { return sweeps_.any(); }
  void signal_all(int signal);
  void end_sweeps() { sweeps_.kill_all(); }  // What is left of ended runs gets SIGKILL now.

  const Worker* find(WorkerId id) const;
  std::int64_t lived_ms(WorkerId id) const;  // Of its current run.
  std::optional<Cluster::Handed> handed(RunId run) const { return cluster_.handed(run); }
  std::vector<const Worker*> workers() const;  // By id.
  std::vector<TargetCandidate> candidates() const;
  std::vector<RunId> live_runs() const;  // Runs whose streams have not all ended.
  std::vector<RunId> live_runs_of(WorkerId id) const;
  std::map<WorkerId, std::vector<RunId>> open_runs() const;  // The same, by worker.
  std::string pid_file_of(const WorkerRecord& record) const;
  const std::string& trouble() const { return roster_.trouble(); }
  const std::string& home() const { return options_.home; }
  bool shares_port(const AppSpec& app) const override;
  // How the workers of an app in cluster mode share what they listen on; "" in fork mode.
  std::string port_sharing(const AppSpec& app) const;

 private:
  // WorkerHost.
  Result<void> launch(WorkerRecord& record) override;
  void signal(RunId run, int signal, bool group) override;
  void signal_strays(RunId run, pid_t leader, int signal) override;
  bool say(RunId run, std::string_view json) override;
  bool sweep_tree(const Child& leader, std::chrono::nanoseconds grace) override {
    return sweeps_.begin(leader, grace);
  }
  bool sweeps_always() const override { return sweeps_always_; }
  void run_ended(const WorkerRecord& record, RunId run) override;
  void save_soon() override;
  void remove(WorkerId id) override;
  void notice(const std::string& line) override { parts_.notice(line); }
  // supervisor_cluster.cpp
  std::set<std::string> listens_on(RunId run) override { return cluster_.listens_on(run); }
  std::set<std::string> to_take_over(RunId run, RunId next) override {
    return cluster_.to_take_over(run, next);
  }
  void admit(RunId run) override;
  void ask_health(RunId run, const AppSpec& app, Done done) override;
  void ask_no_more(RunId run) override { checks_.erase(run); }
  void leave_soon(RunId run) override { cluster_.leave_soon(run); }
  bool disconnect(RunId run) override;
  bool connected(RunId run) override { return channels_.has(run); }
  bool is_trapped(RunId run) override { return cluster_.is_trapped(run); }
  std::uint32_t waiting_at(RunId run) override { return cluster_.waiting_at(run); }
  int leaving_signal(RunId run, pid_t pid) override;
  void reload_moved(WorkerId id) override;
  bool oom_killer_was_here() override;

  WorkerHost& host() { return *this; }
  WatchRestarts::Parts watch_parts();
  Worker* worker_of(RunId run);
  void add_recovered(std::vector<WorkerRecord> records);
  WorkerRecord new_record(AppSpec spec, WorkerId id, std::int64_t instance);
  std::vector<WorkerRecord> records_of_only_apps();
  void tree_ended(RunId run);
  void end_lost_runs(RosterContents& contents, const std::map<RunId, Child>& children);
  void adopt_or_end(const Child& child, const std::map<RunId, WorkerId>& owners,
                    const std::set<RunId>& alive);
  void acknowledge_all();
  Channel::Took said(RunId run, const AppMessage& message, std::string_view line);
  // supervisor_cluster.cpp
  Cluster::Parts cluster_parts();
  BindTraps::Events trap_events();
  void write_drain_hook(const AppSpec& app);
  bool binds_by_itself(const AppSpec& app) const;
  RunLauncher::Sockets sockets_of(const AppSpec& app, const Cluster::Place& place, RunId& member);
  void rejoin_cluster(const WorkerRecord& record, RunId run);
  void channel_closed(RunId run);
  void recover_cluster(const std::set<RunId>& alive);
  void end_renames();
  void resume_reloads();
  void tidy_cluster(const AppKey& app);
  void tidy_later(const AppKey& app);
  Result<const WorkerRecord*> running(WorkerId id) const;
  void write_pid_file(const WorkerRecord& record);
  void forget_removed();
  std::int64_t free_instance(const std::string& name) const;
  std::vector<std::string> shared_paths(WorkerId without) const;
  std::string make_unique_id();

  const SupervisorOptions options_;
  SupervisorParts parts_;
  Roster roster_;
  RunLauncher launcher_;
  Channels channels_;
  Cluster cluster_;
  std::map<RunId, std::unique_ptr<HealthCheck>> checks_;
  BindTraps traps_;
  Reloads reloads_;
  std::map<AppKey, Timers::Id> tidy_timers_;
  std::set<const DrainHook*> hooks_written_;
  bool recovered_ = false;
  std::set<AppKey> failed_reloads_;  // While recovering: without a daemon.
  Triggers triggers_, traffic_;
  Sweeps sweeps_;
  bool sweeps_always_ = false;
  MemoryGuard memory_guard_;
  WatchRestarts watch_restarts_;
  std::map<WorkerId, std::unique_ptr<Worker>> workers_;
  std::uint32_t next_id_ = 0;
  std::vector<RunId> exits_to_acknowledge_;
  std::set<WorkerId> removed_;
  Timers::Id save_timer_ = 0, forget_timer_ = 0;
  std::chrono::steady_clock::duration save_took_{0};
  std::uint64_t oom_kills_ = 0;
  bool retrying_ = false;  // save_timer_ is the slow one.
  Ended ended_;
  std::function<void()> tree_ended_;
};

}  // namespace pmx::supervisor
