// The keeper's children, each a record of the table. The record is taken before the fork and freed
// by the daemon's ACKEXIT only, so that at any kill the table names every child that may be alive.
#include <cerrno>

#include "base/units.h"
#include "keeper/keeper.h"
#include "keeper/spawn.h"

namespace pmx::keeper {

using namespace std::chrono_literals;

namespace {
// An adopted child is reaped by process 1, which may take its time; some never do.
constexpr int kReapTries = 50;
constexpr auto kReapTryEvery = 20ms;

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000U +
         static_cast<std::uint64_t>(time.tv_usec);
}

// The last field of a zombie's /proc/<pid>/stat is its wait status, and 0 for who may not know
// (man 5 proc): so 0 tells nothing.
std::optional<int> zombie_status(pid_t pid) {
  const auto text = sys::read_file("/proc/" + std::to_string(pid) + "/stat", 8192);
  if (!text) return std::nullopt;
  const std::size_t name_end = text->rfind(')');  // The name in brackets may hold anything.
  if (name_end == std::string::npos || text->substr(name_end, 4) != ") Z ") return std::nullopt;
  const std::size_t last = text->rfind(' ') + 1;
  const auto status = parse_integer(std::string_view(*text).substr(last, text->find('\n') - last));
  if (!status || *status == 0) return std::nullopt;
  return static_cast<int>(*status);
}

}  // namespace

std::optional<std::uint32_t> Keeper::slot_of(std::uint64_t run) const {
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot)
    if (child(slot).run == run) return slot;
  return std::nullopt;
}

std::optional<std::uint32_t> Keeper::slot_of_pid(pid_t pid) const {
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot)
    if (child(slot).pid == pid && alive(slot)) return slot;
  return std::nullopt;
}

bool Keeper::alive(std::uint32_t slot) const {
  const ChildRecord& record = child(slot);
  const ChildState state = record.state;
  return record.run != 0 && record.pid > 0 &&
         (state == ChildState::kStarting || state == ChildState::kRunning);
}

bool Keeper::any_alive() const {
  for (std::uint32_t slot = 0; slot < table_->header.slots_used; ++slot)
    if (alive(slot)) return true;
  return false;
}

std::optional<std::uint32_t> Keeper::take_slot(std::uint64_t run) {
  const auto known = slot_of(run);
  // Sent twice because a daemon may die between sending and noting: the first one counts, unless
  // the keeper before us died before there was a child.
  if (known && (child(*known).state != ChildState::kSpawnFailed ||
                child(*known).failed_step != Step::kKeeper))
    return std::nullopt;
  const auto free = known ? known : slot_of(0);
  const std::uint32_t used = table_->header.slots_used;
  if (!free && used == kMaxChildren) {
    ++table_->header.refused_spawns;
    return std::nullopt;
  }
  const std::uint32_t slot = free.value_or(used);
  ChildRecord& record = child(slot);
  record.start_ticks = record.user_us = record.system_us = record.max_rss_kib = 0;
  record.ended_ns = 0;
  record.wait_status = record.spawn_errno = 0;
  record.failed_step = Step::kNone;
  record.adopted = 0;
  record.pid = 0;
  record.state = ChildState::kStarting;
  record.run = run;
  if (!free) table_->header.slots_used = used + 1;
  return slot;
}

void Keeper::spawn(const Header& header, const std::vector<Fd>& fds) {
  if (header.run == 0) return;
  const auto slot = take_slot(header.run);
  if (!slot) return;
  ChildRecord& record = child(*slot);
  Spawned spawned = spawn_worker(fds, header.value, dev_null_.get(), table_->header, record.pid);
  if (spawned.failure.step != Step::kNone)
    return fail(*slot, spawned.failure.step, spawned.failure.sys_errno);
  record.start_ticks = sys::start_time_ticks(spawned.pid).value_or(0);
  named_.insert_or_assign(pidfd_name(header.run), std::move(spawned.pidfd));
  const int report = spawned.report.get();
  reports_.insert_or_assign(*slot, std::move(spawned.report));
  // Not watched for want of memory: it counts as running until it is reaped, which reads the
  // report.
  if (!loop_->watch(report, [this, slot = *slot] { on_report(slot); }))
    record.state = ChildState::kRunning;
}

