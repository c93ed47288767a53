// Cuts a stream's readable bytes into batches of whole lines: a pure function, so that a daemon
// that takes over finds the same lines. Bytes are bytes: NUL, CR and broken UTF-8 have no meaning
// here.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/line_batch.h"

namespace pmx::capture {

struct FrameLimits {
  std::uint64_t
      max_line_bytes;  // With its newline. A longer line is cut after exactly this many bytes.
  std::uint64_t max_batch_bytes = kMaxBatchBytes;  // One line alone may be longer.
  bool at_end = false;         // The stream has ended: a rest without newline is its last line.
  bool flush_partial = false;  // A rest without newline has been quiet long enough to be shown.
};

// The next batch, from the start of `readable`, which is where the batch before ended; `continues`
// tells that that one was `partial`. Empty: nothing is ready yet. In this order:
//   - whole lines, at most kMaxBatchLines and in all min(max_batch_bytes, max_line_bytes), or a
//   single
//     one that is longer than that, up to max_line_bytes;
//   - a piece of exactly max_line_bytes of a longer line, partial, in a batch of its own, whether
//   or
//     not its newline is already there (else the cut would depend on when we looked);
//   - with at_end or flush_partial the rest, partial, in a batch of its own.
// `severities` are not counted here.
LineBatch frame(std::string_view readable, const FrameLimits& limits, bool continues);

}  // namespace pmx::capture
