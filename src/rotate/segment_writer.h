// Appends whole batches of lines to the active file of one log, and describes each by an index
// record.
//
// The commit point is the record: `tail(stream)` moves, and ring space may be freed, only after it.
// Every step can be taken up again, by this process after an error or by the next one after a
// death, so that recovery is the start path: settle() finishes whatever is unfinished, from the
// very first start on.
//
// Owns:       the log's active file, its index files and its intent page; nothing else writes them.
// Thread:     log.
// Invariants: at most one group of batches is between intent and record; the active file is never
//             cut back while its rings live; a number (position, sequence, segment) is never used
//             twice.
// Errors:     after any error everything is kept: call settle() again. kNoSpace: the disk is full.
// Format:     docs/FORMATS.md, "Index" and "Recovery".
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/fs.h"
#include "model/line_batch.h"
#include "model/log_spec.h"
#include "redact/redactor_pool.h"
#include "rotate/intent_page.h"
#include "rotate/log_dir.h"
#include "rotate/render.h"
#include "rotate/segment_index.h"

namespace pmx::rotate {

// The streams' bytes while they are not yet recorded: the rings, as the writer sees them.
class RawBytes {
 public:
  virtual ~RawBytes() = default;
  virtual std::string_view raw_bytes(StreamId stream, std::uint64_t from,
                                     std::uint64_t size_bytes) = 0;
};

struct StreamBinding {
  StreamId id;
  WorkerId worker;
  StreamKind kind = StreamKind::kOut;
  RenderSpec render;
};

struct StreamBatch {
  StreamId stream;
  LineBatch lines;
  bool at_end = false;  // The last line will never get its newline: the stream has ended.
  bool torn = false;    // The last line's rest was dropped: it is ended here, in every kind of log.
};

struct SealedSegment {
  std::uint64_t segment = 0;
  SealedName name;
};

class SegmentWriter {
 public:
  struct World {
    Fs& state;  // For the index.
    Fs& files;  // For the log's own files, with their owner's rights.
    const Clock& clock;
    RawBytes& raw;
    redact::RedactorPool& redactors;
  };
  SegmentWriter(World world, LogDir dir, IntentPage page, bool merged);

  // Every stream that feeds the log, before its first batch; at a start, all of them before
  // settle().
  void attach(StreamBinding binding);
  // Its descriptors are dropped: nothing of it needs to be carried into the next index.
  void forget(StreamId stream);

  // The first part of settle(): after it the tails are known, before a byte of a ring is asked for.
  Result<void> load_index() { return loaded_ ? Result<void>() : load(); }
  bool loaded() const { return loaded_; }
  // Brings the log from any state to the one in which it takes batches.
  Result<void> settle();
  // Looks whether somebody else touched the active file, then takes the batches, in this order.
  // An error says either that nothing was taken (tails have not moved) or that it is on its way
  // (settle() goes on with it); the caller need not know which. At most kMaxIntentRecords / 2
  // batches.
  Result<void> append(std::span<const StreamBatch> batches);
  Result<void> look() { return look_at_active(); }  // The same look without a batch.
  Result<void> end_stream(StreamId stream);
  Result<void> seal();  // The decision is durable after this; then settles.
  // Lines that are about to be thrown away, `stream` being at `position`; false where no more
  // streams can be marked. They are counted, and a line in the log says so, by record_dropped().
  bool note_dropped(StreamId stream, std::uint64_t position, std::uint64_t lines,
                    std::uint64_t size_bytes);
  std::optional<std::uint64_t> torn_at(
      StreamId stream);  // The position of such a mark, not yet recorded.
  bool has_dropped() { return page_.drops().lines > 0; }
  Result<void> record_dropped();

  // Forces text, then index, to the disk; a power cut loses nothing of what was recorded before.
  Result<void> sync();

  std::uint64_t tail(StreamId stream) const;
  // `tail`, or less: of a group of batches whose records a death has cut, all are written again.
  // Known after load_index().
  std::uint64_t needed_from(StreamId stream);
  bool mid_line(StreamId stream) const;
  bool ended(StreamId stream) const;
  bool settled() const { return settled_; }
  const SegmentIndex& index() const { return index_; }
  const LogDir& dir() const { return dir_; }
  std::uint64_t size_bytes() const { return index_.file_end(); }
  // What takes the stream's secrets out; nullptr where nothing does. No batch may end in a secret.
  redact::Redactor* redactor(StreamId stream) const {
    return attached(stream)->renderer.redactor();
  }
  std::uint64_t redactions() const { return redactions_; }  // Made by this object.

  std::vector<SealedSegment> take_sealed();  // Sealed and renamed since the last call.
  std::vector<std::string> take_notices();   // Lines for pmx.log.

 private:
  struct InFlight {
    Intent intent;
    std::vector<StreamId> streams;  // Of each record of the intent.
    std::string rendered;      // Text of the batches that are not written straight from a ring.
    std::vector<iovec> parts;  // Of each record; empty for those without text.
    std::uint64_t total = 0, written = 0;
    bool redo = false, in_file = false;
  };
  enum class Cut { kReplaced, kTruncated };
  struct Attached {
    StreamBinding binding;
    Renderer renderer;
  };

  // segment_recovery.cpp: from what is on disk to a state that takes batches.
  Result<void> load();
  Result<void> first_index();
  Result<void> start_next_index(std::uint64_t previous_inode, std::uint8_t head_flags);
  Result<void> write_index(std::uint64_t segment, std::span<Record> records);
  Result<void> open_active();
  Result<void> rename_to_sealed();
  Result<void> reopen_active();
  Result<void> recover_tail();
  bool is_outstanding(const Intent& intent) const;
  Result<void> redo(const Intent& outstanding);
  Result<void> recover_without_rings();
  Result<void> index_found_lines(std::uint64_t from, bool cut_half_line);
  bool unclean() const;
  Result<bool> has_text_without_ring();

  // segment_writer.cpp: the ordinary way.
  Result<void> look_at_active();
  Result<void> cut(Cut how);
  Result<void> finish();
  Result<void> write_data();
  Result<void> write_records();
  Result<void> control(Record record, CrashPoint half, CrashPoint after);
  Result<void> reserve_records();
  void forget_recorded_drops();
  void render(InFlight& batch);
  void store_intent(const Intent& intent);
  Intent make_intent(std::span<const StreamBatch> batches);
  static Record bind_record(const StreamBinding& binding, const SegmentIndex& index);
  void move_to_current_index(InFlight& batch);
  std::int64_t next_time(bool& stepped) const;
  std::shared_ptr<redact::Redactor> redactor_of(const StreamBinding& binding);
  Attached* attached(StreamId stream);
  const Attached* attached(StreamId stream) const;
  void notice(std::string text) { notices_.push_back(dir_.active_path() + ": " + std::move(text)); }

  World world_;
  LogDir dir_;
  IntentPage page_;
  bool merged_;
  bool settled_ = false, loaded_ = false, recovered_ = false, is_first_ = false;
  bool text_without_ring_ = false;
  SegmentIndex index_;
  std::vector<Record> loaded_records_;  // Only between load() and recover_tail().
  std::unique_ptr<File> index_file_, active_;
  std::uint64_t reserved_slots_ = 0;
  std::optional<InFlight> in_flight_;
  std::vector<Attached> streams_;
  std::vector<SealedSegment> sealed_;
  std::vector<std::string> notices_;
  std::uint64_t redactions_ = 0;
};

}  // namespace pmx::rotate
