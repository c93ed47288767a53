// One segment as it can be read: its records, and their text wherever it is now.
//
// Owns:       the open index and text. Once open they stay readable, whatever rotation, packing and
//             retention do to their names.
// Thread:     any, one at a time.
// Invariants: records() only grows. text() gives bytes whose sum is the record's, or an error.
// Errors:     open(): kNotFound where there is neither index nor text. text(): kCorrupt for bytes
// that
//             are cut or changed, kNotFound for a file that is gone: other records may still be
//             read.
// Bounds:     64 KiB of records and 64 KiB of text at a time (1 MiB of an archive, or one batch).
// Format:     docs/FORMATS.md, "Segment".
//
// Where the index is lost or has no HEAD, an archive's own records are used; where there are none,
// the text is framed on the fly: kRecovered records with times from the sealed name's stamp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "model/ids.h"
#include "model/log_spec.h"
#include "rotate/log_dir.h"
#include "rotate/log_line.h"
#include "rotate/segment_format.h"

namespace pmx::rotate {

class SegmentText;

inline constexpr WorkerId kUnknownWorker{0xFFFFFFFF};
inline constexpr std::size_t kReadablePastEnd =
    64;  // Bytes behind every text() (simdjson's padding).

class SegmentReader {
 public:
  // Whose lines a record has.
  struct Source {
    StreamId stream;
    WorkerId worker = kUnknownWorker;
    StreamKind kind = StreamKind::kOut;
    RenderSpec::Kind render = RenderSpec::Kind::kRaw;
    Found found = Found::kCaptured;
  };
  enum class Text { kIndexed, kFramed };

  static Result<std::unique_ptr<SegmentReader>> open(Fs& fs, const LogDir& dir,
                                                     std::uint64_t segment);
  // The active file of a log that has no index: one that pmx did not write, or whose state was
  // lost. refresh() finds what has been appended since.
  static Result<std::unique_ptr<SegmentReader>> open_unindexed(Fs& fs, const LogDir& dir);
  ~SegmentReader();

  std::uint64_t segment() const { return segment_; }
  std::uint64_t records() const { return count_; }
  bool sealed() const { return sealed_; }  // Nothing more will come.
  bool framed() const { return kind_ == Text::kFramed; }
  std::uint32_t epoch() const { return epoch_; }          // Of its HEAD; 0 where it has none.
  std::uint64_t first_seq() const { return first_seq_; }  // The same.
  std::string damage() const;  // "": none. A whole record that is not valid ends the index.

  Result<Record> record(std::uint64_t number);  // number < records()
  Source source_of(const Record& record, std::uint64_t number) const;
  // The first record whose lines may be as late as `time_ns`; records() where all are older.
  Result<std::uint64_t> first_record_at(std::int64_t time_ns);
  // The first record with lines of this number or later; records() where all are earlier.
  Result<std::uint64_t> first_record_with(std::uint64_t seq);
  // A DATA record's bytes, valid until the next call; kReadablePastEnd more may be read.
  Result<std::string_view> text(const Record& record);
  Result<bool> refresh();  // Looks for more records; true: there are some.
  void release_memory();   // Buffers only: for readers that wait.
  // For readers that wait long: the files as well. take_up() opens the index again, before anything
  // else is asked; kNotFound: it is gone, and the segment must be opened anew.
  void close_files();
  bool closed() const { return closed_; }
  Result<void> take_up();
  // A stream is bound of which more may come, if nobody has lost it.
  bool has_open_stream() const { return !open_streams_.empty(); }

 private:
  SegmentReader(Fs& fs, const LogDir& dir, std::uint64_t segment);
  Result<bool> open_index();
  Result<void> open_without_index();
  Result<bool> refresh_framed();
  void adopt(std::vector<Record> records);
  void note(const Record& record, std::uint64_t number);
  Result<void> open_text();
  Found found(const Record& record, std::uint64_t number) const;
  Result<void> load_window(std::uint64_t begin, std::uint64_t end);

  Fs& fs_;
  const LogDir& dir_;
  std::uint64_t segment_;
  Text kind_ = Text::kIndexed;
  std::unique_ptr<File> index_;  // nullptr: block_ holds all records.
  std::vector<Record> block_;    // Records [block_first_, block_first_ + size).
  std::uint64_t block_first_ = 0;
  std::uint64_t count_ = 0;
  std::uint32_t epoch_ = 0;
  std::uint64_t first_seq_ = 0;
  std::uint64_t invalid_bytes_ = 0;                        // Behind the last valid record.
  std::vector<std::pair<std::uint64_t, Record>> streams_;  // STREAM records by number.
  std::vector<std::pair<std::uint64_t, std::int64_t>>
      latest_;  // (record number, latest time up to it), sparse.
  std::uint64_t inode_ = 0, name_number_ = 0, data_end_ = 0;
  bool sealed_ = false, foreign_ = false;  // Of the last SEAL and of the HEAD.
  bool closed_ = false;
  std::set<std::uint16_t> open_streams_;
  std::unique_ptr<SegmentText> text_;
  std::string window_;  // Text from window_begin_, and padding.
  std::uint64_t window_begin_ = 0, window_size_ = 0;
};

// The time of the last line before `segment`, from its HEAD alone; nullopt where it cannot be read.
std::optional<std::int64_t> time_before_segment(Fs& fs, const LogDir& dir, std::uint64_t segment);

}  // namespace pmx::rotate
