#include "supervisor/keeper_link.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/crash_point.h"
#include "supervisor/internal/keeper_connection.h"

namespace pmx::supervisor {

using keeper::ChildRecord;
using keeper::ChildState;
using keeper::Op;

namespace {

constexpr std::size_t kMaxStateBytes = 64U << 20U;
constexpr std::size_t kAcknowledgedBeforeLook = 256, kMostSpawning = 128;
constexpr int kPatienceMs = 2000;

Error no_such(RunId run) {
  return {Errc::kNotFound, "run " + std::to_string(run.value) + " has ended"};
}

}  // namespace

Child KeeperConnection::child_of(const ChildRecord& record) {
  Child child;
  child.run = RunId{record.run};
  switch (record.state.load()) {  // Before the fields that it stands for.
    case ChildState::kStarting:
      child.state = Child::State::kStarting;
      break;
    case ChildState::kRunning:
      child.state = Child::State::kRunning;
      break;
    case ChildState::kExited:
      child.state = Child::State::kExited;
      break;
    case ChildState::kSpawnFailed:
      child.state = Child::State::kSpawnFailed;
      break;
  }
  child.pid = record.pid;
  child.start_ticks = record.start_ticks;
  child.wait_status = record.wait_status;
  child.spawn_errno = record.spawn_errno;
  const auto step = static_cast<std::size_t>(record.failed_step);
  if (step < keeper::kStepNames.size()) child.failed_step = keeper::kStepNames[step];
  child.ended_ns = record.ended_ns;
  child.user_us = record.user_us;
  child.system_us = record.system_us;
  child.max_rss_kib = record.max_rss_kib;
  child.adopted = record.adopted != 0;
  return child;
}

Result<std::unique_ptr<KeeperLink>> KeeperLink::connect(EventLoop& loop, Options options,
                                                        Events events) {
  auto link = std::make_unique<KeeperConnection>(loop, std::move(options), std::move(events));
  PMX_TRY_WITHIN("connect to the keeper", link->greet());
  return std::unique_ptr<KeeperLink>(std::move(link));
}

std::vector<std::string> KeeperConnection::names() const {
  std::vector<std::string> out;
  for (const auto& [name, fd] : held_)
    if (!keeper::is_reserved(name) && name != keeper::kStateName) out.push_back(name);
  return out;
}

Result<Fd> KeeperConnection::get(std::string_view name) const {
  const auto held = held_.find(name);
  if (held == held_.end())
    return Error(Errc::kNotFound, "the keeper holds no descriptor " + std::string(name));
  return sys::duplicate(held->second.get());
}

Result<void> KeeperConnection::put(std::string_view name, int fd) {
  if (name.empty() || name.size() > keeper::kMaxNameBytes || keeper::is_reserved(name))
    return invalid("no name for a descriptor: " + std::string(name));
  if (held_.size() >= keeper::kMaxNamedFds && held_.find(name) == held_.end())
    return Error(Errc::kNoSpace, "the keeper holds as many descriptors as it takes");
  Fd copy = PMX_TRY(sys::duplicate(fd));
  const bool is_pipe = name.starts_with("pipe.");
  if (is_pipe) crash_point(CrashPoint::kBeforePut);
  held_.insert_or_assign(std::string(name), std::move(copy));
  say({Op::kPut, std::string(name)});
  if (is_pipe) crash_point(CrashPoint::kAfterPut);
  return {};
}

void KeeperConnection::drop(std::string_view name) {
  const auto held = held_.find(name);
  if (held == held_.end() || keeper::is_reserved(name)) return;
  held_.erase(held);
  say({Op::kDrop, std::string(name)});
}

std::vector<Child> KeeperConnection::children() const {
  std::vector<Child> out;
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot) {
    const ChildRecord& record = table_->children[slot];
    const std::uint64_t run = record.run;
    if (run != 0 && !acknowledged_.contains(run)) out.push_back(child_of(record));
  }
  return out;
}

Result<void> KeeperConnection::spawn(const SpawnRequest& request) {
  if (request.run.value == 0) return invalid("run 0 is nobody's");
  if (table_full())
    return Error(Errc::kNoSpace, "there are " + std::to_string(keeper::kMaxChildren) +
                                     " workers already, which is as many as one keeper takes");
  if (!request.socket_fds.empty() && !passes_sockets_)
    return Error(Errc::kRejected,
                 "the keeper is of an older version, which passes no sockets (listen): run "
                 "'pmx update'");
  Spawning spawning;
  spawning.fds.push_back(
      PMX_TRY(keeper::write_order({request.program, request.cwd, request.argv, request.env,
                                   request.uid, request.gid, request.groups})));
  for (const auto& [fd, bit] : {std::pair(request.stdin_fd, keeper::kHasStdin),
                                std::pair(request.stdout_fd, keeper::kHasStdout),
                                std::pair(request.stderr_fd, keeper::kHasStderr),
                                std::pair(request.channel_fd, keeper::kHasChannel),
                                std::pair(request.trap_fd, keeper::kHasTrap)}) {
    if (fd < 0) continue;
    spawning.fds.push_back(PMX_TRY(sys::duplicate(fd)));
    spawning.which |= bit;
  }
  for (const int fd : request.socket_fds) {
    spawning.fds.push_back(PMX_TRY(sys::duplicate(fd)));
    spawning.which |= keeper::kHasSockets;
  }
  crash_point(CrashPoint::kBeforeSpawn);
  const std::uint32_t which = spawning.which;
  spawning_.insert_or_assign(request.run.value, std::move(spawning));
  say({Op::kSpawn, {}, request.run.value, which});
  crash_point(CrashPoint::kAfterSpawn);
  let_keeper_catch_up();
  return {};
}

