// Stores that take lines of JSON: VictoriaLogs (POST /insert/jsonline), and any URL that takes
// NDJSON. What a line has is in internal/jsonline_items.h.
//
// There is one group: order and the number of requests at a time are the whole sink's.
//
// VictoriaLogs says 200 unless it could read no line at all, and drops without a word what is
// longer than -insert.maxLineSizeBytes (256 KiB), which is why long events are cut once more here,
// and what is outside -retentionPeriod or -futureRetention, of which only its
// vl_rows_dropped_total tells. It does not drop repeats: after an answer that did not come they
// are told apart by log and seq.
#pragma once

#include <memory>

#include "ship/sink.h"

namespace pmx::ship {

// For SinkType::kVictoriaLogs and SinkType::kHttp.
std::unique_ptr<Sink> make_jsonline_sink(SinkContext context);

}  // namespace pmx::ship
