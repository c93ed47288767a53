// From whatever is on disk to a state that takes batches: the start path and recovery are this one.
//
// 1. The highest index with a valid HEAD is the current one; behind its last valid record it is cut
//    (nobody tails the state directory). 2. A SEAL at its end: the next index is still to be made.
//    No
// OPEN: the rename, the new active file or the OPEN record are. 3. An outstanding intent: the batch
// is rendered again from ring and intent, and what the file lacks of it is appended. 4. Without
// rings (both processes killed, or a new boot) the longest run of records that the file bears out
// is kept, whole lines behind it become recovered records, and a new epoch begins.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/json.h"
#include "base/sys.h"
#include "base/time_text.h"
#include "rotate/archive.h"
#include "rotate/segment_writer.h"

namespace pmx::rotate {
namespace {

constexpr std::size_t kMaxIndexBytes = (kMaxRecords + 1024) * kRecordBytes;
constexpr std::uint64_t kFoundBytes =
    16U << 20U;  // Of a file that was there before us, its end is indexed.
constexpr mode_t kLogPermissions = 0600;

Record record_of(RecordType type) {
  Record record;
  record.type = static_cast<std::uint8_t>(type);
  return record;
}

std::uint32_t seconds_now(const Clock& clock) {
  return static_cast<std::uint32_t>(clock.system_ns() / 1'000'000'000);
}

}  // namespace

Result<void> SegmentWriter::settle() {
  if (settled_) return {};
  if (!loaded_) PMX_TRY(load());
  if (index_.opened() && !recovered_) text_without_ring_ = PMX_TRY(has_text_without_ring());
  if (index_.opened() && !recovered_ && unclean()) {
    auto recovered = recover_without_rings();
    if (!recovered) return loaded_ = false, recovered;  // Again from what is on the disk by now.
    recovered_ = true;
  }
  if (index_.sealed()) PMX_TRY(start_next_index(index_.inode(), unclean() ? flags::kUnclean : 0));
  if (!index_.opened()) PMX_TRY(open_active());
  if (!active_) PMX_TRY(reopen_active());
  if (!recovered_) PMX_TRY(recover_tail());
  if (in_flight_) {
    if (in_flight_->intent.segment != index_.segment()) move_to_current_index(*in_flight_);
    PMX_TRY(finish());
  }
  settled_ = true;
  return {};
}

// The rings of some stream are gone, or the machine was started anew and the disk may lag behind.
bool SegmentWriter::unclean() const {
  if (text_without_ring_) return true;
  if (index_.opened() && index_.boot() != static_cast<std::uint32_t>(sys::boot_id_hash()))
    return true;
  return std::any_of(index_.streams().begin(), index_.streams().end(),
                     [this](const IndexedStream& s) {
                       return s.id.value != 0 && !s.ended && attached(s.id) == nullptr;
                     });
}

Result<void> SegmentWriter::load() {
  PMX_TRY(world_.state.make_directories(dir_.index_directory()));
  std::vector<std::uint64_t> segments = PMX_TRY(dir_.index_segments(world_.state));
  while (!segments.empty()) {
    const std::uint64_t segment = segments.back();
    const std::string path = dir_.index_path(segment);
    const std::string bytes = PMX_TRY(world_.state.read_file(path, kMaxIndexBytes));
    loaded_records_ = valid_records(bytes, segment);
    index_ = SegmentIndex(loaded_records_);
    if (!index_.empty()) {
      index_file_ = PMX_TRY(world_.state.open(path, OpenMode::kReadWrite));
      PMX_TRY(index_file_->truncate(index_.slots() * kRecordBytes));
      reserved_slots_ = 0;
      crash_point(CrashPoint::kRecoverIndexCut);
      loaded_ = true;
      return {};
    }
    // Named, yet empty or torn: a power loss ate it (ext4 protects only a rename over an old name).
    PMX_TRY(world_.state.remove(path));
    segments.pop_back();
  }
  PMX_TRY(first_index());
  loaded_ = true;
  return {};
}

// A new log, or one whose index is lost: numbers go on above those of every sealed file that is
// there.
Result<void> SegmentWriter::first_index() {
  PMX_TRY(world_.state.replace_file(dir_.index_directory() + "/log.json",
                                    Json::object({{"path", dir_.active_path()}}).dump()));
  Record head = record_of(RecordType::kHead);
  head.raw_end = 1;
  head.raw_len = seconds_now(world_.clock);
  head.file_len = kFormatVersion;
  head.flags = flags::kForeign;
  const auto sealed = dir_.sealed_files(world_.files);
  // A number that is in use twice would hide one of the two from readers. But a directory that
  // nobody may list is not to keep a worker from printing.
  if (!sealed && sealed.error().sys_errno() != EACCES) return sealed.error();
  if (sealed && !sealed->empty()) {
    head.raw_end = sealed->back().name.segment + 1;
    const auto archive = ArchiveReader::open(world_.files, sealed->back().path);
    if (archive && !(*archive)->records().empty()) {
      const SegmentIndex last((*archive)->records());
      head.file_end = last.base() + last.file_end();
      head.seq = last.next_seq();
      head.time_ns = last.last_time_ns();
    }
    notice("its index is gone: numbers go on after segment " +
           std::to_string(sealed->back().name.segment));
  }
  is_first_ = true;
  std::array records{head, record_of(RecordType::kPrev)};
  return write_index(head.raw_end, records);
}

Result<void> SegmentWriter::start_next_index(std::uint64_t previous_inode,
                                             std::uint8_t head_flags) {
  const SegmentIndex old = index_;
  std::vector<Record> records{record_of(RecordType::kHead), record_of(RecordType::kPrev)};
  Record& head = records[0];
  head.flags = head_flags;
  head.raw_end = old.segment() + 1;
  head.file_end = old.base() + old.file_end();
  head.seq = old.next_seq();
  head.time_ns = old.last_time_ns();
  head.raw_len = (head_flags & flags::kUnclean) != 0
                     ? std::max(old.epoch() + 1, seconds_now(world_.clock))
                     : old.epoch();
  head.file_len = kFormatVersion;
  head.data_sum =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(old.dropped_lines(), 0xFFFFFFFFU));
  records[1].raw_end = previous_inode;
  for (const IndexedStream& stream : old.streams()) {
    if (attached(stream.id) == nullptr) continue;  // Dropped by the keeper, or its ring is lost.
    Record bind = record_of(RecordType::kStream);
    bind.stream = static_cast<std::uint16_t>(records.size() - 2);
    bind.raw_end = stream.tail;
    bind.seq = stream.id.value;
    bind.raw_len = stream.worker.value;
    bind.lines = static_cast<std::uint16_t>(stream.kind);
    bind.data_sum = static_cast<std::uint32_t>(attached(stream.id)->binding.render.kind);
    bind.flags = static_cast<std::uint8_t>((stream.ended ? flags::kAtEnd : 0) |
                                           (stream.mid_line ? flags::kContinues : 0));
    records.push_back(bind);
  }
  return write_index(old.segment() + 1, records);
}

Result<void> SegmentWriter::write_index(std::uint64_t segment, std::span<Record> records) {
  for (Record& record : records) record.crc = record_crc(record, segment);
  const std::string path = dir_.index_path(segment);
  const std::string temporary = path + ".tmp";
  (void)world_.state.remove(temporary);  // A leftover of a death in here.
  auto file = PMX_TRY(world_.state.open(temporary, OpenMode::kCreateNew));
  const std::string_view bytes = bytes_of(records);
  if (crash_due(CrashPoint::kNewIndexHalf)) {
    (void)file->pwrite_all(bytes.substr(0, bytes.size() / 2), 0);
    crash_points::die();
  }
  PMX_TRY(file->pwrite_all(bytes, 0));
  crash_point(CrashPoint::kNewIndexWhole);
  PMX_TRY(world_.state.rename(temporary, path));
  index_file_ = std::move(file);
  index_ = SegmentIndex(records);
  reserved_slots_ = 0;
  recovered_ = true;  // Nothing can be outstanding in an index that has no batch yet.
  loaded_records_.clear();
  text_without_ring_ = false;
  crash_point(CrashPoint::kNewIndexNamed);
  return {};
}

Result<void> SegmentWriter::rename_to_sealed() {
  if (index_.previous_inode() == 0) return {};
  const auto active = world_.files.info(dir_.active_path());
  if (!active && active.error().code() != Errc::kNotFound) return active.error();
  SealedName name{index_.segment() - 1, utc_file_stamp(index_.head_time_ns()), index_.name_number(),
                  Compression::kNone};
  if (active && active->inode == index_.previous_inode()) {
    for (;;) {
      const auto renamed = world_.files.rename_new(dir_.active_path(), dir_.sealed_path(name));
      if (renamed) break;
      if (renamed.error().code() != Errc::kExists) return renamed.error();
      Record other =
          record_of(RecordType::kName);  // Somebody's file has the name: ours gets a number.
      other.raw_end = name.number = std::max<std::uint64_t>(name.number + 1, 2);
      PMX_TRY(control(other, CrashPoint::kCount, CrashPoint::kCount));
    }
    crash_point(CrashPoint::kAfterRename);
  }
  sealed_.push_back({name.segment, name});
  return {};
}

Result<void> SegmentWriter::open_active() {
  PMX_TRY(rename_to_sealed());
  active_.reset();
  auto file = world_.files.open(dir_.active_path(), OpenMode::kAppend, kLogPermissions);
  if (!file && file.error().code() == Errc::kNotFound) {
    const std::string& path = dir_.active_path();
    PMX_TRY(world_.files.make_directories(path.substr(0, path.rfind('/')), 0700));
    file = world_.files.open(path, OpenMode::kAppend, kLogPermissions);
  }
  if (!file) return std::move(file).error();
  active_ = std::move(file).value();
  crash_point(CrashPoint::kAfterCreate);
  const FileInfo info = PMX_TRY(active_->info());
  if (!info.is_regular)
    return invalid(dir_.active_path() +
                   " is not a regular file: give another path as out_file or error_file");
  const bool index_found_text = is_first_ && info.size_bytes > 0;
  Record open = record_of(RecordType::kOpen);
  open.raw_end = info.inode;
  open.file_end = index_found_text && info.size_bytes > kFoundBytes
                      ? info.size_bytes - kFoundBytes
                      : (index_found_text ? 0 : info.size_bytes);
  open.time_ns = world_.clock.system_ns();
  open.data_sum = static_cast<std::uint32_t>(sys::boot_id_hash());
  PMX_TRY(control(open, CrashPoint::kOpenHalf, CrashPoint::kAfterOpen));
  if (index_found_text) PMX_TRY(index_found_lines(index_.file_end(), false));
  is_first_ = false;
  recovered_ = true;
  return {};
}

Result<void> SegmentWriter::reopen_active() {
  const auto found = world_.files.info(dir_.active_path());
  if (!found && found.error().code() != Errc::kNotFound) return found.error();
  if (found && found->inode == index_.inode()) {
    active_ = PMX_TRY(world_.files.open(dir_.active_path(), OpenMode::kAppend, kLogPermissions));
    crash_point(CrashPoint::kRecoverLogOpened);
    return {};
  }
  notice("was moved or deleted by somebody else: a new file is begun");
  PMX_TRY(start_next_index(
      0, static_cast<std::uint8_t>(flags::kCut | (unclean() ? flags::kUnclean : 0))));
  return open_active();
}

Result<void> SegmentWriter::recover_tail() {
  const Intent outstanding = *page_;
  if (is_outstanding(outstanding)) {
    PMX_TRY(redo(outstanding));
  } else {
    const FileInfo now = PMX_TRY(active_->info());
    if (now.size_bytes < index_.file_end()) {
      notice("was truncated by somebody else while no daemon ran");
      PMX_TRY(cut(Cut::kTruncated));
    } else {
      index_.skip_to(now.size_bytes);
    }
  }
  loaded_records_.clear();
  forget_recorded_drops();
  recovered_ = true;
  return {};
}

// Makes the dead daemon's batch ours, at the byte where the file ends.
Result<void> SegmentWriter::redo(const Intent& outstanding) {
  index_ = SegmentIndex(
      std::span(loaded_records_).first(outstanding.slot));  // A group is written whole.
  InFlight& batch = in_flight_.emplace();
  batch.intent = outstanding;
  batch.redo = true;
  SegmentIndex preview = index_;
  for (std::uint32_t i = 0; i < outstanding.n; ++i) {
    const Record& record = outstanding.records[i];
    preview.apply(record);
    const bool of_stream =
        record.record_type() == RecordType::kData || record.record_type() == RecordType::kStream;
    batch.streams.push_back(of_stream && record.stream < preview.streams().size()
                                ? preview.streams()[record.stream].id
                                : StreamId());
    if (of_stream && attached(batch.streams.back()) == nullptr)
      return in_flight_.reset(),
             corrupt("the intent of " + dir_.active_path() + " names a stream that nobody holds");
  }
  render(batch);
  const FileInfo now = PMX_TRY(active_->info());
  if (now.size_bytes < batch.intent.begin) {
    notice("was truncated by somebody else while no daemon ran");
    PMX_TRY(cut(Cut::kTruncated));
    move_to_current_index(batch);
    batch.redo = false;
  } else {
    std::string found(now.size_bytes - batch.intent.begin, '\0');
    auto reader = PMX_TRY(world_.files.open(dir_.active_path(), OpenMode::kRead, 0));
    found.resize(PMX_TRY(reader->pread_all(found, batch.intent.begin)));
    std::string wanted;
    for (const iovec& part : batch.parts)
      wanted.append(static_cast<const char*>(part.iov_base), part.iov_len);
    if (wanted.starts_with(found)) {
      batch.written = found.size();
    } else {  // Not ours: it stays, and the whole batch comes behind it.
      batch.intent.begin = now.size_bytes;
    }
  }
  return {};
}

Result<void> SegmentWriter::recover_without_rings() {
  auto file = world_.files.open(dir_.active_path(), OpenMode::kReadWrite, kLogPermissions);
  if (!file) return std::move(file).error();
  const FileInfo info = PMX_TRY((*file)->info());
  std::size_t good = 0;
  bool bears_out = info.inode == index_.inode();
  std::string text;
  for (; bears_out && good < loaded_records_.size(); ++good) {
    const Record& r = loaded_records_[good];
    if (r.record_type() != RecordType::kData && r.record_type() != RecordType::kDropped) continue;
    text.resize(r.file_len);
    bears_out = r.file_end <= info.size_bytes &&
                PMX_TRY((*file)->pread_all(text, r.file_end - r.file_len)) == r.file_len &&
                data_sum(text) == r.data_sum;
    if (!bears_out) break;
  }
  if (info.inode != index_.inode()) return {};  // Another file: reopen_active() begins a new one.
  if (good < loaded_records_.size()) {
    notice("its last " + std::to_string(loaded_records_.size() - good) +
           " batches are not in the file as recorded");
    index_ = SegmentIndex(std::span(loaded_records_).first(good));
    PMX_TRY(index_file_->truncate(good * kRecordBytes));
  }
  const bool half_line_recorded = index_.mid_line();
  active_ = PMX_TRY(world_.files.open(dir_.active_path(), OpenMode::kAppend, kLogPermissions));
  PMX_TRY(index_found_lines(index_.file_end(), !half_line_recorded));
  notice(
      "what was in memory when keeper and daemon both ended is lost: at most 2 MiB of each stream");
  if (index_.sealed()) return {};
  Record seal = record_of(RecordType::kSeal);
  seal.file_end = index_.file_end();
  seal.seq = index_.next_seq();
  seal.time_ns = index_.last_time_ns();
  return control(seal, CrashPoint::kSealHalf, CrashPoint::kAfterSeal);
}

// Describes whole lines that are in the file behind `from` and in no record. The half line at the
// end is cut off where `cut_half_line`: its rest was in a ring and is lost, and half a line
// misleads.
Result<void> SegmentWriter::index_found_lines(std::uint64_t from, bool cut_half_line) {
  auto reader = PMX_TRY(world_.files.open(dir_.active_path(), OpenMode::kRead, 0));
  const FileInfo info = PMX_TRY(reader->info());
  std::string text;
  std::uint64_t at = from;
  std::int64_t time_ns = std::max(info.modified_ns, index_.last_time_ns() + 1);
  while (at < info.size_bytes) {
    text.resize(std::min<std::uint64_t>(kMaxBatchBytes, info.size_bytes - at));
    text.resize(PMX_TRY(reader->pread_all(text, at)));
    std::size_t end = 0;
    std::uint32_t lines = 0;
    for (std::size_t newline = text.find('\n');
         newline != std::string::npos && lines < kMaxBatchLines; newline = text.find('\n', end)) {
      end = newline + 1;
      ++lines;
    }
    if (end == 0 && text.size() == kMaxBatchBytes)
      end = text.size(), lines = 1;  // One very long line: a piece.
    if (end == 0) break;
    Record found = record_of(RecordType::kData);
    found.flags = flags::kRecovered | flags::kUnparsed;
    if (text[end - 1] != '\n') found.flags |= flags::kPartial;
    found.stream = 0xFFFF;
    found.file_len = static_cast<std::uint32_t>(end);
    found.file_end = at + end;
    found.seq = index_.next_seq();
    found.time_ns = std::max(time_ns, index_.last_time_ns() + 1);
    found.lines = static_cast<std::uint16_t>(lines);
    found.data_sum = data_sum(std::string_view(text).substr(0, end));
    PMX_TRY(control(found, CrashPoint::kCount, CrashPoint::kCount));
    at += end;
  }
  if (at < info.size_bytes && cut_half_line) {
    auto file =
        PMX_TRY(world_.files.open(dir_.active_path(), OpenMode::kReadWrite, kLogPermissions));
    PMX_TRY(file->truncate(at));
    notice("half a line of " + std::to_string(info.size_bytes - at) +
           " bytes at its end was cut off");
  } else if (at < info.size_bytes) {
    index_.skip_to(info.size_bytes);
  }
  return {};
}

}  // namespace pmx::rotate
