// Processes: pidfds, who a number belongs to, ourselves.
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/internal/sys_result.h"
#include "base/sys.h"

namespace pmx::sys {

using internal::done;
using internal::owned;

Result<Fd> pidfd_open(pid_t pid) {
  return owned(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)), "pidfd_open",
               std::to_string(pid));
}

Result<void> pidfd_signal(int pidfd, int signal) {
  return done(static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0)),
              "pidfd_send_signal");
}

Result<void> kill_group(pid_t group, int signal) {
  return done(::kill(-group, signal), "kill group", std::to_string(group));
}

Result<std::uint64_t> start_time_ticks(pid_t pid) {
  const std::string stat = PMX_TRY(read_file("/proc/" + std::to_string(pid) + "/stat", 8192));
  // The command's name is in brackets and may itself hold brackets and blanks (man 5 proc).
  std::size_t at = stat.rfind(')');
  if (at == std::string::npos) return corrupt("/proc/" + std::to_string(pid) + "/stat");
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return corrupt("/proc/" + std::to_string(pid) + "/stat");
  std::uint64_t ticks = 0;
  std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

// The pidfd first, then the look: if the number was given to somebody else in between, the ticks
// tell.
Result<Fd> open_process(pid_t pid, std::uint64_t start_ticks) {
  Fd pidfd = PMX_TRY(pidfd_open(pid));
  const auto ticks = start_time_ticks(pid);
  if (!ticks || *ticks != start_ticks)
    return Error(Errc::kNotFound, "process " + std::to_string(pid) + " is gone");
  return pidfd;
}

std::optional<std::uint64_t> number_of(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(name)) continue;
    const std::size_t begin = line.find_first_not_of(" \t", name.size());
    if (begin == std::string_view::npos || begin == name.size()) continue;  // A longer name.
    std::uint64_t number = 0;
    const auto [end, error] =
        std::from_chars(line.data() + begin, line.data() + line.size(), number);
    if (error == std::errc()) return number;
  }
  return std::nullopt;
}

std::optional<int> exit_status_of_stranger(int pidfd) {
  // struct pidfd_info and PIDFD_GET_INFO of linux/pidfd.h (Linux 6.13, exit since 6.15).
  struct PidfdInfo {
    std::uint64_t mask, cgroup_id;
    std::uint32_t pid, tgid, ppid, ids[8];
    std::int32_t exit_code;
    std::uint32_t coredump_mask, spare;
  } info{};
  constexpr std::uint64_t kInfoExit = 1U << 3U;
  static_assert(sizeof(PidfdInfo) == 72);
  info.mask = kInfoExit;
  if (::ioctl(pidfd, _IOWR(0xFF, 11, PidfdInfo), &info) < 0) return std::nullopt;
  if (!(info.mask & kInfoExit)) return std::nullopt;
  return info.exit_code;
}

std::uint64_t boot_id_hash() {
  const auto text = read_file("/proc/sys/kernel/random/boot_id", 256);
  if (!text) return 0;
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a.
  for (const char c : *text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

void raise_fd_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string self_exe() {
  std::array<char, 4096> path;
  const auto n = ::readlink("/proc/self/exe", path.data(), path.size());
  std::string_view self(path.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  constexpr std::string_view kReplaced = " (deleted)";
  if (self.ends_with(kReplaced)) self.remove_suffix(kReplaced.size());
  return std::string(self);
}

}  // namespace pmx::sys
