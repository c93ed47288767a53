#include "supervisor/discard.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/sys.h"

namespace pmx::supervisor {

Result<PeekedLines> peek_lines(int pipe_fd) {
  const std::size_t waiting = PMX_TRY(sys::pipe_bytes_waiting(pipe_fd));
  if (waiting == 0) return PeekedLines{};
  const sys::Pipe copy = PMX_TRY(sys::pipe());
  const std::size_t size = sys::set_pipe_size(copy.write_end.get(), 1U << 20U);
  const auto teed =
      ::tee(pipe_fd, copy.write_end.get(), std::min(waiting, size), SPLICE_F_NONBLOCK);
  if (teed < 0) return system_error(errno, "tee");
  std::string bytes(static_cast<std::size_t>(teed), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const std::size_t n = PMX_TRY(sys::read(copy.read_end.get(), std::span(bytes).subspan(got)));
    if (n == 0) break;
    got += n;
  }
  const std::size_t newline = bytes.rfind('\n');
  if (newline == std::string::npos) return PeekedLines{0, got == waiting ? got : 0};
  return PeekedLines{static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n')),
                     newline + 1};
}

Result<void> discard(int pipe_fd, std::uint64_t size_bytes) {
  const Fd nowhere = PMX_TRY(sys::open("/dev/null", O_WRONLY));
  while (size_bytes > 0) {
    const auto moved =
        ::splice(pipe_fd, nullptr, nowhere.get(), nullptr, size_bytes, SPLICE_F_NONBLOCK);
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return system_error(errno, "splice to /dev/null");
    if (moved == 0) break;
    size_bytes -= static_cast<std::uint64_t>(moved);
  }
  return {};
}

}  // namespace pmx::supervisor
