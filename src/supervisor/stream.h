// One pipe of one worker on its way into a ring, and how far each of its logs has come.
//
// Owns:       the pipe's read end and the ring's mapping.
// Thread:     log.
// Invariants: the ring is freed up to the smallest tail of all its logs, never further.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "capture/pipe_drain.h"
#include "capture/ring.h"
#include "model/log_spec.h"
#include "redact/redactor.h"

namespace pmx::supervisor {

class Log;
struct Stream;

// A stream as one of its logs sees it: the writer's tail, kept here because it is asked for each
// round.
struct Feed {
  Stream* stream = nullptr;
  std::uint64_t tail = 0;
  std::uint64_t released = 0;  // What the log does not need again: `tail`, once it is synced.
  bool mid_line = false;
  bool ended = false;                    // The log has the stream's END.
  redact::Redactor* redactor = nullptr;  // The writer's; nullptr: lines are written as they are.
};

struct Stream {
  StreamSpec spec;
  RunId run;
  WorkerId worker;
  std::optional<capture::PipeDrain> pipe;  // Gone once it was at its end.
  Fd ring_memfd;  // Until the ring is opened: that needs the recorded tails.
  std::optional<capture::Ring> ring;
  std::vector<Log*> logs;
  bool watched = false;
  bool over_half_full = false;  // Of the latest drain: parsing must not slow the worker.
  bool flush_partial = false;   // A half line has been quiet long enough to be shown.
  bool reported = false;        // stream_ended was called.
  bool partial_timer = false, idle_timer = false;  // One of each is running.
  std::uint64_t given_back_at = 0;  // Head when the ring's pages were last given back.

  bool at_end() const { return !pipe.has_value(); }
  bool waits() const { return ring && ring->head() != ring->tail(); }
};

}  // namespace pmx::supervisor
