// Which logs `pmx logs` reads, and whose lines they hold: from <home>/state/apps.json, which the
// daemon replaces at every change, or from the names of the logs where there is none.
//
// Thread:  any.
// Errors:  PM2's words, because scripts look for them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "model/ids.h"
#include "rotate/log_line.h"

namespace pmx::cli {

struct LogFeed {
  WorkerId worker;
  StreamKind kind = StreamKind::kOut;
  std::string name;
  bool operator==(const LogFeed&) const = default;
};

struct LogSource {
  std::string path;            // Of the active file.
  std::vector<LogFeed> feeds;  // Those that are wanted.
  bool one_worker = true;      // Nobody else feeds it, whatever the id in old records.
  bool one_kind = true;
  bool complete = true;  // All that feed it are wanted.
  bool own_log = false;  // pmx.log

  bool wants(WorkerId worker, StreamKind kind) const;
  // Who printed this line, as far as that is known: "0|web".
  std::string label_of(const rotate::LogLine& line) const;
  const LogFeed& feed_of(const rotate::LogLine& line) const;
  StreamKind kind_of(const rotate::LogLine& line) const;
  std::size_t longest_label() const;
};

struct LogWorker {
  WorkerId id;
  std::string name;
  std::string app_namespace;
  std::string out, err, log;  // "": none.
};

std::string apps_path(const std::string& home);
Result<std::vector<LogWorker>> read_log_workers(Fs& fs, const std::string& home);

struct WantedKinds {
  bool out = true, err = true;
};
// In the order of their first worker. Empty only for "all".
Result<std::vector<LogSource>> sources_of(const std::vector<LogWorker>& workers,
                                          std::string_view target, const std::string& home,
                                          WantedKinds kinds);

}  // namespace pmx::cli
