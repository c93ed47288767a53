// Takes what a pipe holds into its ring, in as few system calls as pay.
//
// Owns:   the read end of the pipe.
// Thread: log.
// Errors: kUnavailable never leaves drain(); anything else means that the pipe or the ring is
// broken. Bounds: half a ring a turn, so that no stream starves the others.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/fd.h"
#include "base/result.h"
#include "capture/ring.h"

namespace pmx::capture {

struct Drained {
  std::uint64_t bytes = 0;  // Taken in this turn.
  bool end = false;    // All writers are gone and the pipe is empty; asking again says so again.
  bool again = false;  // The turn's bound stopped it: more is there, come back without a nap.
  bool over_half_full =
      false;               // After a big take the pipe still is: parsing must wait for a reader.
  bool ring_full = false;  // Wait for a record to free space before the next turn.
};

class PipeDrain {
 public:
  // A splice that brings this much is followed by another; one that brings less is the turn's last.
  static constexpr std::uint64_t kBigTakeBytes = 64U << 10U;
  static constexpr std::uint64_t kMaxTurnBytes = Ring::kCapacityBytes / 2;

  explicit PipeDrain(Fd pipe);
  Result<Drained> drain(Ring& ring);

  int fd() const { return pipe_.get(); }
  std::size_t capacity_bytes() const { return capacity_bytes_; }
  // Best effort: what it is now, which past the user's budget of pipe memory is less.
  std::size_t resize(std::size_t size_bytes);
  // What waits in the pipe; 0 where the kernel does not say.
  std::uint64_t waiting_bytes() const;

 private:
  Fd pipe_;
  std::size_t capacity_bytes_ = 0;
};

}  // namespace pmx::capture
