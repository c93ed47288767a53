// The text of one segment, wherever it is now: the active file, a sealed one, or an archive.
//
// Thread:  any, one at a time.
// Errors:  kNotFound: none of the names is there.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "rotate/archive.h"
#include "rotate/log_dir.h"
#include "rotate/segment_format.h"

namespace pmx::rotate {

class SegmentText {
 public:
  explicit SegmentText(std::unique_ptr<File> file, std::string path)
      : file_(std::move(file)), path_(std::move(path)) {}
  explicit SegmentText(std::unique_ptr<ArchiveReader> archive, std::string path)
      : archive_(std::move(archive)), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const ArchiveReader* archive() const { return archive_.get(); }  // nullptr: a plain file.
  Result<std::uint64_t> size_bytes();
  std::uint64_t inode();  // Of the open file; 0: not known.
  // Replaces `out` by text [offset, offset + size_bytes); short where the text ends before.
  Result<void> read(std::uint64_t offset, std::uint64_t size_bytes, std::string& out);

 private:
  std::unique_ptr<File> file_;
  std::unique_ptr<ArchiveReader> archive_;
  std::string path_;
};

// The active file, if it is there and has this inode (0: any). Opened first and asked then, so that
// a rotation in between cannot put another segment's file in its place.
Result<SegmentText> open_active_text(Fs& fs, const LogDir& dir, std::uint64_t inode);

// The sealed or packed file of `segment`. Where several have its number, the one with this inode,
// else the one whose name has `name_number`, else a plain one.
struct SealedText {
  SegmentText text;
  SealedFile file;
};
Result<SealedText> open_sealed_text(Fs& fs, const LogDir& dir, std::uint64_t segment,
                                    std::uint64_t inode, std::uint64_t name_number);

// Records for text that no index describes: whole lines in chunks, kRecovered, with times that
// begin at `time_ns`. A last line without newline is kPartial where `to_the_end`, else it is left
// for later.
struct RecoveredRange {
  std::uint64_t begin = 0, end = 0;  // Offsets in the text.
  std::uint64_t seq = 0;
  std::int64_t time_ns = 0;
  bool to_the_end = true;
};
Result<std::vector<Record>> recovered_records(SegmentText& text, const RecoveredRange& range);
// "2026-11-23T10-00-00Z" as ns; nullopt where it is no stamp.
std::optional<std::int64_t> time_of_stamp(const std::string& utc_stamp);

}  // namespace pmx::rotate
