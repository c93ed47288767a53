// Whole lines of one stream, as views into its ring: what the framer makes and the writer takes.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/severity.h"

namespace pmx {

// Bounds of one batch: what an index record and the writer's intent can describe.
inline constexpr std::uint32_t kMaxBatchLines = 65'535;
inline constexpr std::uint32_t kMaxBatchBytes = 512U << 10U;

struct LineBatch {
  std::string_view bytes;   // Valid until the ring is consumed. Empty: nothing is ready.
  std::uint32_t lines = 0;  // Newlines in it, plus one where it is `partial`.
  bool partial = false;     // The last line has no newline; the stream's next batch continues it.
  bool continues = false;   // The first line began in the stream's batch before.
  bool parsed = false;      // `severities` were counted; else whoever reads the lines parses them.
  SeverityCounts severities;
};

}  // namespace pmx
