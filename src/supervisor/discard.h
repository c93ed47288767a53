// Throwing lines away without reading them into memory that counts: for a full disk, when a ring is
// full.
//
// peek_lines() looks into the pipe with tee(2), which leaves everything there; discard() moves
// exactly that much to /dev/null. Between the two the caller writes down what will be lost.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace pmx::supervisor {

struct PeekedLines {
  std::uint64_t lines = 0;  // Newlines in the first `bytes` of the pipe.
  std::uint64_t bytes = 0;  // Up to the last newline; all of it where a full pipe has none.
};

Result<PeekedLines> peek_lines(int pipe_fd);
Result<void> discard(int pipe_fd, std::uint64_t size_bytes);

}  // namespace pmx::supervisor
