#include "supervisor/strays.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>

#include "base/sys.h"
#include "base/units.h"
#include "supervisor/monitor.h"

namespace pmx::supervisor {
namespace {

// False: it is gone, or may not be signalled.
bool signal_process(const ProcessEntry& process, int signal) {
  const auto pidfd = sys::open_process(process.pid, process.start_ticks);
  return pidfd && sys::pidfd_signal(pidfd->get(), signal);
}

}  // namespace

std::vector<ProcessEntry> read_process_table() {
  std::vector<ProcessEntry> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const auto pid = parse_integer(entry.path().filename().string());
    if (!pid) continue;
    const auto reading = read_process(static_cast<pid_t>(*pid));
    if (!reading) continue;
    all.push_back(
        {static_cast<pid_t>(*pid), reading->parent, reading->group, reading->start_ticks});
  }
  return all;
}

std::vector<ProcessEntry> descendants_outside_group(const std::vector<ProcessEntry>& all,
                                                    pid_t leader) {
  std::multimap<pid_t, const ProcessEntry*> children;
  for (const ProcessEntry& process : all) children.emplace(process.parent, &process);
  std::vector<ProcessEntry> found;
  std::set<pid_t> seen{leader};
  std::vector<pid_t> to_visit{leader};
  while (!to_visit.empty()) {
    const auto [begin, end] = children.equal_range(to_visit.back());
    to_visit.pop_back();
    for (auto child = begin; child != end; ++child) {
      if (!seen.insert(child->second->pid).second) continue;  // A table is no snapshot.
      to_visit.push_back(child->second->pid);
      if (child->second->group != leader) found.push_back(*child->second);
    }
  }
  return found;
}

void Strays::signal(RunId run, pid_t leader, int signal) {
  if (leader <= 1) return;
  const auto now = clock_.steady_now();
  if (!has_read_ || now - read_at_ > kFresh) {
    table_ = read_();
    read_at_ = now;
    has_read_ = true;
  }
  const auto found = descendants_outside_group(table_, leader);
  const auto known = known_.find(run);
  if (found.empty() && known == known_.end()) return;
  std::vector<ProcessEntry>& strays = known_[run];
  for (const ProcessEntry& process : found)
    if (strays.size() < kMaxStrays &&
        std::find(strays.begin(), strays.end(), process) == strays.end())
      strays.push_back(process);
  if (signal == 0) return;
  for (const ProcessEntry& process : strays) (void)signal_process(process, signal);
}

bool Strays::any_lives(RunId run) const {
  const auto known = known_.find(run);
  return known != known_.end() &&
         std::any_of(known->second.begin(), known->second.end(), [](const ProcessEntry& process) {
           const auto ticks = sys::start_time_ticks(process.pid);
           return ticks && *ticks == process.start_ticks;
         });
}

std::size_t Strays::end(RunId run) {
  const auto known = known_.extract(run);
  if (known.empty()) return 0;
  return static_cast<std::size_t>(
      std::count_if(known.mapped().begin(), known.mapped().end(),
                    [](const ProcessEntry& process) { return signal_process(process, SIGKILL); }));
}

}  // namespace pmx::supervisor
