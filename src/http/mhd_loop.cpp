#include "http/mhd_loop.h"

#include <cerrno>
#include <utility>

namespace pmx::http {

Result<void> MhdLoop::begin(MHD_Daemon* daemon) {
  if (daemon == nullptr) return system_error(errno, "start the HTTP server");
  daemon_ = daemon;
  listening_ = true;
  const MHD_DaemonInfo* const info = http_.get_daemon_info(daemon_, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == nullptr) return Error(Errc::kIo, "the HTTP server has no epoll descriptor");
  epoll_fd_ = info->epoll_fd;
  PMX_TRY(loop_.watch(epoll_fd_, [this] { run(); }));
  run();
  return {};
}

MhdLoop::~MhdLoop() {
  if (daemon_ == nullptr) return;
  stop_listening();
  loop_.cancel(timer_);
  if (epoll_fd_ >= 0) loop_.unwatch(epoll_fd_);
  http_.stop_daemon(daemon_);
}

void MhdLoop::run() {
  http_.run(daemon_);
  loop_.cancel(std::exchange(timer_, 0));
  if (std::exchange(completed_, false)) return run_soon();
  MHD_UNSIGNED_LONG_LONG wait_ms = 0;
  if (http_.get_timeout(daemon_, &wait_ms) != MHD_YES) return;
  timer_ = loop_.call_after(std::chrono::milliseconds(wait_ms), [this] {
    timer_ = 0;
    run();
  });
}

void MhdLoop::run_soon() {
  loop_.cancel(timer_);
  timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] {
    timer_ = 0;
    run();
  });
}

void MhdLoop::stop_listening() {
  if (!std::exchange(listening_, false)) return;
  http_.run(daemon_);
  const Fd listener(http_.quiesce_daemon(daemon_));
}

}  // namespace pmx::http
