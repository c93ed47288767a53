// What the two archive formats have in common: independent frames of text, a table of them, and the
// segment's index. archive.cpp knows only this; the formats are in zstd_archive.cpp and
// gzip_archive.cpp.
//
// Thread:  one at a time.
// Format:  docs/FORMATS.md, "Archive".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "rotate/segment_format.h"

namespace pmx::rotate::internal {

// Text of one frame. Smaller ones compress worse (64 KiB: a fifth more), larger ones make a seek
// dear.
inline constexpr std::size_t kFrameTextBytes = 1U << 20U;

// As it stands in both formats' tables.
struct FrameEntry {
  std::uint32_t packed_bytes = 0;
  std::uint32_t text_bytes = 0;
};
static_assert(sizeof(FrameEntry) == 8);

class FrameEncoder {
 public:
  virtual ~FrameEncoder() = default;
  // A frame that can be decoded without any other. The view is valid until the next call.
  virtual Result<std::string_view> encode(std::string_view text) = 0;
  // What follows the last frame. `index` is made by encode_index().
  virtual Result<std::string> tail(std::span<const FrameEntry> frames, std::string_view index) = 0;
};

class FrameDecoder {
 public:
  struct Step {
    std::size_t consumed_bytes = 0;
    std::size_t produced_bytes = 0;
    bool frame_ended = false;  // Its checksum was right.
  };
  virtual ~FrameDecoder() = default;
  virtual void reset() = 0;  // The next step begins a frame.
  // Decodes on. No progress: it needs more input, or more room.
  virtual Result<Step> step(std::string_view packed, std::span<char> text) = 0;

  // Exactly one frame that fills `text`.
  Result<void> decode(std::string_view packed, std::span<char> text);
};

struct ArchiveTable {
  std::vector<FrameEntry> frames;  // In the order of the file, from its first byte on.
  std::vector<Record> records;
};

// The index as both formats carry it: a header that vouches for the table of frames too, and the
// records, zstd-compressed.
Result<std::string> encode_index(std::span<const Record> records,
                                 std::span<const FrameEntry> frames);
// kCorrupt where it is not what encode_index() made for these frames.
Result<std::vector<Record>> decode_index(std::string_view index,
                                         std::span<const FrameEntry> frames);

// Exactly bytes [offset, offset + size) of the file; kCorrupt where it is shorter.
Result<std::string> read_exactly(File& file, std::uint64_t offset, std::uint64_t size_bytes);

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
inline std::string_view bytes_of(std::span<const FrameEntry> frames) {
  return {reinterpret_cast<const char*>(frames.data()), frames.size_bytes()};
}

}  // namespace pmx::rotate::internal
