#include "supervisor/monitor.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

// Two looks closer than this say nothing: the kernel counts in ticks of 10 ms.
constexpr std::chrono::milliseconds kShortestSpan{200};

double ticks_per_second() {
  static const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return ticks > 0 ? ticks : 100.0;
}

double one_decimal(double value) { return std::round(value * 10.0) / 10.0; }

}  // namespace

std::optional<ProcessReading> parse_process_stat(std::string_view stat) {
  // The name is in brackets and may hold brackets and blanks itself (man 5 proc).
  const std::size_t bracket = stat.rfind(')');
  if (bracket == std::string_view::npos) return std::nullopt;
  std::array<std::uint64_t, 25> field{};  // By proc(5)'s numbers.
  std::size_t at = bracket + 1;
  for (std::size_t number = 3; number < field.size(); ++number) {
    at = stat.find_first_not_of(' ', at);
    if (at == std::string_view::npos) return std::nullopt;
    const std::size_t end = std::min(stat.find_first_of(" \n", at), stat.size());
    (void)std::from_chars(stat.data() + at, stat.data() + end, field[number]);  // Letters stay 0.
    at = end;
  }
  ProcessReading reading;
  reading.cpu_ticks = field[14] + field[15];
  reading.start_ticks = field[22];
  reading.parent = static_cast<pid_t>(field[4]);
  reading.group = static_cast<pid_t>(field[5]);
  reading.rss_bytes = field[24] * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return reading;
}

std::optional<ProcessReading> read_process(pid_t pid) {
  const auto stat = sys::read_file("/proc/" + std::to_string(pid) + "/stat", 8192);
  if (!stat) return std::nullopt;
  return parse_process_stat(*stat);
}

double uptime_seconds() {
  timespec now{};
  (void)::clock_gettime(CLOCK_BOOTTIME, &now);  // What field 22 of stat counts in.
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Usage Monitor::sample(RunId run, pid_t pid) {
  const auto reading = reader_(pid);
  if (!reading) return {};
  const auto now = clock_.steady_now();
  Usage usage;
  usage.memory_bytes = reading->rss_bytes;
  const auto found = last_.find(run);
  if (found != last_.end() && now - found->second.at < kShortestSpan) {
    usage.cpu_percent = found->second.cpu_percent;
    return usage;
  }
  double seconds = uptime_() - static_cast<double>(reading->start_ticks) / ticks_per_second();
  double ticks = static_cast<double>(reading->cpu_ticks);
  if (found != last_.end()) {
    seconds = std::chrono::duration<double>(now - found->second.at).count();
    ticks -= static_cast<double>(found->second.cpu_ticks);
  }
  if (seconds > 0.01 && ticks > 0)
    usage.cpu_percent = one_decimal(100.0 * ticks / ticks_per_second() / seconds);
  last_[run] = {now, reading->cpu_ticks, usage.cpu_percent};
  return usage;
}

void Monitor::keep_only(const std::set<RunId>& alive) {
  std::erase_if(last_, [&](const auto& entry) { return !alive.contains(entry.first); });
}

}  // namespace pmx::supervisor
