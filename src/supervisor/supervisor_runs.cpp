// What the keeper says of runs and what they say themselves, brought to their workers.
#include "base/crash_point.h"
#include "supervisor/log_paths.h"
#include "supervisor/supervisor.h"

namespace pmx::supervisor {

Worker* Supervisor::worker_of(RunId run) {
  if (run.value == 0) return nullptr;
  for (const auto& [id, worker] : workers_)
    if (worker->owns(run)) return worker.get();
  return nullptr;
}

void Supervisor::child_changed(const Child& child) {
  const bool over =
      child.state == Child::State::kExited || child.state == Child::State::kSpawnFailed;
  if (over) crash_point(CrashPoint::kExitSeen);
  Worker* const worker = worker_of(child.run);
  if (over) {
    // Asked before the worker acts on it: the save that its change leads to acknowledges this end.
    exits_to_acknowledge_.push_back(child.run);
    save_soon();
    channels_.close(child.run);  // What it has said last comes before its end.
    traps_.close(child.run);
    cluster_.ended(child.run);
  }
  if (worker == nullptr) return;
  // Before the worker, which may have something to say to it at once. It is heard later.
  if (child.state == Child::State::kRunning) {
    channels_.open(child.run);
    traps_.open(child.run);
  }
  worker->child_changed(child);
  if (over) triggers_.failed(worker->record().id, "ended before it replied");
  if (over) traffic_.failed(worker->record().id, "ended before it replied");
  if (child.state != Child::State::kRunning) return;
  write_pid_file(worker->record());
  memory_guard_.worker_began();
}

// What changes the list stays in the channel until the list has been saved, as an exit stays in the
// keeper's table.
Channel::Took Supervisor::said(RunId run, const AppMessage& message, std::string_view line) {
  if (message.kind == AppMessage::Kind::kInternal) cluster_.said(run, line);
  Worker* const worker = worker_of(run);
  if (worker == nullptr) return Channel::Took::kDone;
  if (message.kind == AppMessage::Kind::kReply)
    triggers_.replied(worker->record().id, message.data);
  if (!worker->said(run, message)) return Channel::Took::kDone;
  crash_point(CrashPoint::kMessageActedOn);
  return save_timer_ != 0 ? Channel::Took::kHold : Channel::Took::kDone;
}

void Supervisor::write_pid_file(const WorkerRecord& record) {
  if (record.pid == 0) return;
  const auto written =
      parts_.files.replace_file(pid_file_of(record), std::to_string(record.pid), 0644);
  // Nothing of ours depends on it: one line, and the worker goes on.
  if (!written) parts_.notice("pid file: " + written.error().message());
}

std::string Supervisor::pid_file_of(const WorkerRecord& record) const {
  const std::string id = "-" + std::to_string(record.id.value);
  if (record.spec.pid_file.empty())
    return options_.home + "/pids/" + file_name_of(record.spec.name) + id + ".pid";
  // PM2 puts the id into a path of the user's as well, so that instances do not share one file.
  std::string path = record.spec.pid_file;
  if (path.front() != '/') path = record.spec.cwd + "/" + path;
  const std::size_t dot = path.rfind('.');
  const bool has_ending = dot != std::string::npos && dot > path.rfind('/') + 1;
  return has_ending ? path.substr(0, dot) + id + path.substr(dot) : path + id;
}

}  // namespace pmx::supervisor
