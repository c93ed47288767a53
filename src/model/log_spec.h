// What one log looks like and how long it is kept: nouns that configuration, pipeline and writer
// share.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/json.h"
#include "model/ids.h"
#include "model/redact_rules.h"

namespace pmx {

enum class Compression : std::uint8_t { kNone, kGzip, kZstd };

struct RotatePolicy {
  std::uint64_t max_size_bytes = 10U << 20U;  // 0: not by size.
  std::string every;                          // "", "hour", "day" or a cron pattern.
  std::uint32_t retain = 30;                  // Sealed files kept; 0: all.
  std::chrono::milliseconds max_age{0};       // 0: no bound.
  std::uint64_t max_total_size_bytes = 0;     // Of the log's sealed files; 0: no bound.
  Compression compress = Compression::kZstd;
  int level = 0;  // 0: the library's own default.
  bool operator==(const RotatePolicy&) const = default;
};

// What happens to new lines when the disk is full and the log's own oldest archives have gone.
enum class WhenFull : std::uint8_t { kDrop, kBlock };

struct SyncPolicy {
  enum class Mode : std::uint8_t { kSeal, kInterval, kBatch } mode = Mode::kSeal;
  std::chrono::milliseconds interval{1000};
  bool operator==(const SyncPolicy&) const = default;
};

// How a stream's lines look in a log's file. A pure function of (raw bytes, time, sequence, this):
// a daemon that takes over renders a half-written batch again, byte for byte. It stays with the
// stream: a change of settings holds for the app's next run.
struct RenderSpec {
  enum class Kind : std::uint8_t { kRaw, kDate, kJson } kind = Kind::kRaw;
  std::string date_format;  // dayjs pattern; for kJson "" means ISO time.
  std::string app_name;     // For kJson.
  RedactRules redact = {};  // What goes before a line is written.
  bool operator==(const RenderSpec&) const = default;
};

struct LogSpec {
  std::string path;     // Absolute path of the active file.
  bool merged = false;  // More than one stream may feed it: whole lines only.
  RenderSpec render;
  RotatePolicy rotate;
  WhenFull when_full = WhenFull::kDrop;
  SyncPolicy sync;
  std::optional<FileOwner> owner;  // Files are opened as this user (root only).
  bool operator==(const LogSpec& other) const;
};

// One stream and the logs that it feeds (none: its bytes are read and counted, not kept).
struct StreamSpec {
  StreamId id;
  StreamKind kind = StreamKind::kOut;
  std::vector<LogSpec> logs;
};

// One life of a worker, as kept in a memfd beside its pipes, so that the next daemon can go on with
// its lines even where no disk can be written.
struct RunSpec {
  RunId run;
  WorkerId worker;
  std::string app_name;
  std::vector<StreamSpec> streams;
};

Json to_json(const RunSpec& spec);
Result<RunSpec> run_spec_from_json(const Json& json);

}  // namespace pmx
