// A batch before it is written: its numbers, its intent, its text; and the lines that never get
// that far.
#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/time_text.h"
#include "rotate/segment_writer.h"

namespace pmx::rotate {
namespace {

constexpr std::int64_t kClockStepNs =
    10'000'000'000;  // Further back than this is a step, not jitter.

}  // namespace

std::int64_t SegmentWriter::next_time(bool& stepped) const {
  const std::int64_t now = world_.clock.system_ns();
  stepped = index_.last_time_ns() - now > kClockStepNs;
  return stepped ? now : std::max(now, index_.last_time_ns() + 1);
}

Record SegmentWriter::bind_record(const StreamBinding& binding, const SegmentIndex& index) {
  Record bind;
  bind.type = static_cast<std::uint8_t>(RecordType::kStream);
  bind.stream = static_cast<std::uint16_t>(index.streams().size());
  bind.seq = binding.id.value;
  bind.raw_len = binding.worker.value;
  bind.lines = static_cast<std::uint16_t>(binding.kind);
  bind.data_sum = static_cast<std::uint32_t>(binding.render.kind);
  return bind;
}

// Numbers every batch, and binds streams that this index does not know yet.
Intent SegmentWriter::make_intent(std::span<const StreamBatch> batches) {
  Intent intent;
  intent.segment = index_.segment();
  intent.slot = index_.slots();
  intent.begin = index_.file_end();
  bool stepped = false;
  std::int64_t time_ns = next_time(stepped);
  std::uint64_t seq = index_.next_seq();
  SegmentIndex preview = index_;
  for (const StreamBatch& batch : batches) {
    const Attached* stream = attached(batch.stream);
    PMX_CHECK(stream != nullptr && intent.n + 2 <= kMaxIntentRecords);
    if (!preview.local(batch.stream)) {
      intent.records[intent.n] = bind_record(stream->binding, preview);
      preview.apply(intent.records[intent.n++]);
    }
    Record data;
    data.type = static_cast<std::uint8_t>(RecordType::kData);
    data.stream = *preview.local(batch.stream);
    data.raw_len = static_cast<std::uint32_t>(batch.lines.bytes.size());
    data.raw_end = preview.streams()[data.stream].tail + data.raw_len;
    data.seq = seq;
    data.time_ns = time_ns;
    data.lines = static_cast<std::uint16_t>(batch.lines.lines);
    data.severities = batch.lines.severities;
    // Nothing will continue it, and the file has its end: end_stream() must not close it again.
    const bool closed = batch.torn || (batch.lines.partial && batch.at_end && !merged_ &&
                                       !stream->renderer.is_raw());
    const bool newline_added = closed || (batch.lines.partial && merged_);
    data.flags = static_cast<std::uint8_t>((batch.lines.partial && !closed ? flags::kPartial : 0) |
                                           (batch.lines.continues ? flags::kContinues : 0) |
                                           (batch.lines.parsed ? 0 : flags::kUnparsed) |
                                           (newline_added ? flags::kCut : 0) |
                                           (stepped ? flags::kClockStep : 0));
    stepped = false;
    seq += data.lines;
    time_ns += data.lines;
    intent.records[intent.n++] = data;
    preview.apply(data);
  }
  intent.crc = intent_crc(intent);
  return intent;
}

void SegmentWriter::store_intent(const Intent& intent) {
  if (crash_due(CrashPoint::kIntentHalf)) {
    std::memcpy(static_cast<void*>(&*page_), &intent, 40);
    crash_points::die();
  }
  std::memcpy(static_cast<void*>(&*page_), &intent,
              offsetof(Intent, records) + intent.n * kRecordBytes);
  asm volatile("" ::: "memory");  // The stores come before the system calls that follow.
  crash_point(CrashPoint::kAfterIntent);
}

bool SegmentWriter::is_outstanding(const Intent& intent) const {
  return intent.n > 0 && intent.n <= kMaxIntentRecords && intent.segment == index_.segment() &&
         intent.slot <= index_.slots() && index_.slots() < intent.slot + intent.n &&
         intent.crc == intent_crc(intent);
}

std::uint64_t SegmentWriter::needed_from(StreamId stream) {
  if (recovered_ || !is_outstanding(*page_)) return tail(stream);
  const std::span<const Record> records = loaded_records_;
  const SegmentIndex before(records.first((*page_).slot));
  const auto local = before.local(stream);
  return local ? before.streams()[*local].tail : 0;
}

// Text behind the last record, and an intent page that has never been used: the batch was of a
// stream that no record names yet, and its ring and intent were lost in the middle of it.
Result<bool> SegmentWriter::has_text_without_ring() {
  if ((*page_).n != 0) return false;
  const auto active = world_.files.info(dir_.active_path());
  if (!active && active.error().code() != Errc::kNotFound) return active.error();
  return active && active->inode == index_.inode() && active->size_bytes > index_.file_end();
}

// The text of each record, from the ring and the record alone.
void SegmentWriter::render(InFlight& batch) {
  const std::span<const Record> records(batch.intent.records, batch.intent.n);
  std::vector<std::size_t> rendered_at(records.size(), std::string::npos);
  batch.parts.assign(records.size(), iovec{nullptr, 0});
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Record& r = records[i];
    if (r.record_type() == RecordType::kDropped) {
      rendered_at[i] = batch.rendered.size();
      batch.rendered += "[pmx] " + std::to_string(r.raw_end) + " lines were dropped until " +
                        iso_time(r.time_ns) + ": the disk was full\n";
    }
    if (r.record_type() != RecordType::kData) continue;
    const Attached* stream = attached(batch.streams[i]);
    PMX_CHECK(stream != nullptr);
    const std::string_view raw =
        world_.raw.raw_bytes(batch.streams[i], r.raw_end - r.raw_len, r.raw_len);
    const bool raw_text = stream->renderer.is_raw();
    if (raw_text && stream->renderer.redactor() == nullptr && !r.has(flags::kCut)) {
      batch.parts[i] = {const_cast<char*>(raw.data()), raw.size()};
      continue;
    }
    rendered_at[i] = batch.rendered.size();
    stream->renderer.append({.raw = raw,
                             .time_ns = r.time_ns,
                             .continues = r.has(flags::kContinues),
                             .partial = r.has(flags::kPartial) || r.has(flags::kCut),
                             .last = r.has(flags::kCut),
                             .kind = stream->binding.kind,
                             .worker = stream->binding.worker},
                            batch.rendered);
    if (raw_text && !merged_ && r.has(flags::kCut)) batch.rendered += '\n';  // A torn line.
    redactions_ += stream->renderer.take_redactions();
  }
  std::size_t end = batch.rendered.size();  // Views only now: the string has stopped growing.
  for (std::size_t i = records.size(); i-- > 0;) {
    if (rendered_at[i] == std::string::npos) continue;
    batch.parts[i] = {batch.rendered.data() + rendered_at[i], end - rendered_at[i]};
    end = rendered_at[i];
  }
  batch.total = 0;
  for (const iovec& part : batch.parts) batch.total += part.iov_len;
}

