// The ordinary way of a batch: intent, data, record. Three commit points, each held by the kernel.
//
// The intent (64 bytes a batch, plain stores into a page that the keeper holds, 24 ns) says what
// will be written where. Then one writev, mostly straight from the ring. Then the record, 64 bytes
// in the index, which no kill can tear because it crosses no page. Whoever comes after a kill
// finds: no intent, and nothing has happened; an intent, and the file tells how much of it is
// there; a record, and it is done. Cutting the file back instead would lose nothing either, but
// `tail -F` would start it again: 272 MB printed of a 100 MB file in 400 kills.
#include "rotate/segment_writer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/sys.h"
#include "base/time_text.h"

namespace pmx::rotate {
namespace {

constexpr std::uint64_t kReserveSlots = 128;  // 8 KiB of index at a time.

}  // namespace

SegmentWriter::SegmentWriter(World world, LogDir dir, IntentPage page, bool merged)
    : world_(world), dir_(std::move(dir)), page_(std::move(page)), merged_(merged) {}

void SegmentWriter::attach(StreamBinding binding) {
  if (attached(binding.id) != nullptr) return;
  Renderer renderer(binding.render, merged_, redactor_of(binding));
  streams_.push_back({std::move(binding), std::move(renderer)});
}

// The rules were checked when they were set, but by another RE2 where the system has been upgraded
// since. Lines are kept, and no secret gets out.
std::shared_ptr<redact::Redactor> SegmentWriter::redactor_of(const StreamBinding& binding) {
  auto redactor = world_.redactors.get(binding.render.redact);
  if (redactor) return std::move(redactor).value();
  notice(redactor.error().message() + ": every line is written as [redacted]; set other patterns " +
         "and restart the app");
  return redact::Redactor::of_everything();
}

void SegmentWriter::forget(StreamId stream) {
  std::erase_if(streams_, [stream](const Attached& a) { return a.binding.id == stream; });
}

SegmentWriter::Attached* SegmentWriter::attached(StreamId stream) {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [stream](const Attached& a) { return a.binding.id == stream; });
  return found == streams_.end() ? nullptr : &*found;
}

const SegmentWriter::Attached* SegmentWriter::attached(StreamId stream) const {
  return const_cast<SegmentWriter*>(this)->attached(stream);
}

std::uint64_t SegmentWriter::tail(StreamId stream) const {
  const auto local = index_.local(stream);
  return local ? index_.streams()[*local].tail : 0;  // A fresh ring has tail 0 and needs no record.
}

bool SegmentWriter::mid_line(StreamId stream) const {
  const auto local = index_.local(stream);
  return local && index_.streams()[*local].mid_line;
}

bool SegmentWriter::ended(StreamId stream) const {
  const auto local = index_.local(stream);
  return local && index_.streams()[*local].ended;
}

std::vector<SealedSegment> SegmentWriter::take_sealed() { return std::exchange(sealed_, {}); }
std::vector<std::string> SegmentWriter::take_notices() { return std::exchange(notices_, {}); }

// A batch begins only where its records have room: what is in the file can always be described.
Result<void> SegmentWriter::reserve_records() {
  if (index_.slots() + kMaxIntentRecords < reserved_slots_) return {};
  const std::uint64_t wanted = index_.slots() + kMaxIntentRecords + kReserveSlots;
  const auto reserved = index_file_->reserve(wanted * kRecordBytes);
  if (!reserved && reserved.error().code() == Errc::kNoSpace) return reserved.error();
  reserved_slots_ = wanted;  // Other errors: a file system without fallocate; the write will tell.
  return {};
}

Result<void> SegmentWriter::append(std::span<const StreamBatch> batches) {
  PMX_CHECK(settled_ && !in_flight_);
  PMX_TRY(look_at_active());
  PMX_TRY(reserve_records());
  InFlight batch;
  batch.intent = make_intent(batches);
  store_intent(batch.intent);
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < batch.intent.n; ++i) {
    batch.streams.push_back(batches[next].stream);
    if (batch.intent.records[i].record_type() == RecordType::kData) ++next;
  }
  in_flight_ = std::move(batch);
  render(*in_flight_);  // Where it stays: the parts point into it.
  settled_ = false;
  return settle();
}

