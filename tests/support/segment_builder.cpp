#include "support/segment_builder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "base/sys.h"

namespace pmx::test {

using rotate::Record;
using rotate::RecordType;

void write_bytes(const std::string& path, std::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  const auto fd = sys::open(path, O_WRONLY | O_CREAT, 0640);
  PMX_CHECK(fd && sys::write_all(fd->get(), bytes));
  PMX_CHECK(::ftruncate(fd->get(), static_cast<off_t>(bytes.size())) == 0);
}

SegmentBuilder::SegmentBuilder(const rotate::LogDir& dir, std::uint64_t segment, Start start)
    : dir_(dir),
      segment_(segment),
      seq_(start.seq),
      log_position_(start.log_position),
      time_ns_(start.time_ns),
      epoch_(start.epoch) {
  Record head;
  head.type = static_cast<std::uint8_t>(RecordType::kHead);
  head.raw_end = segment;
  head.file_end = start.log_position;
  head.seq = start.seq;
  head.time_ns = start.time_ns - 1;
  head.file_len = rotate::kFormatVersion;
  head.raw_len = start.epoch;
  head.flags = start.head_flags;
  add(head);
  Record prev;
  prev.type = static_cast<std::uint8_t>(RecordType::kPrev);
  add(prev);
  Record open;
  open.type = static_cast<std::uint8_t>(RecordType::kOpen);
  open.time_ns = start.time_ns;
  open_at_ = records_.size();
  add(open);
}

void SegmentBuilder::add(Record record) {
  record.crc = record_crc(record, segment_);
  records_.push_back(record);
}

std::uint16_t SegmentBuilder::stream(std::uint64_t id, WorkerId worker, StreamKind kind,
                                     RenderSpec::Kind render) {
  Record record;
  record.type = static_cast<std::uint8_t>(RecordType::kStream);
  record.stream = streams_++;
  record.seq = id;
  record.raw_len = worker.value;
  record.lines = static_cast<std::uint16_t>(kind);
  record.data_sum = static_cast<std::uint32_t>(render);
  add(record);
  return record.stream;
}

void SegmentBuilder::data(std::uint16_t stream, std::string_view text, Batch batch) {
  text_ += text;
  Record record;
  record.type = static_cast<std::uint8_t>(RecordType::kData);
  record.flags = batch.flags;
  record.stream = stream;
  record.file_end = text_.size();
  record.seq = seq_;
  record.time_ns = batch.time_ns.value_or(time_ns_);
  record.raw_len = record.file_len = static_cast<std::uint32_t>(text.size());
  record.data_sum = rotate::data_sum(text);
  const auto newlines = std::count(text.begin(), text.end(), '\n');
  record.lines =
      static_cast<std::uint16_t>(newlines + (!text.empty() && text.back() != '\n' ? 1 : 0));
  record.severities = batch.severities;
  add(record);
  seq_ += record.lines;
  time_ns_ = record.time_ns + record.lines;
}

void SegmentBuilder::end(std::uint16_t stream) {
  Record record;
  record.type = static_cast<std::uint8_t>(RecordType::kEnd);
  record.stream = stream;
  add(record);
}

void SegmentBuilder::dropped(std::uint16_t stream, std::uint64_t lines, rotate::DropReason reason) {
  Record record;
  record.type = static_cast<std::uint8_t>(RecordType::kDropped);
  record.stream = stream;
  record.raw_end = lines;
  record.file_end = text_.size();
  record.seq = seq_;
  record.time_ns = time_ns_++;
  record.lines = static_cast<std::uint16_t>(reason);
  add(record);
}

void SegmentBuilder::name(std::uint64_t number) {
  Record record;
  record.type = static_cast<std::uint8_t>(RecordType::kName);
  record.raw_end = number_ = number;
  add(record);
}

void SegmentBuilder::add_seal() {
  Record record;
  record.type = static_cast<std::uint8_t>(RecordType::kSeal);
  record.file_end = text_.size();
  record.seq = seq_;
  record.time_ns = time_ns_ - 1;
  add(record);
}

// In the writer's order: a text without an index would be read as somebody else's.
void SegmentBuilder::write() {
  const std::string index = dir_.index_path(segment_);
  if (!std::filesystem::exists(index))
    write_bytes(index, rotate::bytes_of(std::span(records_).first(open_at_)));
  write_bytes(dir_.active_path(), text_);
  struct stat st {};
  PMX_CHECK(::stat(dir_.active_path().c_str(), &st) == 0);
  Record& open = records_[open_at_];
  open.raw_end = st.st_ino;
  open.crc = record_crc(open, segment_);
  write_bytes(index, index_bytes());
}

void SegmentBuilder::seal(const std::string& utc_stamp) {
  add_seal();
  write();
  std::filesystem::rename(dir_.active_path(), sealed_path(utc_stamp));
}

std::string SegmentBuilder::sealed_path(const std::string& utc_stamp) const {
  return dir_.sealed_path({segment_, utc_stamp, number_, Compression::kNone});
}

std::string SegmentBuilder::index_bytes() const { return std::string(rotate::bytes_of(records_)); }

}  // namespace pmx::test
