#include "rotate/segment_reader.h"

#include <algorithm>
#include <cstring>

#include "rotate/internal/segment_text.h"

namespace pmx::rotate {
namespace {

constexpr std::uint64_t kBlockRecords = 1024;
constexpr std::uint64_t kWindowBytes = 64U << 10U;
// An archive is decoded in whole frames: asking for less decodes the same frame again and again.
constexpr std::uint64_t kArchiveWindowBytes = 1U << 20U;
// What a writer can make of kMaxBatchBytes (JSON escapes grow sixfold), generously.
constexpr std::uint64_t kMaxRecordTextBytes = 64U << 20U;
constexpr int kTries = 3;

}  // namespace

SegmentReader::SegmentReader(Fs& fs, const LogDir& dir, std::uint64_t segment)
    : fs_(fs), dir_(dir), segment_(segment) {}
SegmentReader::~SegmentReader() = default;

Result<std::unique_ptr<SegmentReader>> SegmentReader::open(Fs& fs, const LogDir& dir,
                                                           std::uint64_t segment) {
  std::unique_ptr<SegmentReader> reader(new SegmentReader(fs, dir, segment));
  if (!PMX_TRY(reader->open_index())) PMX_TRY(reader->open_without_index());
  return reader;
}

Result<std::unique_ptr<SegmentReader>> SegmentReader::open_unindexed(Fs& fs, const LogDir& dir) {
  std::unique_ptr<SegmentReader> reader(new SegmentReader(fs, dir, 0));
  reader->kind_ = Text::kFramed;
  reader->text_ = std::make_unique<SegmentText>(PMX_TRY(open_active_text(fs, dir, 0)));
  PMX_TRY(reader->refresh_framed());
  return reader;
}

// False: there is no index that begins with this segment's HEAD.
Result<bool> SegmentReader::open_index() {
  auto file = fs_.open(dir_.index_path(segment_), OpenMode::kRead);
  if (!file && file.error().code() == Errc::kNotFound) return false;
  index_ = PMX_TRY(std::move(file));
  PMX_TRY(refresh());
  if (count_ > 0) return true;
  index_.reset();
  return false;
}

Result<void> SegmentReader::open_without_index() {
  SealedText found = PMX_TRY(open_sealed_text(fs_, dir_, segment_, 0, 0));
  text_ = std::make_unique<SegmentText>(std::move(found.text));
  sealed_ = true;
  if (text_->archive() != nullptr && !text_->archive()->records().empty()) {
    adopt(text_->archive()->records());
    return {};
  }
  kind_ = Text::kFramed;
  RecoveredRange range;
  range.end = PMX_TRY(text_->size_bytes());
  range.time_ns = time_of_stamp(found.file.name.utc_stamp).value_or(found.file.info.modified_ns);
  adopt(PMX_TRY(recovered_records(*text_, range)));
  return {};
}

// Times of lines that nobody stamped: the file's own, and increasing.
Result<bool> SegmentReader::refresh_framed() {
  const auto now = fs_.info(dir_.active_path());
  RecoveredRange range;
  range.begin = data_end_;
  range.end = PMX_TRY(text_->size_bytes());
  range.to_the_end = false;
  if (now) range.time_ns = now->modified_ns;
  if (!block_.empty()) {
    const Record& last = block_.back();
    range.seq = last.seq + last.lines;
    range.time_ns = std::max(range.time_ns, last.time_ns + last.lines);
  }
  const std::uint64_t before = count_;
  if (range.end > range.begin) adopt(PMX_TRY(recovered_records(*text_, range)));
  const bool replaced = now && (now->inode != text_->inode() || range.end < range.begin);
  if (count_ > before || !replaced) return count_ > before;
  text_ = std::make_unique<SegmentText>(PMX_TRY(open_active_text(fs_, dir_, 0)));
  data_end_ = window_size_ = 0;
  range.begin = 0;
  range.end = PMX_TRY(text_->size_bytes());
  adopt(PMX_TRY(recovered_records(*text_, range)));
  return count_ > before;
}

void SegmentReader::adopt(std::vector<Record> records) {
  for (const Record& record : records) note(record, count_++);
  block_.insert(block_.end(), records.begin(), records.end());
}

Result<bool> SegmentReader::refresh() {
  if (!index_) return sealed_ ? Result<bool>(false) : refresh_framed();
  const std::uint64_t before = count_;
  for (bool more = true; more && !sealed_;) {
    std::vector<Record> block(kBlockRecords);
    char* const bytes = reinterpret_cast<char*>(block.data());
    const std::size_t n = PMX_TRY(
        index_->pread_all(std::span(bytes, kBlockRecords * kRecordBytes), count_ * kRecordBytes));
    std::size_t good = 0;
    for (; good < n / kRecordBytes && valid(block[good], segment_); ++good) {
      const bool head =
          block[good].record_type() == RecordType::kHead && block[good].raw_end == segment_;
      if (count_ + good == 0 && !head) break;
      note(block[good], count_ + good);
    }
    invalid_bytes_ = n - good * kRecordBytes;
    more = good == kBlockRecords;
    if (good == 0) break;
    block.resize(good);
    block_first_ = count_;
    block_ = std::move(block);
    count_ += good;
  }
  return count_ > before;
}

void SegmentReader::note(const Record& record, std::uint64_t number) {
  switch (record.record_type()) {
    case RecordType::kHead:
      epoch_ = record.raw_len;
      first_seq_ = record.seq;
      foreign_ = record.has(flags::kForeign);
      break;
    case RecordType::kStream:
      streams_.emplace_back(number, record);
      if (record.has(flags::kAtEnd))
        open_streams_.erase(record.stream);
      else
        open_streams_.insert(record.stream);
      break;
    case RecordType::kEnd:
      open_streams_.erase(record.stream);
      break;
    case RecordType::kOpen:
      inode_ = record.raw_end;
      break;
    case RecordType::kName:
      name_number_ = record.raw_end;
      break;
    case RecordType::kSeal:
      sealed_ = true;
      break;
    case RecordType::kData: {
      data_end_ = record.file_end;
      const std::int64_t last = record.time_ns + std::max<std::int64_t>(record.lines, 1) - 1;
      if (latest_.empty() || number >= latest_.back().first + kBlockRecords)
        latest_.emplace_back(number,
                             latest_.empty() ? last : std::max(last, latest_.back().second));
      else
        latest_.back().second = std::max(latest_.back().second, last);
      break;
    }
    default:
      break;
  }
}

std::string SegmentReader::damage() const {
  if (invalid_bytes_ < kRecordBytes) return {};
  return dir_.index_path(segment_) + ": record " + std::to_string(count_) +
         " is damaged: the lines behind it are not shown";
}

Result<Record> SegmentReader::record(std::uint64_t number) {
  if (number >= block_first_ && number < block_first_ + block_.size())
    return block_[number - block_first_];
  if (!index_ || number >= count_) return corrupt("no record " + std::to_string(number));
  // Walking back, the block ends with the record that is asked for.
  const bool back = number < block_first_;
  const std::uint64_t first = back ? number - std::min(number, kBlockRecords - 1) : number;
  std::vector<Record> block(std::min(kBlockRecords, count_ - first));
  char* const bytes = reinterpret_cast<char*>(block.data());
  const std::size_t n = PMX_TRY(
      index_->pread_all(std::span(bytes, block.size() * kRecordBytes), first * kRecordBytes));
  if (n != block.size() * kRecordBytes || !valid(block[number - first], segment_))
    return corrupt(dir_.index_path(segment_) + " was cut while it was read");
  block_first_ = first;
  block_ = std::move(block);
  return block_[number - first];
}

SegmentReader::Source SegmentReader::source_of(const Record& record, std::uint64_t number) const {
  Source source;
  source.found = found(record, number);
  for (const auto& [at, stream] : streams_) {
    if (at > number) break;
    if (stream.stream != record.stream) continue;
    source.stream = {stream.seq};
    source.worker = {stream.raw_len};
    source.kind = stream.lines == static_cast<std::uint16_t>(StreamKind::kErr) ? StreamKind::kErr
                                                                               : StreamKind::kOut;
    source.render = static_cast<RenderSpec::Kind>(stream.data_sum);
  }
  return source;
}

// What a log's file had at the very start is recorded before any stream is bound. What recovery
// finds later, behind the last record, is ours.
Found SegmentReader::found(const Record& record, std::uint64_t number) const {
  if (framed()) return Found::kUnindexed;
  if (!record.has(flags::kRecovered)) return Found::kCaptured;
  const bool at_start = streams_.empty() || streams_.front().first > number;
  return foreign_ && at_start ? Found::kForeign : Found::kRecovered;
}

Result<std::uint64_t> SegmentReader::first_record_at(std::int64_t time_ns) {
  const auto block = std::find_if(latest_.begin(), latest_.end(),
                                  [&](const auto& entry) { return entry.second >= time_ns; });
  if (block == latest_.end()) return count_;
  for (std::uint64_t number = block->first; number < count_; ++number) {
    const Record at = PMX_TRY(record(number));
    if (at.record_type() == RecordType::kData &&
        at.time_ns + std::max<std::int64_t>(at.lines, 1) > time_ns)
      return number;
  }
  return count_;
}

// DATA and DROPPED records carry numbers, in order; between them are few others.
Result<std::uint64_t> SegmentReader::first_record_with(std::uint64_t seq) {
  std::uint64_t low = 0, high = count_;
  while (low < high) {
    std::uint64_t at = low + (high - low) / 2;
    const std::uint64_t middle = at;
    std::optional<std::uint64_t> end;  // Behind the first numbered record from the middle on.
    for (; at < high && !end; ++at) {
      const Record record = PMX_TRY(this->record(at));
      if (record.record_type() == RecordType::kData) end = record.seq + record.lines;
      if (record.record_type() == RecordType::kDropped) end = record.seq + record.raw_end;
    }
    if (end && *end <= seq)
      low = at;
    else
      high = middle;
  }
  return low;
}

// Rotation and packing may rename the file between our look at the index and at the directory: the
// names are tried again, with what the index says then.
Result<void> SegmentReader::open_text() {
  Error last(Errc::kNotFound,
             "segment " + std::to_string(segment_) + " of " + dir_.active_path() + " is gone");
  for (int tries = 0; tries < kTries; ++tries) {
    // A sealed segment's file may still be called active for a moment, but inode numbers are used
    // again: for it the sealed names come first.
    for (const bool active : {!sealed_, sealed_}) {
      if (active && inode_ == 0) continue;  // Not opened yet, so nothing is in it.
      if (active) {
        auto text = open_active_text(fs_, dir_, inode_);
        if (text)
          text_ = std::make_unique<SegmentText>(std::move(*text));
        else
          last = std::move(text).error();
      } else {
        auto sealed = open_sealed_text(fs_, dir_, segment_, inode_, name_number_);
        if (sealed)
          text_ = std::make_unique<SegmentText>(std::move(sealed->text));
        else
          last = std::move(sealed).error();
      }
      if (text_) return {};
      if (retryable(last)) return last;
    }
    (void)
        refresh();  // A SEAL or NAME that came meanwhile helps; without it the names are the same.
  }
  return last;
}

Result<void> SegmentReader::load_window(std::uint64_t begin, std::uint64_t end) {
  std::uint64_t ahead = begin + kWindowBytes;
  if (text_->archive() != nullptr) ahead = (begin / kArchiveWindowBytes + 1) * kArchiveWindowBytes;
  ahead = std::min(ahead, data_end_);  // Behind it the writer may be at work.
  window_size_ = 0;
  PMX_TRY(text_->read(begin, std::max(end, ahead) - begin, window_));
  window_begin_ = begin;
  window_size_ = window_.size();
  window_.append(kReadablePastEnd, '\0');
  return {};
}

Result<std::string_view> SegmentReader::text(const Record& record) {
  const std::uint64_t end = record.file_end;
  if (record.file_len > end || record.file_len > kMaxRecordTextBytes)
    return corrupt(dir_.index_path(segment_) + ": a record of an impossible length");
  const std::uint64_t begin = end - record.file_len;
  if (!text_) PMX_TRY(open_text());
  if (begin < window_begin_ || end > window_begin_ + window_size_) PMX_TRY(load_window(begin, end));
  if (end > window_begin_ + window_size_)
    return corrupt(text_->path() + " was cut at byte " +
                   std::to_string(window_begin_ + window_size_));
  const auto bytes = std::string_view(window_).substr(begin - window_begin_, record.file_len);
  if (data_sum(bytes) != record.data_sum)
    return corrupt(text_->path() + ": the bytes from " + std::to_string(begin) +
                   " on are not the ones that were written");
  return bytes;
}

void SegmentReader::release_memory() {
  window_.clear();
  window_.shrink_to_fit();
  window_size_ = 0;
  if (!index_) return;  // The only copy.
  block_.clear();
  block_.shrink_to_fit();
}

void SegmentReader::close_files() {
  if (!index_) return;  // What is read from block_ alone has one file, and nothing comes of it.
  release_memory();
  index_.reset();
  text_.reset();
  closed_ = true;
}

Result<void> SegmentReader::take_up() {
  if (!closed_) return {};
  auto index = PMX_TRY(fs_.open(dir_.index_path(segment_), OpenMode::kRead));
  Record head;
  const std::size_t n =
      PMX_TRY(index->pread_all(std::span(reinterpret_cast<char*>(&head), kRecordBytes), 0));
  if (n != kRecordBytes || !valid(head, segment_) || head.raw_len != epoch_ ||
      head.seq != first_seq_)
    return Error(Errc::kNotFound, dir_.index_path(segment_) + " is another one now");
  index_ = std::move(index);
  closed_ = false;
  return {};
}

std::optional<std::int64_t> time_before_segment(Fs& fs, const LogDir& dir, std::uint64_t segment) {
  auto file = fs.open(dir.index_path(segment), OpenMode::kRead);
  if (!file) return std::nullopt;
  Record head;
  const auto n = (*file)->pread_all(std::span(reinterpret_cast<char*>(&head), kRecordBytes), 0);
  if (!n || *n != kRecordBytes || !valid(head, segment) || head.record_type() != RecordType::kHead)
    return std::nullopt;
  return head.time_ns;
}

}  // namespace pmx::rotate