// Readable: the child has failed and says where. At its end: exec has taken place.
void Keeper::on_report(std::uint32_t slot) {
  const auto report = reports_.find(slot);
  if (report == reports_.end()) return;
  SpawnReport said;
  const auto n = sys::read(report->second.get(), {reinterpret_cast<char*>(&said), sizeof said});
  loop_->unwatch(report->second.get());
  reports_.erase(report);
  if (n && *n == sizeof said) return fail(slot, said.step, said.sys_errno);
  child(slot).state = ChildState::kRunning;
  dirty_.set(slot);
}

void Keeper::fail(std::uint32_t slot, Step step, int sys_errno) {
  ChildRecord& record = child(slot);
  record.failed_step = step;
  record.spawn_errno = sys_errno;
  record.ended_ns = clock_.system_ns();
  record.state = ChildState::kSpawnFailed;
  dirty_.set(slot);
}

void Keeper::record_exit(std::uint32_t slot, int wait_status, const rusage& usage) {
  on_report(slot);  // It has ended, so what it had to say of its start is there.
  ChildRecord& record = child(slot);
  if (record.state == ChildState::kSpawnFailed) return;
  record.wait_status = wait_status;
  record.user_us = microseconds(usage.ru_utime);
  record.system_us = microseconds(usage.ru_stime);
  record.max_rss_kib = static_cast<std::uint64_t>(usage.ru_maxrss);
  record.ended_ns = clock_.system_ns();
  record.state = ChildState::kExited;
  dirty_.set(slot);
}

void Keeper::acknowledge(std::uint64_t run) {
  const auto slot = run == 0 ? std::nullopt : slot_of(run);
  if (!slot) return;
  const ChildState state = child(*slot).state;
  if (state != ChildState::kExited && state != ChildState::kSpawnFailed) return;
  const auto pidfd = named_.find(pidfd_name(run));
  if (pidfd != named_.end()) {
    loop_->unwatch(pidfd->second.get());
    named_.erase(pidfd);
  }
  dirty_.reset(*slot);
  child(*slot).run = 0;
}

// A child of the keeper before us: we cannot wait for it, so its pidfd is watched. The pidfd that
// came with the handover names the process for ever; a pid alone is believed only with its start
// time.
void Keeper::adopt_child(std::uint32_t slot) {
  ChildRecord& record = child(slot);
  dirty_.set(slot);  // The keeper before us may have died before it rang.
  if (record.state == ChildState::kExited || record.state == ChildState::kSpawnFailed) return;
  const std::string name = pidfd_name(record.run);
  if (!named_.contains(name) && record.pid > 0) {
    auto opened = sys::pidfd_open(record.pid);
    const auto ticks = sys::start_time_ticks(record.pid);
    const bool same = opened && ticks && (record.start_ticks == 0 || record.start_ticks == *ticks);
    if (same) {
      record.start_ticks = *ticks;
      named_.emplace(name, std::move(*opened));
    }
  }
  record.adopted = 1;
  const auto pidfd = named_.find(name);
  if (pidfd == named_.end()) {
    // Not yet at exec: such children die with their keeper (spawn.cpp).
    if (record.state == ChildState::kStarting) return fail(slot, Step::kKeeper, EOWNERDEAD);
    return record_exit(slot, -1, {});
  }
  record.state = ChildState::kRunning;
  watch_adopted(slot);
}

void Keeper::watch_adopted(std::uint32_t slot) {
  const auto pidfd = named_.find(pidfd_name(child(slot).run));
  if (pidfd == named_.end() ||
      !loop_->watch(pidfd->second.get(), [this, slot] { adopted_exited(slot, 0); }))
    record_exit(slot, -1, {});
}

void Keeper::adopted_exited(std::uint32_t slot, int tries) {
  const auto pidfd = named_.find(pidfd_name(child(slot).run));
  if (pidfd == named_.end() || !alive(slot)) return;
  const int fd = pidfd->second.get();
  loop_->unwatch(fd);
  // Until its parent has reaped it, /proc tells how it ended; after that, kernels since 6.15 do. In
  // this order, so that a reaping in between is not missed: what takes a signal still had its pid.
  std::optional<int> status = zombie_status(child(slot).pid);
  const auto signalled = sys::pidfd_signal(fd, 0);
  const bool reaped = !signalled && signalled.error().code() == Errc::kNotFound;
  if (reaped || !status) status = sys::exit_status_of_stranger(fd);
  if (status || reaped || tries >= kReapTries) return record_exit(slot, status.value_or(-1), {});
  loop_->call_after(kReapTryEvery, [this, slot, tries] { adopted_exited(slot, tries + 1); });
}

}  // namespace pmx::keeper
