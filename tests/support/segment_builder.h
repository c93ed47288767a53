// Writes the index and text files of a log by hand, as docs/FORMATS.md has them, so that readers
// are tested against the format and not against our writer.
//
//   SegmentBuilder segment(home.dir(), 1);
//   const auto out = segment.stream(7, WorkerId{0}, StreamKind::kOut);
//   segment.data(out, "a\nb\n");
//   segment.write();                   // Index, and the active file.
//   segment.seal("2026-11-23T10-00-00Z");
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "model/log_spec.h"
#include "rotate/log_dir.h"
#include "rotate/segment_format.h"

namespace pmx::test {

class SegmentBuilder {
 public:
  struct Start {
    std::uint64_t seq = 1;
    std::int64_t time_ns = 1'000'000'000;
    std::uint64_t log_position = 0;
    std::uint32_t epoch = 0;
    std::uint8_t head_flags = 0;
  };
  struct Batch {
    std::uint8_t flags = 0;
    std::optional<std::int64_t> time_ns = {};  // nullopt: right behind the one before.
    SeverityCounts severities = {};
  };

  // What the active file has already stays in front of this segment's text.
  SegmentBuilder(const rotate::LogDir& dir, std::uint64_t segment, Start start);
  SegmentBuilder(const rotate::LogDir& dir, std::uint64_t segment)
      : SegmentBuilder(dir, segment, Start()) {}

  std::uint16_t stream(std::uint64_t id, WorkerId worker, StreamKind kind,
                       RenderSpec::Kind render = RenderSpec::Kind::kRaw);
  void data(std::uint16_t stream, std::string_view text) { data(stream, text, Batch()); }
  void data(std::uint16_t stream, std::string_view text, Batch batch);
  void end(std::uint16_t stream);
  void dropped(std::uint16_t stream, std::uint64_t lines, rotate::DropReason reason);
  void name(std::uint64_t number);

  // Both files as they are now; call again after more data. The text keeps its inode.
  void write();
  // write() with a SEAL, then the rename that follows it.
  void seal(const std::string& utc_stamp);
  void add_seal();  // The record alone.
  std::string sealed_path(const std::string& utc_stamp) const;

  Start next() const {
    return {seq_, time_ns_, log_position_ + text_.size(), epoch_};
  }  // For the segment behind it.
  const std::string& text() const { return text_; }
  const std::vector<rotate::Record>& records() const { return records_; }
  std::string index_bytes() const;

 private:
  void add(rotate::Record record);

  const rotate::LogDir& dir_;
  std::uint64_t segment_;
  std::uint64_t seq_, log_position_, number_ = 0;
  std::int64_t time_ns_;
  std::uint32_t epoch_;
  std::vector<rotate::Record> records_;
  std::size_t open_at_ = 0;  // The OPEN record, whose inode write() fills in.
  std::uint16_t streams_ = 0;
  std::string text_;
};

// Replaces the file's bytes, and keeps its inode.
void write_bytes(const std::string& path, std::string_view bytes);

}  // namespace pmx::test
