// One log on the log thread: its streams' lines into its segments, its rotations, its troubles.
//
// Owns:       the SegmentWriter; borrows the streams that feed it (the pipeline keeps them).
// Thread:     log; counters() may be read from any thread.
// Invariants: commit() leaves nothing behind but half lines, or says why in trouble().
// Bounds:     in trouble the rings hold 1 MiB a stream, then the pipes, then when_full decides.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/schedule.h"
#include "capture/line_framer.h"
#include "model/log_spec.h"
#include "rotate/segment_writer.h"
#include "supervisor/stream.h"

namespace pmx::supervisor {

// What others may look at while the log thread works.
struct LogCounters {
  std::string path;
  std::atomic<std::uint64_t> captured_lines = 0, captured_bytes = 0, dropped_lines = 0,
                             waiting_bytes = 0, active_size_bytes = 0, segment = 0, redactions = 0;
  Guarded<std::string> trouble;
};

class Log {
 public:
  // All of `world` outlives the log.
  Log(LogSpec spec, std::string state_directory, rotate::IntentPage page,
      rotate::SegmentWriter::World world);

  void feed(Stream& stream);  // A new stream; takes over the newest policy.
  void adopt(const LogSpec& spec);
  void release(Stream& stream);  // Its descriptors are dropped.

  // Finishes what is unfinished and appends all that is ready. After an error: call again later.
  Result<void> commit();
  Result<void> load();    // Reads where each stream stands.
  Result<void> rotate();  // Seals now where there is anything to seal.
  Result<void> look();    // Whether somebody moved or truncated the active file.
  // Frees own archives, oldest first, down to one; false where there is nothing to free.
  bool make_room(std::uint64_t floor_segment);
  // Throws away what waits in the pipes of full rings, counted; false where there was nothing.
  bool drop_newest();

  // For `sync: <interval>`: whether anything was appended since the last sync().
  bool wants_sync() const { return unsynced_ && spec_.sync.mode == SyncPolicy::Mode::kInterval; }
  Result<void> sync() {
    PMX_TRY(writer_.sync());
    unsynced_ = false;
    return {};
  }
  bool sync_planned = false;  // The pipeline's timer for it runs.

  bool rotation_due() const;
  std::optional<std::int64_t> next_rotation_ns() const { return next_rotation_ns_; }
  std::uint64_t released(const Stream& stream) const;  // Its ring may be freed up to here.
  bool has_ended(const Stream& stream) const;
  bool has_feeds() const { return !feeds_.empty(); }

  const LogSpec& spec() const { return spec_; }
  rotate::SegmentWriter& writer() { return writer_; }
  const std::shared_ptr<LogCounters>& counters() const { return counters_; }
  // Bytes recorded since the last call: 0 where only other records came (an END, a SEAL), nullopt
  // where none did.
  std::optional<std::uint64_t> take_recorded();

  // Trouble as the pipeline keeps it: since when, what, and when to try again.
  struct Trouble {
    Error error;
    std::chrono::steady_clock::time_point since, next_try;
    std::chrono::milliseconds delay{20};
  };
  std::optional<Trouble>& trouble() { return trouble_; }
  std::vector<Stream*> take_touched() {
    return std::exchange(touched_, {});
  }                     // By the last commit().
  bool queued = false;  // Is in the pipeline's list of logs with something to do.

 private:
  Result<void> settle();  // Every ring open, and no batch between intent and record.
  Result<void> release_recorded();
  std::size_t first_feed() const;
  Result<bool> append_ready();  // Whether there was anything.
  Result<void> end_streams();
  rotate::StreamBatch next_batch(const Feed& feed);
  static void keep_secrets_whole(redact::Redactor& redactor, const capture::FrameLimits& limits,
                                 LineBatch& lines);
  void refresh(Feed& feed);
  void free_ring(Stream& stream) const;
  static bool open_ring(Stream& stream);
  void publish();
  void schedule_next_rotation();

  LogSpec spec_;
  rotate::SegmentWriter::World world_;
  rotate::SegmentWriter writer_;
  std::vector<Feed> feeds_;
  // Of the index, when take_recorded() was last asked.
  std::uint64_t told_segment_ = 0, told_slots_ = 0, told_bytes_ = 0;
  bool unsynced_ = false;
  std::size_t next_feed_ = 0;  // Where a merged log's next group begins: no stream starves.
  std::vector<rotate::StreamBatch> group_;
  std::vector<Stream*> touched_;
  std::optional<Schedule> schedule_;
  std::optional<std::int64_t> next_rotation_ns_;
  std::optional<Trouble> trouble_;
  std::shared_ptr<LogCounters> counters_;
};

}  // namespace pmx::supervisor
