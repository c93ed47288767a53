// Starting and recovering are the same: the keeper's table of children is the truth about what
// runs, the roster is the truth about what is wanted, and this brings the two together. In order:
//
//   1. runs of the roster that no keeper knows (keeper and daemon were both killed): what is left
//      of them is ended, and said
//   2. ends that nobody has answered yet are handled as if they came now; running children are
//      their workers' runs again
//   3. children that the roster does not know are found by their description ("run.<id>") and
//      adopted, or ended where their worker is not in the list
//   4. workers that are wanted and have no run are started
#include <signal.h>

#include <algorithm>

#include "base/sys.h"
#include "supervisor/leftovers.h"
#include "supervisor/supervisor.h"

namespace pmx::supervisor {

void Supervisor::recover(const std::vector<RunSpec>& runs) {
  RosterContents contents = roster_.load(parts_.link.safe_start());
  for (const std::string& line : contents.notices) parts_.notice(line);
  next_id_ = contents.next_id;
  launcher_.set_last_run(contents.last_run);
  std::map<RunId, WorkerId> owners;
  for (const RunSpec& run : runs) {
    launcher_.know(run);
    owners[run.run] = run.worker;
  }
  std::map<RunId, Child> children;
  for (const Child& child : parts_.link.children()) {
    launcher_.set_last_run(child.run);
    children[child.run] = child;
  }
  end_lost_runs(contents, children);
  if (!options_.autosave && parts_.link.state().empty()) {
    contents.workers.clear();
    next_id_ = 0;
  }
  const bool rebooted = contents.boot != 0 && contents.boot != sys::boot_id_hash();
  for (WorkerRecord& record : contents.workers) {
    // What had given up gets a new chance after a boot: what it lacked may be there now.
    if (rebooted && record.state == WorkerState::kErrored) record.state = WorkerState::kStopped;
  }
  if (contents.workers.empty()) contents.workers = records_of_only_apps();
  add_recovered(std::move(contents.workers));

  std::set<WorkerId> resumed;
  std::set<RunId> answered, alive;
  for (const auto& [run, child] : children)
    if (child.state == Child::State::kStarting || child.state == Child::State::kRunning)
      alive.insert(run);
  channels_.drop_all_but(alive);
  traps_.drop_all_but(alive);
  for (const auto& [run, child] : children) {
    if (child.state != Child::State::kRunning) continue;
    channels_.open(run);
    traps_.open(run);
  }
  std::set<RunId> known;
  for (const auto& [run, child] : children) known.insert(run);
  for (const auto& [id, worker] : workers_) worker->drop_side_runs_but(known);
  recover_cluster(alive);  // It may have connections to hand on.
  // What was launched and not noted is adopted below: none is to be started in its place.
  std::set<WorkerId> started;
  for (const auto& [run, owner] : owners)
    if (alive.contains(run) && worker_of(run) == nullptr) started.insert(owner);
  for (const auto& [run, child] : children) {
    Worker* const worker = worker_of(run);
    if (worker == nullptr) continue;
    if (worker->record().run == run) resumed.insert(worker->record().id);
    answered.insert(run);
    const bool over =
        child.state == Child::State::kExited || child.state == Child::State::kSpawnFailed;
    if (over) exits_to_acknowledge_.push_back(run);
    worker->resume(&child, !started.contains(worker->record().id));
    if (child.state == Child::State::kRunning) write_pid_file(worker->record());
  }
  for (const auto& [run, child] : children)
    if (!answered.contains(run)) adopt_or_end(child, owners, alive);
  for (const auto& [id, worker] : workers_) {
    const bool idle = worker->record().run.value == 0 || !children.contains(worker->record().run);
    if (!resumed.contains(id) && idle) worker->resume(nullptr, true);
  }
  resume_reloads();
  memory_guard_.worker_began();
  save_soon();
}

std::vector<WorkerRecord> Supervisor::records_of_only_apps() {
  std::vector<WorkerRecord> records;
  for (const AppSpec& app : options_.only_apps) {
    for (std::int64_t instance = 0; instance < std::max<std::int64_t>(app.instances, 1);
         ++instance) {
      records.push_back(new_record(app, WorkerId{next_id_++}, instance));
      records.back().should_run = app.autostart;
    }
  }
  return records;
}

void Supervisor::add_recovered(std::vector<WorkerRecord> records) {
  for (WorkerRecord& record : records) {
    const WorkerId id = record.id;
    workers_[id] = std::make_unique<Worker>(std::move(record), host(), parts_.timers, parts_.clock);
  }
}

void Supervisor::end_lost_runs(RosterContents& contents, const std::map<RunId, Child>& children) {
  std::vector<Leftover> leftovers;
  std::size_t lost = 0;
  for (WorkerRecord& record : contents.workers) {
    if (record.run.value != 0 && !children.contains(record.run)) {
      ExitFacts end;
      end.at_ns = parts_.clock.system_ns();
      end.ran_ns = std::max<std::int64_t>(end.at_ns - record.started_ns, 0);
      end.run = record.run;
      end.cause = ExitCause::kPmxLost;
      record.last_exit = end;
    }
    std::vector<SideRun> runs{{record.run, record.pid, record.start_ticks}};
    if (record.successor) runs.push_back(*record.successor);
    runs.insert(runs.end(), record.leaving.begin(), record.leaving.end());
    for (const SideRun& run : runs) {
      if (run.run.value == 0 || children.contains(run.run)) continue;
      ++lost;
      // After a boot the numbers mean nothing.
      if (contents.boot == sys::boot_id_hash() && run.pid > 0)
        leftovers.push_back({run.pid, run.start_ticks});
    }
  }
  if (lost == 0) return;
  const std::size_t ended = end_leftovers(leftovers, parts_.clock);
  parts_.notice(
      "keeper and daemon ended together while " + std::to_string(lost) +
      " process(es) ran: " + std::to_string(ended) +
      " of them were still there and were ended; what they had printed and was not yet in "
      "a file (at most 2 MiB a stream) may be lost");
}

void Supervisor::adopt_or_end(const Child& child, const std::map<RunId, WorkerId>& owners,
                              const std::set<RunId>& alive) {
  const bool over =
      child.state == Child::State::kExited || child.state == Child::State::kSpawnFailed;
  if (over) {
    exits_to_acknowledge_.push_back(child.run);  // Handled by the daemon before, and saved.
    return;
  }
  const auto owner = owners.find(child.run);
  const auto found = owner == owners.end() ? workers_.end() : workers_.find(owner->second);
  // A worker that still serves was to be followed by it: its reload begins anew.
  const bool free =
      found != workers_.end() &&
      (found->second->record().run.value == 0 ||
       (found->second->record().run < child.run && !alive.contains(found->second->record().run)));
  if (free) {
    found->second->adopt(child);
    rejoin_cluster(found->second->record(), child.run);
    if (child.state == Child::State::kRunning) write_pid_file(found->second->record());
    return;
  }
  parts_.notice("process " + std::to_string(child.pid) +
                " belongs to no app of the list: it is ended");
  signal(child.run, SIGKILL, true);
}

}  // namespace pmx::supervisor
