// What the records of one index add up to: the state from which the writer goes on.
//
// Invariants: slots() records are in the file; file_end() is the end of the last described byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/ids.h"
#include "model/log_spec.h"
#include "rotate/segment_format.h"

namespace pmx::rotate {

struct IndexedStream {
  StreamId id;
  WorkerId worker;
  StreamKind kind = StreamKind::kOut;
  std::uint64_t tail = 0;  // Stream position up to which everything is recorded.
  bool mid_line = false;   // Its last record was partial.
  bool ended = false;
};

class SegmentIndex {
 public:
  SegmentIndex() = default;
  explicit SegmentIndex(std::span<const Record> records) {
    for (const Record& record : records) apply(record);
  }
  void apply(const Record& record);

  bool empty() const { return slots_ == 0; }
  std::uint64_t segment() const { return segment_; }
  std::uint64_t slots() const { return slots_; }
  std::uint64_t base() const { return base_; }  // Log position of the file's first byte.
  std::uint64_t file_end() const { return file_end_; }
  std::uint64_t next_seq() const { return next_seq_; }
  std::int64_t last_time_ns() const { return last_time_ns_; }
  std::uint32_t epoch() const { return epoch_; }
  std::uint64_t dropped_lines() const { return dropped_lines_; }
  std::uint64_t inode() const { return inode_; }  // Of the open active file.
  std::uint64_t previous_inode() const { return previous_inode_; }
  std::uint64_t name_number() const { return name_number_; }
  std::int64_t head_time_ns() const { return head_time_ns_; }
  std::uint32_t boot() const { return boot_; }
  bool opened() const { return opened_; }
  bool sealed() const { return sealed_; }
  bool mid_line() const { return mid_line_; }  // The file ends in the middle of a line.

  const std::vector<IndexedStream>& streams() const { return streams_; }
  std::optional<std::uint16_t> local(StreamId id) const;
  // Foreign bytes behind the last record belong to nobody: our next batch begins after them.
  void skip_to(std::uint64_t file_end) { file_end_ = file_end; }

 private:
  void bind(const Record& record);

  std::uint64_t segment_ = 0, slots_ = 0, base_ = 0, file_end_ = 0, next_seq_ = 0;
  std::uint64_t dropped_lines_ = 0, inode_ = 0, previous_inode_ = 0, name_number_ = 0;
  std::int64_t last_time_ns_ = 0, head_time_ns_ = 0;
  std::uint32_t epoch_ = 0, boot_ = 0;
  bool opened_ = false, sealed_ = false, mid_line_ = false;
  std::vector<IndexedStream> streams_;
};

}  // namespace pmx::rotate
