// Cluster apps as the supervisor has them: launches with a number and a hook, addresses that are
// closed when nobody is to serve them any more, reloads.
#include <algorithm>

#include "base/sys.h"
#include "supervisor/drain_hook.h"
#include "supervisor/leaving_signal.h"
#include "supervisor/spawn_request.h"
#include "supervisor/supervisor.h"

namespace pmx::supervisor {
namespace {

// An address that nobody asks for any more may be one that a slow worker has not asked for yet.
constexpr std::chrono::seconds kTidyDelay{10};
// Of one that is asked what it has counted: it answers at once, or hangs.
constexpr std::chrono::seconds kCountPatience{1};

}  // namespace

Cluster::Parts Supervisor::cluster_parts() {
  return {
      parts_.link,
      parts_.watches,
      parts_.timers,
      parts_.clock,
      [this](RunId run, std::string_view json, int fd) { return channels_.send(run, json, fd); },
      [this](RunId run, std::string_view json, int fd) {
        return channels_.send_at_once(run, json, fd);
      },
      [this](RunId run) {
        if (Worker* const worker = worker_of(run)) worker->listens(run);
      },
      [this](RunId run) {
        if (Worker* const worker = worker_of(run)) worker->drained(run);
      },
      parts_.notice,
      [this](RunId run, const Traffic& traffic) {
        const Worker* const worker = worker_of(run);
        if (worker == nullptr || worker->record().run != run) return;
        traffic_.replied(
            worker->record().id,
            Json::object({{"return", Json::object({{"open", traffic.open},
                                                   {"connections", traffic.connections},
                                                   {"requests", traffic.requests}})}}));
      }};
}

std::int64_t Supervisor::lived_ms(WorkerId id) const {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  return (parts_.clock.system_ns() - workers_.at(id)->record().started_ns) / kNsPerMs;
}

void Supervisor::count_traffic(const std::vector<WorkerId>& ids, Triggers::Done done) {
  const auto expected = traffic_.expect("count", ids, kCountPatience, done);
  if (!expected) return done({});
  for (const WorkerId id : ids)
    if (!cluster_.ask_traffic(workers_.at(id)->record().run)) traffic_.failed(id, "does not count");
}

BindTraps::Events Supervisor::trap_events() {
  return {[this](RunId run, const ListenAddress& address) { return cluster_.binds(run, address); },
          [this](RunId run) {
            if (Worker* const worker = worker_of(run)) worker->listens(run);
          },
          parts_.notice};
}

// It speaks no protocol, or may do both.
bool Supervisor::binds_by_itself(const AppSpec& app) const {
  return !is_cluster(app) || (options_.no_traps.empty() && supervisor::is_trapped(app));
}

bool Supervisor::shares_port(const AppSpec& app) const {
  return is_cluster(app) || !app.listen.empty() ||
         (options_.no_traps.empty() && supervisor::is_trapped(app));
}

// Before its SPAWN the run is a member, which is said in `member`: whoever finds it running finds
// what it has a right to, and the sockets that it is started with.
RunLauncher::Sockets Supervisor::sockets_of(const AppSpec& app, const Cluster::Place& place,
                                            RunId& member) {
  if (!shares_port(app)) return {};
  return [this, &app, place, &member](RunId run) -> Result<std::vector<Fd>> {
    const std::vector<ListenSpec> specs = PMX_TRY(listen_specs_of(app.listen));
    const auto identity = PMX_TRY(identity_of(app));
    std::optional<FileOwner> owner;
    if (identity) owner = FileOwner{identity->uid, identity->gid};
    member = run;
    cluster_.join(app, run, place);
    if (specs.empty()) return std::vector<Fd>();
    return cluster_.sockets_for(run, specs, owner);
  };
}

std::string Supervisor::port_sharing(const AppSpec& app) const {
  if (!app.listen.empty() && !is_cluster(app)) return "sockets passed as LISTEN_FDS";
  if (app.exec_mode != "cluster_mode") return "";
  const std::string protocol = is_cluster(app) ? "Node's cluster protocol" : "";
  if (!supervisor::is_trapped(app)) return protocol;
  if (options_.no_traps.empty())
    return (protocol.empty() ? "" : protocol + ", or ") +
           std::string("bind(2) answered by pmx (no_new_privs)");
  if (!protocol.empty())
    return protocol + " alone, because bind(2) cannot be answered here (" + options_.no_traps + ")";
  return "none: separate processes, because bind(2) cannot be answered here (" + options_.no_traps +
         ")";
}

int Supervisor::leaving_signal(RunId run, pid_t pid) {
  // Node, for which PM2's programs have a handler.
  if (!traps_.has(run) && !cluster_.is_trapped(run)) return SIGINT;
  return supervisor::leaving_signal(
      sys::read_file("/proc/" + std::to_string(pid) + "/status").value_or(""));
}

// One of another version may be there.
void Supervisor::write_drain_hook(const AppSpec& app) {
  const DrainHook* const hook = drain_hook_of(app);
  if (hook == nullptr || hooks_written_.contains(hook)) return;
  const auto written =
      parts_.files.replace_file(drain_hook_path(options_.home, *hook), hook->text, 0600);
  if (!written) return parts_.notice("drain hook: " + written.error().message());
  hooks_written_.insert(hook);
}

bool Supervisor::disconnect(RunId run) {
  return cluster_.has(run) && cluster_.disconnect(run).has_value();
}

void Supervisor::channel_closed(RunId run) {
  Worker* const worker = worker_of(run);
  if (!cluster_.is_trapped(run)) {
    cluster_.ended(run);
    if (worker != nullptr) worker->cut_off(run);
    return;
  }
  cluster_.channel_closed(run);
  if (worker != nullptr) tidy_cluster(app_key(worker->record().spec));
}

void Supervisor::reload_moved(WorkerId id) {
  const WorkerRecord& record = workers_.at(id)->record();
  const AppKey app = app_key(record.spec);
  const bool failed = record.failed_reload.value != 0 && !record.reload_to;
  if (!recovered_ && failed) failed_reloads_.insert(app);
  reloads_.moved(app);
  tidy_cluster(app);
}

void Supervisor::admit(RunId run) {
  cluster_.admit(run);
  if (const Worker* const worker = worker_of(run)) write_pid_file(worker->record());
}

void Supervisor::ask_health(RunId run, const AppSpec& app, Done done) {
  const HealthRule& rule = app.health;
  checks_[run] = std::make_unique<HealthCheck>(
      HealthCheck::Parts{parts_.watches, parts_.timers,
                         [this, run, port = rule.port] { return cluster_.connect_to(run, port); }},
      rule, rule.within.count() > 0 ? rule.within : listen_timeout(app),
      [this, run, done = std::move(done)](Result<void> result) {
        // Only now, and to the end of this call: it is the check that calls.
        const auto check = checks_.extract(run);
        done(std::move(result));
      });
}

void Supervisor::retire_worker(WorkerId id, Done done) { workers_.at(id)->retire(std::move(done)); }

void Supervisor::reload(std::vector<std::pair<WorkerId, AppSpec>> workers, std::size_t parallel,
                        Done done) {
  if (workers.empty()) return done({});
  const AppKey app = app_key(workers_.at(workers.front().first)->record().spec);
  reloads_.start(app, std::move(workers), parallel, std::move(done));
}

void Supervisor::rename_app(const AppKey& from, const AppKey& to) {
  cluster_.rename(from, to);
  for (const auto& [id, worker] : workers_) {
    if (app_key(worker->record().spec) != from) continue;
    const std::string pid_file = pid_file_of(worker->record());
    worker->change_spec([&](AppSpec& app) {
      app.name = to.first;
      app.app_namespace = to.second;
      return true;
    });
    if (pid_file != pid_file_of(worker->record())) (void)parts_.files.remove(pid_file);
  }
  save_now();
}

// Held while a worker is to come back, whatever it does meanwhile.
void Supervisor::tidy_cluster(const AppKey& app) {
  if (!cluster_.knows(app)) return;
  const bool wanted = std::any_of(workers_.begin(), workers_.end(), [&](const auto& entry) {
    const WorkerRecord& record = entry.second->record();
    return !removed_.contains(entry.first) && app_key(record.spec) == app && record.should_run &&
           record.state != WorkerState::kErrored && shares_port(record.spec);
  });
  if (!wanted) return cluster_.close_unused(app);
  tidy_later(app);
}

void Supervisor::tidy_later(const AppKey& app) {
  if (tidy_timers_.contains(app)) return;
  tidy_timers_[app] = parts_.timers.call_after(kTidyDelay, [this, app] {
    tidy_timers_.erase(app);
    if (!reloads_.busy(app)) cluster_.close_unasked(app);
  });
}

void Supervisor::recover_cluster(const std::set<RunId>& alive) {
  cluster_.recover();
  end_renames();
  for (const RunId run : cluster_.members())
    if (!alive.contains(run)) cluster_.ended(run);
  for (const auto& [id, worker] : workers_)
    for (const RunId run : alive)
      if (worker->owns(run)) rejoin_cluster(worker->record(), run);
  // As the daemon before us would have.
  for (const AppKey& app : cluster_.apps()) tidy_cluster(app);
}

// A daemon died between the cluster's new name of an app and the list's: it has that of the list.
void Supervisor::end_renames() {
  std::set<AppKey> listed;
  for (const auto& [id, worker] : workers_) listed.insert(app_key(worker->record().spec));
  for (const RunId run : cluster_.members()) {
    const AppKey app = *cluster_.app_of(run);
    const Worker* const worker = listed.contains(app) ? nullptr : worker_of(run);
    if (worker != nullptr) cluster_.rename(app, app_key(worker->record().spec));
  }
}

// A daemon died between a launch and its note of it.
void Supervisor::rejoin_cluster(const WorkerRecord& record, RunId run) {
  const bool follows = run != record.run;
  const AppSpec& app = follows && record.reload_to ? *record.reload_to : record.spec;
  if (!shares_port(app) || !(channels_.has(run) || traps_.has(run))) return;
  cluster_.join(app, run,
                {record.instance, cluster_.free_number(app), follows,
                 !is_cluster(app) || traps_.has(run), takes_connections_only(app)});
  if (!follows) cluster_.admit(run);
}

void Supervisor::resume_reloads() {
  recovered_ = true;
  for (const auto& [id, worker] : workers_) {
    const AppKey app = app_key(worker->record().spec);
    // One died, or was not ready, while no daemon lived: the others stay.
    if (failed_reloads_.contains(app)) worker->give_up_reload(kAnotherHasFailed);
  }
  std::map<AppKey, std::vector<std::pair<WorkerId, AppSpec>>> owed;
  for (const auto& [id, worker] : workers_) {
    const WorkerRecord& record = worker->record();
    if (!record.reload_to) continue;
    auto& workers = owed[app_key(record.spec)];
    // The one whose successor has been started is the first.
    workers.emplace(worker->reloading() ? workers.begin() : workers.end(), id, *record.reload_to);
  }
  for (auto& [app, workers] : owed)
    reloads_.start(app, std::move(workers), 1, [this, app = app](const Result<void>& result) {
      parts_.notice(app.first + (result ? ": the reload that another daemon had begun is done"
                                        : ": reload: " + result.error().message()));
    });
}

}  // namespace pmx::supervisor
