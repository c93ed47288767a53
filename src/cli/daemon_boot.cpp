#include "cli/daemon_boot.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/fs.h"
#include "base/sys.h"
#include "cli/home.h"
#include "supervisor/keeper_start.h"

namespace pmx::cli {
namespace {

using namespace std::chrono_literals;
constexpr auto kPatience = 10s;
constexpr auto kLongestWait = 50ms;

// True when the process has ended before `wait` was over. With no descriptor it only waits.
bool ends_within(int pidfd, std::chrono::milliseconds wait) {
  pollfd waited{pidfd, POLLIN, 0};
  return ::poll(&waited, 1, static_cast<int>(wait.count())) > 0;
}

}  // namespace

Result<std::string> keeper_executable() {
  const std::string self = sys::self_exe();
  const std::string keeper = self.substr(0, self.rfind('/')) + "/pmx-keeper";
  if (::access(keeper.c_str(), X_OK) == 0) return keeper;
  return Error(Errc::kNotFound,
               "there is no " + keeper + ": pmx and pmx-keeper belong side by side");
}

Result<void> boot_daemon(const std::string& home) {
  PMX_TRY(refuse_pm2_home(home));
  supervisor::StartKeeperOptions options;
  options.keeper_executable = PMX_TRY(keeper_executable());
  options.daemon_executable = sys::self_exe();
  options.home = home;
  PMX_TRY(RealFs().make_directories(home, 0700));
  const Result<pid_t> keeper = supervisor::start_keeper(options);
  // Two commands may have started at once; then the other one's keeper answers us too.
  if (!keeper && keeper.error().code() != Errc::kExists) return keeper.error();

  Fd pidfd;
  if (keeper) {
    Result<Fd> opened = sys::pidfd_open(*keeper);
    if (opened) pidfd = std::move(*opened);
  }
  // The daemon's socket gives no sign that can be waited for before it is there, so this looks
  // again and again, which is over in a few milliseconds.
  const RealClock clock;
  const auto deadline = clock.steady_now() + kPatience;
  for (std::chrono::milliseconds wait = 1ms; clock.steady_now() < deadline;
       wait = std::min<std::chrono::milliseconds>(wait * 2, kLongestWait)) {
    if (sys::connect_unix(home + "/pmx.sock")) return {};
    if (ends_within(pidfd.get(), wait))
      return Error(Errc::kIo, "the daemon ended at once; " + home + "/pmx.log says why");
  }
  return Error(Errc::kUnavailable, "the daemon does not answer; " + home + "/pmx.log says why");
}

bool wait_for_end(int pid) {
  const Result<Fd> pidfd = sys::pidfd_open(pid);
  return !pidfd || ends_within(pidfd->get(), kPatience);
}

}  // namespace pmx::cli
