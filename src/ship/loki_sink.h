// Loki's push API: one stream a request, because the answer to several is that of the last.
//
// A stream is a label set. Labels: app, host, stream (stdout or stderr), namespace and env where
// set, the sink's own, and the values of spec.label_fields in lines that are JSON; the sink's own
// replace the built-in ones of the same name. Trace and span ids among label_fields become
// structured metadata: a label of theirs would make a stream for each request. At most 15 labels,
// one of them kept free for `shard`; what is too much is left out, fields first.
//
// A stream of more than 0.7 MB/s is divided by sequence number into 2, 4 … 32, told apart by the
// label `shard`: internal/stream_shards.h says why so early and how it is measured. The number goes
// by the clock, so a request has to be kept with its group's name, as lane.h does; a line that is
// encoded anew after a restart may get another group.
//
// Structured metadata: detected_level (which the store would otherwise guess from words in the
// line), pid, instance, run, part ("1/3"). A store that allows none says so once; from then on
// requests are framed with it hidden (internal/loki_entry.h).
//
// After its start Loki takes the lines that it reads from its WAL for a rate of these seconds, and
// divides what comes by itself: then a repeat is not seen as one (docs/DECISIONS.md, 18). /ready
// says "ready" when it has been up for 15 s (min_ready_duration); where a proxy does not let it
// through, the lane waits itself.
//
// Bounds: kMaxLokiGroups label sets; after that label_fields are left out.
#pragma once

#include <cstddef>
#include <memory>

#include "ship/sink.h"

namespace pmx::ship {

inline constexpr std::size_t kMaxLokiGroups = 10'000;  // Loki's own bound is 5000 a tenant.

std::unique_ptr<Sink> make_loki_sink(SinkContext context);

}  // namespace pmx::ship
