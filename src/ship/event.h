// What is shipped: one line, or several that belong together, as a store is to have it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "model/ids.h"
#include "model/severity.h"

namespace pmx::ship {

// Whose lines a log has. Outlives every Event that names it; a value never changes while a parcel
// is made.
struct Origin {
  std::string app;
  std::string app_namespace;  // "": not set ("default" is not).
  std::string env;            // The app's NODE_ENV, else "".
  std::string host;
  std::string version;  // Of the app; "": not known.
  LogId log;
};

// One life of a worker, as far as it is known: 0 and -1 are left out of what is sent.
struct RunInfo {
  std::int64_t pid = 0;
  std::int64_t instance = -1;
  std::uint64_t run = 0;  // How often the worker had been started before: its restarts.
  bool known = false;
};

struct Event {
  std::string_view text;     // Valid UTF-8, without its last newline; 64 bytes behind may be read.
  std::int64_t time_ns = 0;  // Increases within a log: unique in it.
  std::uint64_t seq = 0;     // Of its first line in the log.
  std::uint32_t lines = 1;   // Sequence numbers that it stands for.
  Severity severity = Severity::kInfo;
  StreamKind kind = StreamKind::kOut;
  WorkerId worker;
  StreamId stream;  // Of one run; {0}: not known.
  RunInfo run;
  const Origin* origin = nullptr;
  std::uint32_t part = 0, parts = 0;  // 1 of 3 …: a piece of a line over 256 KiB. 0: whole.
  bool notice = false;                // pmx's own words about lines that are missing here.
};

}  // namespace pmx::ship