// A thousand that are started in one go would have all their descriptors open here at once: where
// many wait, the keeper gets a little time for them. Its table tells before its messages do.
void KeeperConnection::let_keeper_catch_up() {
  if (spawning_.size() < kMostSpawning) return;
  std::size_t waiting = close_started();
  for (int i = 0; i < kPatienceMs && waiting >= kMostSpawning && socket_ && !slow_; ++i) {
    if (std::exchange(blocked_, false)) loop_.unwatch(socket_out_.get());
    flush();
    (void)::poll(nullptr, 0, 1);
    waiting = close_started();
  }
  slow_ = waiting >= kMostSpawning;  // Not again for each of them.
}

// How many others there are.
std::size_t KeeperConnection::close_started() {
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot) {
    const ChildRecord& record = table_->children[slot];
    const ChildState state = record.state;
    if (state != ChildState::kRunning && state != ChildState::kExited) continue;
    const auto spawning = spawning_.find(record.run);
    if (spawning != spawning_.end()) spawning->second.fds.clear();
  }
  return static_cast<std::size_t>(
      std::count_if(spawning_.begin(), spawning_.end(),
                    [](const auto& entry) { return !entry.second.fds.empty(); }));
}

void KeeperConnection::acknowledge_exit(RunId run) {
  held_.erase(keeper::pidfd_name(run.value));
  reported_.erase(run.value);
  held_signals_.erase(run.value);
  empty_groups_.erase(run.value);
  if (acknowledged_.size() >= kAcknowledgedBeforeLook) forget_acknowledged();
  acknowledged_.insert(run.value);
  say({Op::kAckExit, {}, run.value});
}

// Those whose records the keeper has freed.
void KeeperConnection::forget_acknowledged() {
  std::set<std::uint64_t> in_table;
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot)
    in_table.insert(table_->children[slot].run);
  std::erase_if(acknowledged_, [&](std::uint64_t run) { return !in_table.contains(run); });
}

// What the keeper will have when it has done all that we have said.
bool KeeperConnection::table_full() const {
  const std::uint32_t used = table_->header.slots_used;
  if (used + spawning_.size() < keeper::kMaxChildren) return false;
  std::size_t taken = spawning_.size();
  for (std::uint32_t slot = 0; slot < used; ++slot) {
    const std::uint64_t run = table_->children[slot].run;
    if (run != 0 && !acknowledged_.contains(run) && !spawning_.contains(run)) ++taken;
  }
  return taken >= keeper::kMaxChildren;
}

const ChildRecord* KeeperConnection::record_of(RunId run) const {
  if (run.value == 0 || acknowledged_.contains(run.value)) return nullptr;
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot)
    if (table_->children[slot].run == run.value) return &table_->children[slot];
  return nullptr;
}

// The pidfd of the run's own process. Where the doorbell that brings it has not come yet, one is
// opened, and believed only if the process has the start time that the keeper saw.
Result<int> KeeperConnection::leader(const ChildRecord& record) {
  const std::string name = keeper::pidfd_name(record.run);
  const auto held = held_.find(name);
  if (held != held_.end()) return held->second.get();
  Fd opened = PMX_TRY(sys::open_process(record.pid, record.start_ticks));
  return held_.emplace(name, std::move(opened)).first->second.get();
}

Result<void> KeeperConnection::signal(RunId run, int signal, bool group) {
  const ChildRecord* const record = record_of(run);
  const bool starting =
      record ? record->state == ChildState::kStarting : spawning_.contains(run.value);
  if (starting) {
    held_signals_[run.value].push_back({signal, group});  // It has no group yet.
    return {};
  }
  if (!record || record->state == ChildState::kSpawnFailed) return no_such(run);
  if (group) return signal_group(*record, signal);
  if (record->state == ChildState::kExited) return no_such(run);
  return sys::pidfd_signal(PMX_TRY(leader(*record)), signal);
}

// The rule is in the header.
Result<void> KeeperConnection::signal_group(const ChildRecord& record, int signal) {
  const RunId run{record.run};
  const pid_t group = record.pid;
  const Result<int> pidfd = leader(record);
  if (pidfd && sys::pidfd_signal(*pidfd, 0)) return sys::kill_group(group, signal);
  if (sys::start_time_ticks(group)) empty_groups_.insert(run.value);
  if (empty_groups_.contains(run.value)) return no_such(run);
  auto sent = sys::kill_group(group, signal);
  if (!sent && sent.error().code() == Errc::kNotFound) empty_groups_.insert(run.value);
  return sent;
}

// A new memfd each time: a keeper or a daemon that dies in between leaves the old or the new.
Result<void> KeeperConnection::set_state(std::string_view blob) {
  const Fd fd = PMX_TRY(sys::memfd_of("pmx-state", blob));
  return put(keeper::kStateName, fd.get());
}

std::string KeeperConnection::state() const {
  if (!first_state_) return {};
  return sys::read_shared(first_state_.get(), kMaxStateBytes).value_or({});
}

void KeeperConnection::quit(int exit_code) {
  quitting_ = true;
  say({Op::kQuit, {}, 0, static_cast<std::uint32_t>(exit_code)});
}

Result<void> KeeperConnection::update(const std::string& keeper, const std::string& daemon) {
  std::string programs = keeper + '\0' + daemon;
  if (programs.size() > keeper::kMaxMessageBytes - sizeof(keeper::Header))
    return invalid("the paths of " + keeper + " and " + daemon + " are too long");
  say({Op::kUpdate, std::move(programs)});
  return {};
}

}  // namespace pmx::supervisor
