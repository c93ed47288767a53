// One line as readers of a log get it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/ids.h"
#include "model/log_spec.h"
#include "rotate/segment_format.h"

namespace pmx::rotate {

// How a line came into the log.
enum class Found : std::uint8_t {
  kCaptured,   // With a record of the stream it came from.
  kRecovered,  // Captured, but its record was lost with all of pmx: time and stream are not known.
  kForeign,    // Somebody else's: the file had it when pmx began the log. It has a number.
  kUnindexed,  // In a file without an index: its number is the reader's own.
};

struct LogLine {
  std::string_view text;  // Without its newline; 64 bytes behind it may be read.
  std::int64_t time_ns = 0;
  std::uint64_t seq = 0;
  WorkerId worker;  // kUnknownWorker: of a line that was not captured, or was recovered.
  StreamKind kind = StreamKind::kOut;
  bool has_newline =
      true;  // false: the worker wrote none, or this is a piece of a line over 1 MiB.
  RenderSpec::Kind render = RenderSpec::Kind::kRaw;  // How the file has it.
  bool dropped_notice = false;  // Ours, not the worker's: says which lines are missing here.
  DropReason drop_reason{};     // Of a notice.
  StreamId stream = {};         // {0}: of no known stream.
  Found found = Found::kCaptured;
  // Sequence numbers that it stands for: pieces of a long line; of a notice, the lines missing.
  std::uint64_t lines = 1;
  std::uint64_t end_seq = 0;  // Behind the last of them; other streams' lines may lie between.
  std::uint64_t segment = 0;  // In which it begins.
  std::uint32_t epoch = 0;    // Grows where numbers may have been lost to a power failure.
};

// Without the date that pmx put in front.
inline std::string_view without_date(const LogLine& line) {
  const std::size_t end =
      line.render == RenderSpec::Kind::kDate ? line.text.find(": ") : std::string_view::npos;
  return end == std::string_view::npos ? line.text : line.text.substr(end + 2);
}

// As the worker wrote it: a date in front, or a JSON object around it, is ours. A part of the line,
// or a view into `scratch`; 64 bytes behind it may be read.
std::string_view worker_text(const LogLine& line, std::string& scratch);

}  // namespace pmx::rotate
