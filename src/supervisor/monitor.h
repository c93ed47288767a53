// CPU and memory of workers from /proc, read only when somebody looks: an idle daemon never wakes.
//
// Owns:    the last reading of each run.
// Thread:  control.
// Bounds:  one reading a run that is alive; keep_only() forgets the others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/ids.h"

namespace pmx::supervisor {

struct ProcessReading {
  std::uint64_t cpu_ticks = 0;    // User and system.
  std::uint64_t start_ticks = 0;  // Since boot.
  std::uint64_t rss_bytes = 0;
  pid_t parent = 0, group = 0;
};
// /proc/<pid>/stat; nullopt where it does not say (a zombie that has gone, a foreign format).
std::optional<ProcessReading> parse_process_stat(std::string_view stat);
std::optional<ProcessReading> read_process(pid_t pid);
// Of the machine: for the lifetime average of a first reading.
double uptime_seconds();

struct Usage {
  double cpu_percent = 0;  // Of one core, one decimal.
  std::uint64_t memory_bytes = 0;
};

class Monitor {
 public:
  using Reader = std::function<std::optional<ProcessReading>(pid_t)>;
  using Uptime = std::function<double()>;
  explicit Monitor(const Clock& clock, Reader reader = read_process, Uptime uptime = uptime_seconds)
      : clock_(clock), reader_(std::move(reader)), uptime_(std::move(uptime)) {}

  // Over the time since the last sample of this run, and over its whole life at the first one.
  Usage sample(RunId run, pid_t pid);
  void keep_only(const std::set<RunId>& alive);
  std::size_t kept() const { return last_.size(); }

 private:
  struct Last {
    std::chrono::steady_clock::time_point at;
    std::uint64_t cpu_ticks = 0;
    double cpu_percent = 0;
  };
  const Clock& clock_;
  Reader reader_;
  Uptime uptime_;
  std::map<RunId, Last> last_;
};

}  // namespace pmx::supervisor
