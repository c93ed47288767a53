// How much to take at once was measured (2 cores, 216-byte lines, CPU a GB). Splicing until EAGAIN
// fights the writer for the pipe's lock: 3.5 s instead of 0.8. So a turn is one splice, and another
// only where that one brought 64 KiB (the writer is far ahead: 0.53 s with 64 KiB writes) or where
// the ring's end cut it short. The nap after a small take is the pipeline's.
#include "capture/pipe_drain.h"

#include <fcntl.h>

#include <utility>

#include "base/sys.h"

namespace pmx::capture {

PipeDrain::PipeDrain(Fd pipe) : pipe_(std::move(pipe)) {
  const int size = ::fcntl(pipe_.get(), F_GETPIPE_SZ);
  capacity_bytes_ = size > 0 ? static_cast<std::size_t>(size) : 0;
}

Result<Drained> PipeDrain::drain(Ring& ring) {
  Drained drained;
  for (;;) {
    if (ring.free_bytes() == 0) {
      drained.ring_full = true;
      break;
    }
    if (drained.bytes == kMaxTurnBytes) {
      drained.again = true;
      break;
    }
    const auto taken = ring.splice_from(pipe_.get(), kMaxTurnBytes - drained.bytes);
    if (!taken) {
      if (taken.error().code() == Errc::kUnavailable) break;
      return taken.error();
    }
    drained.end = *taken == 0;
    drained.bytes += *taken;
    const bool at_ring_end = ring.head() % Ring::kCapacityBytes == 0;
    if (drained.end || (*taken < kBigTakeBytes && !at_ring_end)) break;
  }
  if (!drained.end && (drained.bytes >= kBigTakeBytes || drained.ring_full))
    drained.over_half_full = waiting_bytes() > capacity_bytes_ / 2;
  return drained;
}

std::size_t PipeDrain::resize(std::size_t size_bytes) {
  return capacity_bytes_ = sys::set_pipe_size(pipe_.get(), size_bytes);
}

std::uint64_t PipeDrain::waiting_bytes() const {
  const auto waiting = sys::pipe_bytes_waiting(pipe_.get());
  return waiting ? *waiting : 0;
}

}  // namespace pmx::capture
