#include "supervisor/supervisor.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <random>

#include "base/crash_point.h"
#include "base/sys.h"
#include "base/units.h"
#include "supervisor/log_paths.h"
#include "supervisor/spawn_request.h"

namespace pmx::supervisor {
namespace {

constexpr std::chrono::seconds kSaveRetry{5};
// A thousand starts are a few dozen saves. What the list does not know yet if we die in between,
// the keeper's table and the runs' descriptions tell the next daemon.
constexpr std::chrono::milliseconds kSaveDelay{20};
constexpr int kSaveShare = 10;  // A long list is saved for at most one part in ten of the time.

}  // namespace

Supervisor::Supervisor(SupervisorOptions options, SupervisorParts parts)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      roster_(options_.only_apps.empty() ? options_.home + "/state/apps.json" : "", parts_.files,
              parts_.link, parts_.codec),
      launcher_({options_.home, options_.home + "/logs", options_.no_traps.empty()}, parts_.link,
                parts_.pipeline, parts_.clock),
      channels_(parts_.link, parts_.watches, parts_.timers,
                {[this](RunId run, const AppMessage& message, std::string_view line) {
                   return said(run, message, line);
                 },
                 parts_.notice, [this](RunId run) { channel_closed(run); }}),
      cluster_(cluster_parts()),
      traps_(parts_.link, parts_.watches, parts_.timers, trap_events()),
      reloads_({[this](WorkerId id) { return find(id) ? workers_.at(id).get() : nullptr; },
                [this] {
                  save_soon();
                  save_now();
                }}),
      triggers_(parts_.timers),
      traffic_(parts_.timers),
      sweeps_(parts_.timers, parts_.clock, parts_.processes, parts_.notice,
              [this](RunId run) { tree_ended(run); }),
      memory_guard_({parts_.timers, [this] { return workers(); },
                     [this](pid_t pid) -> std::optional<std::uint64_t> {
                       const auto reading = parts_.process(pid);
                       return reading ? std::optional(reading->rss_bytes) : std::nullopt;
                     },
                     [this](const AppKey& app) { return reloads_.replaces(app); },
                     [this](WorkerId id, Done done) {
                       Worker& worker = *workers_.at(id);
                       worker.reload(worker.record().spec, Worker::Trust::kAtOnce, std::move(done),
                                     ExitCause::kMemoryLimit);
                     },
                     parts_.notice}),
      watch_restarts_(watch_parts()),
      oom_kills_(parts_.oom_kills()) {}

std::uint64_t kernel_oom_kills() {
  const auto text = sys::read_file("/proc/vmstat");
  return text ? sys::number_of(*text, "oom_kill").value_or(0) : 0;
}

Supervisor::~Supervisor() {
  parts_.timers.cancel(save_timer_);
  parts_.timers.cancel(forget_timer_);
  for (const auto& [app, timer] : tidy_timers_) parts_.timers.cancel(timer);
}

// ---- What users ask for.

Result<WorkerId> Supervisor::add(AppSpec spec, Place place) {
  if (workers_.size() >= kMaxWorkers)
    return Error(Errc::kNoSpace, "there are " + std::to_string(workers_.size()) +
                                     " processes already, which is as many as one daemon takes");
  WorkerId id{next_id_};
  if (place.id && *place.id < kMaxPlacedId) {
    const WorkerId wanted{static_cast<std::uint32_t>(*place.id)};
    if (!workers_.contains(wanted)) id = wanted;
  }
  next_id_ = std::max(next_id_, id.value + 1);
  const std::int64_t instance = place.instance.value_or(free_instance(spec.name));
  workers_[id] = std::make_unique<Worker>(new_record(std::move(spec), id, instance), host(),
                                          parts_.timers, parts_.clock);
  save_soon();
  return id;
}

WorkerRecord Supervisor::new_record(AppSpec spec, WorkerId id, std::int64_t instance) {
  WorkerRecord record;
  record.id = id;
  record.instance = instance;
  record.unique_id = make_unique_id();
  record.created_ns = parts_.clock.system_ns();
  record.spec = std::move(spec);
  record.logs = log_files(record.spec, id, options_.home + "/logs");
  return record;
}

void Supervisor::start(WorkerId id, std::optional<AppSpec> spec, Done done) {
  workers_.at(id)->start(std::move(spec), std::move(done));
}
void Supervisor::stop(WorkerId id, Worker::Wanted wanted, Done done) {
  workers_.at(id)->stop(wanted, std::move(done));
}
Result<void> Supervisor::check_start(WorkerId id, const AppSpec& spec) const {
  const Worker* const worker = find(id);
  if (worker == nullptr || worker->record().pid == 0) return {};  // Nothing to lose.
  WorkerRecord record;
  record.id = id;
  record.instance = worker->record().instance;
  record.spec = spec;
  auto checked = [&]() -> Result<void> {
    const auto identity = PMX_TRY(identity_of(spec));
    const SpawnRequest request =
        PMX_TRY(spawn_request_of(record, RunId{}, options_.home, identity));
    for (const std::string& path : {request.program, request.cwd})
      if (!parts_.files.info(path)) return Error(Errc::kNotFound, "there is no " + path);
    // Where it has none yet, whoever is there may be the app itself.
    if (worker->record().spec.listen.empty()) return {};
    return cluster_.check_listen(app_key(worker->record().spec),
                                 PMX_TRY(listen_specs_of(spec.listen)));
  }();
  if (checked) return checked;
  return std::move(checked).error().within(spec.name + " (id " + std::to_string(id.value) +
                                           ") stays as it is");
}

void Supervisor::restart(WorkerId id, std::optional<AppSpec> spec, Done done) {
  workers_.at(id)->restart(std::move(spec), std::move(done));
}
void Supervisor::remove_worker(WorkerId id, Done done) { workers_.at(id)->remove(std::move(done)); }
void Supervisor::reset(WorkerId id) { workers_.at(id)->reset(); }
void Supervisor::want(WorkerId id) {
  workers_.at(id)->want();
  save_soon();
}

void Supervisor::change_specs(const std::function<bool(AppSpec&)>& change) {
  for (const auto& [id, worker] : workers_) worker->change_spec(change);
  memory_guard_.worker_began();
  save_soon();
}

const Worker* Supervisor::find(WorkerId id) const {
  const auto found = workers_.find(id);
  return found == workers_.end() || removed_.contains(id) ? nullptr : found->second.get();
}

std::vector<const Worker*> Supervisor::workers() const {
  std::vector<const Worker*> all;
  for (const auto& [id, worker] : workers_)
    if (!removed_.contains(id)) all.push_back(worker.get());
  return all;
}

std::vector<TargetCandidate> Supervisor::candidates() const {
  std::vector<TargetCandidate> all;
  for (const Worker* worker : workers()) {
    const WorkerRecord& record = worker->record();
    all.push_back({record.id, record.spec.name, record.spec.app_namespace, record.spec.script});
  }
  return all;
}

std::vector<RunId> Supervisor::live_runs_of(WorkerId id) const {
  std::vector<RunId> runs;
  for (const auto& [run, spec] : launcher_.live_runs())
    if (spec.worker == id) runs.push_back(run);
  return runs;
}

std::map<WorkerId, std::vector<RunId>> Supervisor::open_runs() const {
  std::map<WorkerId, std::vector<RunId>> open;
  for (const auto& [run, spec] : launcher_.live_runs()) open[spec.worker].push_back(run);
  return open;
}

std::vector<RunId> Supervisor::live_runs() const {
  std::vector<RunId> runs;
  for (const auto& [run, spec] : launcher_.live_runs()) runs.push_back(run);
  return runs;
}

std::int64_t Supervisor::free_instance(const std::string& name) const {
  std::set<std::int64_t> taken;
  for (const Worker* worker : workers())
    if (worker->record().spec.name == name) taken.insert(worker->record().instance);
  std::int64_t lowest = 0;
  while (taken.contains(lowest)) ++lowest;
  return lowest;
}

std::vector<std::string> Supervisor::shared_paths(WorkerId without) const {
  std::vector<std::string> paths;
  for (const Worker* worker : workers()) {
    if (worker->record().id == without) continue;
    const LogFiles& files = worker->record().logs;
    for (const std::string* path : {&files.out, &files.err, &files.log})
      if (!path->empty()) paths.push_back(*path);
  }
  return paths;
}

std::string Supervisor::make_unique_id() {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::random_device random;
  std::string id = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
  for (char& c : id)
    if (c == 'x') c = kHex[random() % kHex.size()];
  return id;
}

// ---- What workers need.

Result<void> Supervisor::launch(WorkerRecord& record) {
  parts_.before_launch(record);
  const bool clustered = shares_port(record.spec);
  const bool follows = workers_.at(record.id)->record().run.value != 0;
  if (clustered) record.cluster_number = cluster_.free_number(record.spec);
  write_drain_hook(record.spec);
  record.links = links_of(record.spec);
  std::optional<AppSpec> said;
  if (!record.spec.pinned.empty())
    said = std::exchange(record.spec, with_pinned_paths(record.spec));
  const Cluster::Place place{record.instance, record.cluster_number, follows,
                             binds_by_itself(record.spec), takes_connections_only(record.spec)};
  RunId member;
  auto launched =
      launcher_.launch(record, shared_paths(record.id), sockets_of(record.spec, place, member));
  if (!launched && member.value != 0) cluster_.ended(member);
  if (said) record.spec = std::move(*said);
  if (launched) {
    const AppKey app = app_key(record.spec);
    clustered ? tidy_later(app) : tidy_cluster(app);  // The latter's binds by itself now.
  }
  if (!launched && launched.error().sys_errno() == EMFILE)
    return std::move(launched).error().within(
        "the daemon has no descriptors left (raise the hard limit of open files)");
  return launched;
}

void Supervisor::signal(RunId run, int signal, bool group) {
  const auto sent = parts_.link.signal(run, signal, group);
  // Gone already is what was wanted; anything else is worth a line.
  if (!sent && sent.error().code() != Errc::kNotFound)
    parts_.notice("signal " + std::to_string(signal) + ": " + sent.error().message());
}

void Supervisor::signal_strays(RunId run, pid_t leader, int signal) {
  sweeps_.signal_strays(run, leader, signal);
}

bool Supervisor::say(RunId run, std::string_view json) {
  return channels_.send(run, json).has_value();
}

Result<const WorkerRecord*> Supervisor::running(WorkerId id) const {
  const Worker* const worker = find(id);
  if (worker == nullptr) return Error(Errc::kNotFound, std::to_string(id.value) + " id unknown");
  if (worker->record().pid > 0) return &worker->record();
  return Error(Errc::kUnavailable, worker->record().spec.name + " (id " + std::to_string(id.value) +
                                       ") is not running");
}

Result<void> Supervisor::say(WorkerId id, std::string_view json) {
  const WorkerRecord* const record = PMX_TRY(running(id));
  return channels_.send(record->run, json);
}

Result<void> Supervisor::send_line(WorkerId id, std::string_view bytes) const {
  const WorkerRecord* const record = PMX_TRY(running(id));
  return channels_.write_stdin(record->run, bytes);
}

Result<void> Supervisor::send_signal(WorkerId id, int signal) const {
  const WorkerRecord* const record = PMX_TRY(running(id));
  return parts_.link.signal(record->run, signal, false);
}

void Supervisor::tree_ended(RunId run) {
  for (const auto& [id, worker] : workers_) worker->tree_ended(run);
  if (tree_ended_) tree_ended_();
}

void Supervisor::sweep_from_now_on(int signal) {
  sweeps_always_ = true;
  for (const auto& [id, worker] : workers_) {
    const WorkerRecord& record = worker->record();
    if (record.pid > 0 && record.spec.treekill)
      sweeps_.signal_strays(record.run, record.pid, signal);
  }
}

void Supervisor::signal_all(int signal) {
  if (signal == SIGKILL) sweeps_.kill_all();
  for (const auto& [id, worker] : workers_) {
    const WorkerRecord& record = worker->record();
    if (record.run.value != 0) this->signal(record.run, signal, true);
    if (record.successor) this->signal(record.successor->run, signal, true);
    for (const LeavingRun& run : record.leaving) this->signal(run.run, signal, true);
  }
}

void Supervisor::run_ended(const WorkerRecord& record, RunId run) {
  if (record.run.value == 0)
    (void)parts_.files.remove(pid_file_of(record));  // It may not be there.
  if (shares_port(record.spec)) {
    const AppKey app = app_key(record.spec);
    reloads_.moved(app);
    tidy_cluster(app);
  }
  if (ended_) ended_(record, run);
}

bool Supervisor::oom_killer_was_here() {
  const std::uint64_t kills = parts_.oom_kills();
  return std::exchange(oom_kills_, kills) != kills;
}

void Supervisor::remove(WorkerId id) {
  removed_.insert(id);
  if (workers().empty()) next_id_ = 0;  // PM2's rule.
  save_soon();
  if (forget_timer_ == 0)
    forget_timer_ = parts_.timers.call_after(std::chrono::nanoseconds(0), [this] {
      forget_timer_ = 0;
      forget_removed();
    });
}

void Supervisor::forget_removed() {
  std::set<AppKey> apps;
  for (const WorkerId id : std::exchange(removed_, {})) {
    apps.insert(app_key(workers_.at(id)->record().spec));
    workers_.erase(id);
  }
  for (const AppKey& app : apps) tidy_cluster(app);
  parts_.list_shortened();
}

// ---- Saving.

void Supervisor::save_soon() {
  if (save_timer_ != 0 && !retrying_) return;
  parts_.timers.cancel(save_timer_);
  retrying_ = false;
  save_timer_ =
      parts_.timers.call_after(kSaveDelay + kSaveShare * save_took_, [this] { save_now(); });
}

void Supervisor::save_now() {
  if (save_timer_ == 0 && exits_to_acknowledge_.empty()) return;
  parts_.timers.cancel(std::exchange(save_timer_, 0));
  retrying_ = false;
  watch_restarts_.update();
  std::vector<WorkerRecord*> records;
  for (const auto& [id, worker] : workers_)
    if (!removed_.contains(id)) records.push_back(&worker->record_to_save());
  const std::string trouble_before = roster_.trouble();
  const auto began = parts_.clock.steady_now();
  roster_.save(next_id_, launcher_.last_run(), records);
  save_took_ = parts_.clock.steady_now() - began;
  if (roster_.trouble() != trouble_before)
    parts_.notice(roster_.trouble().empty() ? "the list of apps is saved again"
                                            : roster_.trouble() + "; trying again in 5 s");
  acknowledge_all();
  if (roster_.trouble().empty()) return;
  retrying_ = true;
  save_timer_ = parts_.timers.call_after(kSaveRetry, [this] { save_now(); });
}

void Supervisor::acknowledge_all() {
  channels_.release_held();
  if (exits_to_acknowledge_.empty()) return;
  crash_point(CrashPoint::kExitSaved);
  for (const RunId run : std::exchange(exits_to_acknowledge_, {}))
    parts_.link.acknowledge_exit(run);
}

}  // namespace pmx::supervisor
