// One line as readers of a log get it.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/ids.h"
#include "model/log_spec.h"

namespace pmx::rotate {

struct LogLine {
  std::string_view text;  // Without its newline; 64 bytes behind it may be read.
  std::int64_t time_ns = 0;
  std::uint64_t seq = 0;
  WorkerId worker;  // kUnknownWorker: found in the file, not captured.
  StreamKind kind = StreamKind::kOut;
  bool has_newline =
      true;  // false: the worker wrote none, or this is a piece of a line over 1 MiB.
  RenderSpec::Kind render = RenderSpec::Kind::kRaw;  // How the file has it.
  bool dropped_notice = false;  // Ours, not the worker's: says which lines are missing here.
};

// Without the date that pmx put in front.
inline std::string_view without_date(const LogLine& line) {
  const std::size_t end =
      line.render == RenderSpec::Kind::kDate ? line.text.find(": ") : std::string_view::npos;
  return end == std::string_view::npos ? line.text : line.text.substr(end + 2);
}

}  // namespace pmx::rotate
