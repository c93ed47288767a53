#include "supervisor/sweeps.h"

#include <signal.h>

#include <algorithm>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

// As long as one of the group lives, the kernel gives its number to no new process. If a process
// has that number now, then the group had emptied and this is somebody else's.
bool group_lives(pid_t group) {
  return !sys::start_time_ticks(group) && sys::kill_group(group, 0).has_value();
}

}  // namespace

Sweeps::~Sweeps() {
  for (const auto& [run, sweep] : sweeps_) timers_.cancel(sweep.timer);
}

bool Sweeps::begin(const Child& leader, std::chrono::nanoseconds grace) {
  if (leader.pid <= 1) return false;
  Sweep sweep;
  sweep.group = leader.pid;
  if (!is_left(leader.run, sweep)) {
    strays_.forget(leader.run);
    return false;
  }
  sweep.until = clock_.steady_now() + grace;
  look_later(leader.run, sweeps_[leader.run] = sweep);
  return true;
}

bool Sweeps::is_left(RunId run, const Sweep& sweep) const {
  return group_lives(sweep.group) || strays_.any_lives(run);
}

void Sweeps::look_later(RunId run, Sweep& sweep) {
  const auto left = std::max(sweep.until - clock_.steady_now(), decltype(sweep.until)::duration(0));
  const auto pause = std::min<std::chrono::nanoseconds>(sweep.pause, left);
  sweep.pause = std::min(2 * sweep.pause, kLongestPause);
  sweep.timer = timers_.call_after(pause, [this, run] { look(run); });
}

void Sweeps::look(RunId run) {
  Sweep& sweep = sweeps_.at(run);
  sweep.timer = 0;
  const bool left = is_left(run, sweep);
  if (left && clock_.steady_now() < sweep.until) return look_later(run, sweep);
  if (left && !sweep.killed) {
    kill(run, sweep);
    return look_later(run, sweep);
  }
  if (left)
    notice_("processes left in group " + std::to_string(sweep.group) +
            " do not end even by SIGKILL: they wait for the system");
  sweeps_.erase(run);
  strays_.forget(run);
  done_(run);
}

void Sweeps::kill(RunId run, Sweep& sweep) {
  const std::size_t strays = strays_.end(run);
  const bool group = group_lives(sweep.group) && sys::kill_group(sweep.group, SIGKILL);
  if (group || strays > 0)
    notice_("processes left of group " + std::to_string(sweep.group) +
            " after its leader had stopped were ended" +
            (strays > 0 ? ", " + std::to_string(strays) + " of which had left it" : ""));
  sweep.killed = true;
  sweep.until = clock_.steady_now() + kAfterKill;
  sweep.pause = kFirstPause;
}

void Sweeps::kill_all() {
  for (auto& [run, sweep] : sweeps_) {
    if (sweep.killed) continue;
    timers_.cancel(sweep.timer);
    kill(run, sweep);
    look_later(run, sweep);
  }
}

}  // namespace pmx::supervisor
