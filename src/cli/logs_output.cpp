#include "cli/logs_output.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/sys.h"

namespace pmx::cli {
namespace {

constexpr std::size_t kFullBytes = 64U << 10U;

extern "C" void leave(int) {
  // A terminal must not stay in a line's colour. Nothing to be done where that fails.
  [[maybe_unused]] const auto written = ::write(STDOUT_FILENO, "\x1b[0m\n", 5);
  ::_exit(0);
}
extern "C" void leave_plainly(int) { ::_exit(0); }

}  // namespace

LogsOutput::LogsOutput(int out_fd, int err_fd)
    : out_fd_(out_fd),
      err_fd_(err_fd),
      out_is_terminal_(::isatty(out_fd) == 1),
      err_is_terminal_(::isatty(err_fd) == 1) {}

void LogsOutput::flush() {
  write(out_fd_, out_);
  write(err_fd_, err_);
}

void LogsOutput::flush_if_full() {
  if (out_.size() >= kFullBytes || err_.size() >= kFullBytes) flush();
}

void LogsOutput::write(int fd, std::string& buffer) {
  std::string_view rest = buffer;
  while (!rest.empty() && !closed_) {
    const auto n = sys::write(fd, rest);
    if (n) {
      rest.remove_prefix(*n);
    } else if (n.error().sys_errno() == EAGAIN) {
      pollfd full{fd, POLLOUT,
                  0};  // Somebody made the descriptor non-blocking for all who share it.
      (void)::poll(&full, 1, -1);
    } else {
      closed_ = true;  // EPIPE: the reader has what it wanted. Else: nobody could be told where to.
    }
  }
  buffer.clear();
}

struct LogsSignals::Saved {
  struct sigaction interrupt, pipe;
};

LogsSignals::LogsSignals(bool colors) : saved_(std::make_unique<Saved>().release()) {
  struct sigaction action {};
  ::sigemptyset(&action.sa_mask);
  action.sa_handler = colors ? leave : leave_plainly;
  ::sigaction(SIGINT, &action, &saved_->interrupt);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, &saved_->pipe);
}

LogsSignals::~LogsSignals() {
  ::sigaction(SIGINT, &saved_->interrupt, nullptr);
  ::sigaction(SIGPIPE, &saved_->pipe, nullptr);
  const std::unique_ptr<Saved> owned(saved_);
}

}  // namespace pmx::cli