// One stat before each batch: a truncated, renamed or deleted file is noticed before more goes into
// it.
Result<void> SegmentWriter::look_at_active() {
  const auto found = world_.files.info(dir_.active_path());
  if (!found && found.error().code() != Errc::kNotFound) return found.error();
  if (!found || found->inode != index_.inode()) {
    notice("was moved or deleted by somebody else: a new file is begun");
    PMX_TRY(cut(Cut::kReplaced));
    return settle();
  }
  if (found->size_bytes < index_.file_end()) {
    notice("was truncated by somebody else from " + std::to_string(index_.file_end()) + " to " +
           std::to_string(found->size_bytes) + " bytes");
    return cut(Cut::kTruncated);
  }
  if (found->size_bytes > index_.file_end()) {
    notice("somebody else appended " + std::to_string(found->size_bytes - index_.file_end()) +
           " bytes");
    index_.skip_to(found->size_bytes);
  }
  return {};
}

// A new index without a rename: the old records go on describing bytes that are gone.
Result<void> SegmentWriter::cut(Cut how) {
  PMX_TRY(start_next_index(0, flags::kCut));
  if (how == Cut::kReplaced) {
    active_.reset();
    settled_ = false;
    return {};
  }
  const FileInfo now = PMX_TRY(active_->info());
  Record open;
  open.type = static_cast<std::uint8_t>(RecordType::kOpen);
  open.raw_end = now.inode;
  open.file_end = now.size_bytes;
  open.time_ns = world_.clock.system_ns();
  open.data_sum = static_cast<std::uint32_t>(sys::boot_id_hash());
  return control(open, CrashPoint::kOpenHalf, CrashPoint::kAfterOpen);
}

Result<void> SegmentWriter::write_data() {
  InFlight& batch = *in_flight_;
  const bool half =
      batch.total > 1 && crash_due(batch.redo ? CrashPoint::kRedoHalf : CrashPoint::kDataHalf);
  const std::uint64_t limit =
      half ? batch.written + (batch.total - batch.written) / 2 : batch.total;
  while (batch.written < limit) {
    std::array<iovec, kMaxIntentRecords> left;
    std::size_t n = 0;
    std::uint64_t at = 0;
    for (const iovec& part : batch.parts) {
      const std::uint64_t from = std::max(batch.written, at);
      const std::uint64_t to = std::min(limit, at + part.iov_len);
      if (from < to) left[n++] = {static_cast<char*>(part.iov_base) + (from - at), to - from};
      at += part.iov_len;
    }
    batch.written += PMX_TRY(active_->writev(std::span(left.data(), n)));
  }
  if (half) crash_points::die();
  return {};
}

// Data to the file, records to the index. May be called again after any error.
Result<void> SegmentWriter::finish() {
  InFlight& batch = *in_flight_;
  if (!batch.in_file) {
    PMX_TRY(write_data());
    crash_point(batch.redo ? CrashPoint::kRedoBeforeRecord : CrashPoint::kAfterData);
    // Where our bytes ended, whoever else appends to the file; a redo that found all of them wrote
    // none.
    std::uint64_t end = batch.intent.begin + batch.total;
    if (batch.total > 0 &&
        !(batch.redo && batch.written == batch.total && end <= PMX_TRY(active_->info()).size_bytes))
      end = PMX_TRY(active_->position());
    if (end < batch.intent.begin + batch.total && batch.total > 0) {
      notice(
          "was truncated by somebody else while a batch was written: the batch is written again");
      batch.written = 0;
      batch.redo = false;
      PMX_TRY(cut(Cut::kTruncated));
      move_to_current_index(batch);
      return finish();
    }
    batch.intent.begin = end - batch.total;
    std::uint64_t at = batch.intent.begin;
    for (std::uint32_t i = 0; i < batch.intent.n; ++i) {
      Record& r = batch.intent.records[i];
      at += batch.parts[i].iov_len;
      if (r.record_type() == RecordType::kStream) continue;
      r.file_end = at;
      r.file_len = static_cast<std::uint32_t>(batch.parts[i].iov_len);
      r.data_sum =
          data_sum({static_cast<const char*>(batch.parts[i].iov_base), batch.parts[i].iov_len});
    }
    batch.in_file = true;
  }
  return write_records();
}

