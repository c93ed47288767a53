#include "supervisor/leftovers.h"

#include <poll.h>
#include <signal.h>

#include <algorithm>

#include "base/sys.h"

namespace pmx::supervisor {

std::size_t end_leftovers(const std::vector<Leftover>& leftovers, const Clock& clock) {
  std::vector<Fd> ending;
  for (const Leftover& leftover : leftovers) {
    if (leftover.pid <= 1) continue;
    auto pidfd = sys::open_process(leftover.pid, leftover.start_ticks);
    if (!pidfd) continue;
    (void)sys::kill_group(leftover.pid, SIGKILL);
    (void)sys::pidfd_signal(pidfd->get(), SIGKILL);  // Where it has left its group.
    ending.push_back(std::move(*pidfd));
  }
  const auto until = clock.steady_now() + kPatience;
  for (const Fd& pidfd : ending) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock.steady_now());
    pollfd waiting{pidfd.get(), POLLIN, 0};
    (void)::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  }
  return ending.size();
}

}  // namespace pmx::supervisor