bool SegmentWriter::note_dropped(StreamId stream, std::uint64_t position, std::uint64_t lines,
                                 std::uint64_t size_bytes) {
  DropArea& drops = page_.drops();
  DropArea::Mark* free_mark = nullptr;
  for (DropArea::Mark& mark : drops.marks) {
    if (mark.stream == stream.value && mark.position == position) {
      free_mark = &mark;
      break;
    }
    if (mark.stream == 0 && free_mark == nullptr) free_mark = &mark;
  }
  if (free_mark == nullptr) return false;
  free_mark->position = position;
  free_mark->stream = stream.value;
  drops.lines += lines;
  drops.bytes += size_bytes;
  asm volatile("" ::: "memory");  // In the page before the bytes leave the pipe.
  return true;
}

std::optional<std::uint64_t> SegmentWriter::torn_at(StreamId stream) {
  for (DropArea::Mark& mark : page_.drops().marks) {
    if (mark.stream != stream.value) continue;
    if (mark.position > tail(stream)) return mark.position;
    mark.stream = 0;  // Recorded up to there.
  }
  return std::nullopt;
}

Result<void> SegmentWriter::record_dropped() {
  PMX_CHECK(settled_ && !in_flight_);
  PMX_TRY(look_at_active());
  PMX_TRY(reserve_records());
  DropArea& drops = page_.drops();
  InFlight batch;
  Record& r = batch.intent.records[0];
  r.type = static_cast<std::uint8_t>(RecordType::kDropped);
  r.raw_end = drops.lines;
  r.raw_len = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      (drops.bytes + 1023) / 1024, std::numeric_limits<std::uint32_t>::max()));
  r.lines = static_cast<std::uint16_t>(DropReason::kDiskFull);
  r.seq = index_.next_seq();
  bool stepped = false;
  r.time_ns = next_time(stepped);
  batch.intent.n = 1;
  batch.intent.segment = drops.segment = index_.segment();
  batch.intent.slot = drops.slot = index_.slots();
  batch.intent.begin = index_.file_end();
  batch.intent.crc = intent_crc(batch.intent);
  store_intent(batch.intent);
  batch.streams.push_back({});
  in_flight_ = std::move(batch);
  render(*in_flight_);  // Where it stays: the parts point into it.
  settled_ = false;
  return settle();
}

// After a cut in the middle of a batch: its records go into the new index, which binds streams
// anew.
void SegmentWriter::move_to_current_index(InFlight& batch) {
  Intent moved;
  moved.segment = index_.segment();
  moved.slot = index_.slots();
  moved.begin = index_.file_end();
  std::vector<StreamId> streams;
  std::vector<iovec> parts;
  SegmentIndex preview = index_;
  const auto add = [&](const Record& record, StreamId stream, iovec part) {
    moved.records[moved.n++] = record;
    preview.apply(record);
    streams.push_back(stream);
    parts.push_back(part);
  };
  for (std::uint32_t i = 0; i < batch.intent.n; ++i) {
    Record record = batch.intent.records[i];
    if (record.record_type() == RecordType::kStream) continue;
    if (record.record_type() == RecordType::kData) {
      if (!preview.local(batch.streams[i]))
        add(bind_record(attached(batch.streams[i])->binding, preview), batch.streams[i],
            {nullptr, 0});
      record.stream = *preview.local(batch.streams[i]);
    }
    add(record, batch.streams[i], batch.parts[i]);
  }
  batch.intent = moved;
  batch.streams = std::move(streams);
  batch.parts = std::move(parts);
}

// The DROPPED record is in the index: what it counts is no longer ours to tell.
void SegmentWriter::forget_recorded_drops() {
  DropArea& drops = page_.drops();
  if (drops.segment == 0 || drops.segment > index_.segment()) return;
  if (drops.segment == index_.segment() && index_.slots() <= drops.slot) return;
  drops.lines = drops.bytes = 0;
  drops.segment = 0;
}

}  // namespace pmx::rotate
