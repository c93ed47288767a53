#include "support/fake_keeper_link.h"

#include "base/sys.h"

namespace pmx::test {

std::vector<std::string> FakeKeeperLink::names() const {
  std::vector<std::string> names;
  for (const auto& [name, fd] : held_) names.push_back(name);
  return names;
}

Result<Fd> FakeKeeperLink::get(std::string_view name) const {
  const auto found = held_.find(name);
  if (found == held_.end()) return Error(Errc::kNotFound, "no " + std::string(name));
  return sys::duplicate(found->second.get());
}

Result<void> FakeKeeperLink::put(std::string_view name, int fd) {
  if (put_errno_ != 0) return system_error(put_errno_, "put", name);
  held_[std::string(name)] = PMX_TRY(sys::duplicate(fd));
  return {};
}

void FakeKeeperLink::drop(std::string_view name) {
  const auto found = held_.find(name);
  if (found != held_.end()) held_.erase(found);
}

std::vector<supervisor::Child> FakeKeeperLink::children() const {
  std::vector<Child> all;
  for (const auto& [run, child] : children_) all.push_back(child);
  return all;
}

std::vector<RunId> FakeKeeperLink::starting() const {
  std::vector<RunId> runs;
  for (const auto& [run, child] : children_)
    if (child.state == Child::State::kStarting) runs.push_back(run);
  return runs;
}

Result<void> FakeKeeperLink::spawn(const supervisor::SpawnRequest& request) {
  if (spawn_errno_ != 0) return system_error(spawn_errno_, "spawn");
  spawns_.push_back(request);
  WorkerEnds& ends = ends_[request.run];
  if (request.channel_fd >= 0) ends.channel = PMX_TRY(sys::duplicate(request.channel_fd));
  if (request.stdin_fd >= 0) ends.input = PMX_TRY(sys::duplicate(request.stdin_fd));
  Child child;
  child.run = request.run;
  children_[request.run] = child;
  return {};
}

void FakeKeeperLink::acknowledge_exit(RunId run) {
  acknowledged_.push_back(run);
  children_.erase(run);
}

Result<void> FakeKeeperLink::signal(RunId run, int signal, bool group) {
  signals_.push_back({run, signal, group});
  return {};
}

Result<void> FakeKeeperLink::set_state(std::string_view blob) {
  if (state_errno_ != 0) return system_error(state_errno_, "state");
  state_ = std::string(blob);
  return {};
}

void FakeKeeperLink::run(RunId run) {
  Child& child = children_.at(run);
  child.state = Child::State::kRunning;
  child.pid = next_pid_++;
  child.start_ticks = static_cast<std::uint64_t>(child.pid) * 10;
  if (listener_) listener_(Child(child));
}

void FakeKeeperLink::exec_fails(RunId run, int sys_errno, const std::string& step) {
  Child& child = children_.at(run);
  child.state = Child::State::kSpawnFailed;
  child.spawn_errno = sys_errno;
  child.failed_step = step;
  if (listener_) listener_(Child(child));
}

void FakeKeeperLink::exit(RunId run, int wait_status, std::int64_t ended_ns) {
  Child& child = children_.at(run);
  child.state = Child::State::kExited;
  child.wait_status = wait_status;
  child.ended_ns = ended_ns;
  ends_.erase(run);
  if (listener_) listener_(Child(child));
}

void FakeKeeperLink::forget_everything() {
  held_.clear();
  children_.clear();
  ends_.clear();
  state_.clear();
  state_at_connect_.clear();
  incarnation_ = 0;
}

}  // namespace pmx::test
