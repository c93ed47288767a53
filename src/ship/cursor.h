// How far one lane has come: for each of its logs the line up to which a store (or a counted drop)
// has answered for everything. Written when a batch is settled, forced to the disk within a second.
//
// A position is (epoch, sequence number): numbers are used again only under a higher epoch. Where
// lines of several runs lie in one log, some may be settled beyond the oldest that is not (an open
// stack trace, say): `ahead` says so for each stream.
//
// Owns:       <dir>/<lane>.cursor and <lane>.cursor.synced. Thread: ship.
// Invariants: serial() grows with each save. A power failure leaves the synced file or a newer one.
// Errors:     a cursor that cannot be read is reported, and the lane begins at the oldest line:
//             repeated, never lost.
// Format:     docs/FORMATS.md, "Cursor".
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "base/json.h"
#include "base/result.h"
#include "model/ids.h"

namespace pmx::ship {

// Why lines were not delivered.
enum class Drop : std::uint8_t {
  kFiltered,     // The sink's own filter.
  kSampled,      // Its sample.
  kRateLimited,  // Its rate limit.
  kRefused,      // By the store; in the dead letters.
  kRetention,    // Removed, by the logs' bounds, before they were sent.
  kFlushed,      // `pmx flush`.
  kDiskFull,     // Never captured: the disk was full.
  kLost,         // Changed or removed by somebody else, or lost with the machine.
};
inline constexpr std::size_t kDrops = 8;
std::string_view name_of(Drop drop);  // "filtered" … as `pmx ship status` has it.

struct Tally {
  std::uint64_t delivered = 0;
  std::uint64_t duplicates = 0;  // Of the delivered: the store had them already.
  std::array<std::uint64_t, kDrops> dropped{};
  void drop(Drop why, std::uint64_t lines) { dropped[static_cast<std::size_t>(why)] += lines; }
  std::uint64_t settled() const;
  Tally& operator+=(const Tally& other);
  bool operator==(const Tally&) const = default;
};

struct LogPosition {
  std::uint32_t epoch = 0;
  std::uint64_t next_seq = 0;               // Everything before it is settled.
  std::map<StreamId, std::uint64_t> ahead;  // Of these streams everything before that, too.
  std::uint64_t segment = 0;                // That holds next_seq: what retention must keep.
  bool operator==(const LogPosition&) const = default;
};

struct LogCursor {
  LogPosition at;
  std::uint64_t begin = 0;  // captured = next line's number - begin; moves where an epoch ends.
  Tally tally;              // captured = tally.settled() + waiting.
  bool operator==(const LogCursor&) const = default;
};

using LaneCursor = std::map<std::string, LogCursor>;  // By the log's active path, or kGoneLogs.
inline constexpr const char* kGoneLogs = "";  // The sum of the lane's logs that are no more.
// What was settled of the log is settled of kGoneLogs.
void forget_log(LaneCursor& cursor, const std::string& path);

class CursorFile {
 public:
  // `base` is <dir>/<lane>. The file system and the directory outlive it.
  CursorFile(Fs& fs, std::string base) : fs_(fs), base_(std::move(base)) {}

  // The newer of the two files. nullopt: there is none yet.
  Result<std::optional<LaneCursor>> load();
  Result<void> save(const LaneCursor& cursor);  // Reaches the kernel, not yet the disk.
  Result<void> sync();                          // What was saved last.
  std::uint64_t serial() const { return serial_; }
  // The next save is at least this one: where power failed, a flight may be ahead of the cursor.
  void go_on_at(std::uint64_t next_serial) {
    if (next_serial > serial_ + 1) serial_ = next_serial - 1;
  }
  bool synced() const { return saved_.empty(); }
  void remove();

 private:
  Fs& fs_;
  std::string base_;
  std::uint64_t serial_ = 0;
  std::string saved_;  // Bytes that are not yet synced; "": none.
};

Json to_json(const Tally& tally);
Json to_json(const LaneCursor& cursor);
LaneCursor lane_cursor_from(const Json& json);

}  // namespace pmx::ship
