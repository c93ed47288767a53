#include "rotate/segment_index.h"

#include <algorithm>

namespace pmx::rotate {

void SegmentIndex::bind(const Record& record) {
  if (streams_.size() <= record.stream) streams_.resize(record.stream + 1U);
  IndexedStream& stream = streams_[record.stream];
  stream.id = {record.seq};
  stream.worker = {record.raw_len};
  stream.kind = static_cast<StreamKind>(record.lines);
  stream.tail = record.raw_end;
  stream.ended = record.has(flags::kAtEnd);
  stream.mid_line = record.has(flags::kContinues);
}

void SegmentIndex::apply(const Record& record) {
  ++slots_;
  switch (record.record_type()) {
    case RecordType::kHead:
      segment_ = record.raw_end;
      base_ = record.file_end;
      next_seq_ = record.seq;
      last_time_ns_ = head_time_ns_ = record.time_ns;
      epoch_ = record.raw_len;
      dropped_lines_ = record.data_sum;
      break;
    case RecordType::kPrev:
      previous_inode_ = record.raw_end;
      break;
    case RecordType::kStream:
      bind(record);
      break;
    case RecordType::kOpen:
      opened_ = true;
      inode_ = record.raw_end;
      file_end_ = record.file_end;
      boot_ = record.data_sum;
      break;
    case RecordType::kData:
      file_end_ = record.file_end;
      next_seq_ = record.seq + record.lines;
      last_time_ns_ = record.time_ns + std::max<int>(record.lines, 1) - 1;
      if (record.file_len > 0) mid_line_ = record.has(flags::kPartial) && !record.has(flags::kCut);
      if (record.stream < streams_.size() && !record.has(flags::kRecovered)) {
        streams_[record.stream].tail = record.raw_end;
        streams_[record.stream].mid_line = record.has(flags::kPartial);
      }
      break;
    case RecordType::kSeal:
      sealed_ = true;
      break;
    case RecordType::kEnd:
      if (record.stream < streams_.size()) streams_[record.stream].ended = true;
      break;
    case RecordType::kName:
      name_number_ = record.raw_end;
      break;
    case RecordType::kDropped:
      dropped_lines_ += record.raw_end;
      next_seq_ = record.seq + record.raw_end;
      if (record.file_len > 0) file_end_ = record.file_end;
      last_time_ns_ = std::max(last_time_ns_, record.time_ns);
      break;
  }
}

std::optional<std::uint16_t> SegmentIndex::local(StreamId id) const {
  for (std::size_t i = 0; i < streams_.size(); ++i)
    if (streams_[i].id == id) return static_cast<std::uint16_t>(i);
  return std::nullopt;
}

}  // namespace pmx::rotate
