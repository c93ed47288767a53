// A packed segment: what `zstd -d` or `gzip -d` reads as the plain text, cut into independent
// frames, with the segment's index and a table of frames inside, so that it can be seeked by time
// and an index can be rebuilt from it. docs/FORMATS.md, "Archive", has the bytes.
//
//   zstd: frames of 1 MiB of text | skippable frame 0x184D2A50: the index, itself zstd |
//         skippable frame 0x184D2A5E: zstd's seek table, footer 0x8F92EAB1
//   gzip: members of 1 MiB of text | empty members whose FEXTRA carries the same two
//
// Thread:  pack (pack_segment), any (ArchiveReader).
// Errors:  kCorrupt for a file that is not ours or is cut: what can be read in front of the cut is
//          read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "model/log_spec.h"
#include "rotate/segment_format.h"

namespace pmx::rotate {

struct PackOptions {
  Compression compression = Compression::kZstd;
  int level = 0;
  std::function<bool()> cancelled;  // Asked between frames.
};

// Reads `text_path` (the sealed file; through `files`) and `records`, writes `archive_path`.tmp
// with the sealed file's permissions 0640, syncs and renames. The plain file is left: the caller
// removes it.
Result<void> pack_segment(Fs& files, const std::string& text_path, std::span<const Record> records,
                          const std::string& archive_path, const PackOptions& options);

class ArchiveReader {
 public:
  virtual ~ArchiveReader() = default;
  // By the ending of the path. A foreign or cut archive opens too, with records() empty.
  static Result<std::unique_ptr<ArchiveReader>> open(Fs& files, const std::string& path);
  virtual const std::vector<Record>& records() const = 0;  // Of the segment's index, as they were.
  virtual std::uint64_t text_size_bytes() const = 0;
  // Appends text [offset, offset + size) to `out`; decodes only the frames that it touches.
  virtual Result<void> read(std::uint64_t offset, std::uint64_t size_bytes, std::string& out) = 0;
};

}  // namespace pmx::rotate
