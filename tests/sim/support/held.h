// What outlives a simulated daemon: the keeper's descriptors of one stream, and the worker's end.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/fd.h"
#include "model/log_spec.h"
#include "sim/support/printer.h"

namespace pmx::sim {

struct HeldStream {
  StreamSpec spec;
  WorkerId worker;
  RunId run;
  Printer printer;
  Fd write_end;             // Of the worker; invalid: it has closed it.
  Fd pipe, ring;            // Of the keeper; invalid: dropped, or lost with it.
  bool shown_half = false;  // Half a line of it may be in the file already.
  bool lost = false;        // Keeper and daemon died together.
  // At that moment, by log path: up to where it was recorded.
  std::map<std::string, std::uint64_t> recorded_at_loss;
};

}  // namespace pmx::sim
