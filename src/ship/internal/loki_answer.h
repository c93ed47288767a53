// What Loki's answer to a push means for each of its entries.
//
// A 400 is a partial refusal: what it does not name is stored, and to send all of it again would
// count twice against the tenant's rate. It names at most ten entries (max-ignored-stream-errors)
// by time, and with each the oldest time that would have been taken, so that what is older is
// refused for certain and what is newer is stored; only what lies in the second between (the store
// cuts its time to seconds) has to be asked for again.
// Texts: pkg/ingester/stream.go errorForFailedEntries, pkg/validation/validate.go,
// pkg/chunkenc/interface.go (ErrTooFarBehind).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "ship/http_transport.h"
#include "ship/internal/loki_entry.h"
#include "ship/sink.h"

namespace pmx::ship::internal {

struct LokiVerdict {
  Verdict verdict;
  bool metadata_disallowed = false;  // Items have to be framed without it.
};

LokiVerdict judge_loki(const HttpAnswer& answer, std::span<const Item> items,
                       std::string_view bytes, LokiEncoding encoding);

// Of /ready (pkg/loki/loki.go, readyHandler).
Readiness loki_readiness(const HttpAnswer& answer);

// Go's "2026-09-17 12:00:00.123456789 +0000 UTC" (zeros at the end are left out) and RFC 3339, as ns
// since 1970. Trailing text is not looked at.
std::optional<std::int64_t> parse_go_time(std::string_view text);

}  // namespace pmx::ship::internal