Result<void> SegmentWriter::write_records() {
  InFlight& batch = *in_flight_;
  const std::span<Record> records(batch.intent.records, batch.intent.n);
  for (Record& r : records) r.crc = record_crc(r, batch.intent.segment);
  const std::string_view bytes = bytes_of(records);
  const std::uint64_t offset = batch.intent.slot * kRecordBytes;
  if (crash_due(CrashPoint::kRecordHalf)) {
    (void)index_file_->pwrite_all(bytes.substr(0, bytes.size() / 2), offset);
    crash_points::die();
  }
  PMX_TRY(index_file_->pwrite_all(bytes, offset));
  for (const Record& r : records) index_.apply(r);
  forget_recorded_drops();
  const bool redone = batch.redo;
  in_flight_.reset();
  crash_point(redone ? CrashPoint::kAfterRedo : CrashPoint::kAfterRecord);
  return {};
}

Result<void> SegmentWriter::control(Record record, CrashPoint half, CrashPoint after) {
  record.crc = record_crc(record, index_.segment());
  const std::string_view bytes = bytes_of(std::span(&record, 1));
  const std::uint64_t offset = index_.slots() * kRecordBytes;
  if (crash_due(half)) {
    (void)index_file_->pwrite_all(bytes.substr(0, kRecordBytes / 2), offset);
    crash_points::die();
  }
  PMX_TRY(index_file_->pwrite_all(bytes, offset));
  index_.apply(record);
  crash_point(after);
  return {};
}

Result<void> SegmentWriter::end_stream(StreamId stream) {
  PMX_CHECK(settled_);
  if (ended(stream)) return {};
  const Attached* known = attached(stream);
  PMX_CHECK(known != nullptr);
  if (mid_line(stream) && !merged_ && !known->renderer.is_raw()) {
    StreamBatch close{stream, {}, true};  // A line in pieces whose last piece is already written.
    close.lines.partial = close.lines.continues = close.lines.parsed = true;
    PMX_TRY(append(std::span(&close, 1)));
  }
  if (!index_.local(stream))
    PMX_TRY(control(bind_record(known->binding, index_), CrashPoint::kCount, CrashPoint::kCount));
  crash_point(CrashPoint::kBeforeEnd);
  Record end;
  end.type = static_cast<std::uint8_t>(RecordType::kEnd);
  end.stream = *index_.local(stream);
  end.raw_end = tail(stream);
  return control(end, CrashPoint::kEndHalf, CrashPoint::kAfterEnd);
}

Result<void> SegmentWriter::sync() {
  if (active_) PMX_TRY(active_->sync_data());
  if (index_file_) PMX_TRY(index_file_->sync_data());
  return {};
}

Result<void> SegmentWriter::seal() {
  PMX_CHECK(settled_);
  PMX_TRY(look_at_active());
  if (index_.file_end() == 0) return {};
  Record seal;
  seal.type = static_cast<std::uint8_t>(RecordType::kSeal);
  seal.file_end = index_.file_end();
  seal.seq = index_.next_seq();
  seal.time_ns = index_.last_time_ns();
  PMX_TRY(control(seal, CrashPoint::kSealHalf, CrashPoint::kAfterSeal));
  settled_ = false;
  return settle();
}

}  // namespace pmx::rotate
