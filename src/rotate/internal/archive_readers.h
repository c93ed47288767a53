// The two ways to read an archive: by its table, and from front to back where it has none of ours.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rotate/archive.h"
#include "rotate/internal/archive_codec.h"

namespace pmx::rotate::internal {

// Decodes the frames that a read touches, each checked as a whole, and keeps the last one.
class TableReader final : public ArchiveReader {
 public:
  TableReader(std::unique_ptr<File> file, std::unique_ptr<FrameDecoder> decoder,
              ArchiveTable table);
  const std::vector<Record>& records() const override { return records_; }
  std::uint64_t text_size_bytes() const override { return text_begins_.back(); }
  Result<void> read(std::uint64_t offset, std::uint64_t size_bytes, std::string& out) override;

 private:
  Result<void> load_frame(std::size_t number);

  std::unique_ptr<File> file_;
  std::unique_ptr<FrameDecoder> decoder_;
  std::vector<Record> records_;
  std::vector<std::uint64_t> text_begins_, packed_begins_;  // Of each frame, and the ends.
  std::size_t loaded_;                                      // Number of the frame in text_.
  std::string text_;
};

// For archives that are cut, or that other tools made: reads forward, and starts again to go back.
// The text is what whole frames give, and the last one as far as it reaches.
class StreamReader final : public ArchiveReader {
 public:
  // Reads all of it once, to know its size. kCorrupt: not even the beginning can be decoded.
  static Result<std::unique_ptr<StreamReader>> open(std::unique_ptr<File> file,
                                                    std::unique_ptr<FrameDecoder> decoder);
  const std::vector<Record>& records() const override { return records_; }
  std::uint64_t text_size_bytes() const override { return text_bytes_; }
  Result<void> read(std::uint64_t offset, std::uint64_t size_bytes, std::string& out) override;

 private:
  StreamReader(std::unique_ptr<File> file, std::unique_ptr<FrameDecoder> decoder);
  Result<void> measure();
  void rewind();
  // 0: there is no more.
  Result<std::size_t> decode_some(std::span<char> into);

  std::unique_ptr<File> file_;
  std::unique_ptr<FrameDecoder> decoder_;
  std::vector<Record> records_;  // Always empty.
  std::uint64_t text_bytes_ = 0;
  std::uint64_t whole_frames_end_ = 0;  // Text offset after the last frame that ended.
  std::uint64_t text_at_ = 0;           // Of the decoder.
  std::uint64_t file_at_ = 0;           // Of the next bytes to be read.
  std::string input_;
  std::string_view waiting_;  // Of input_, not yet decoded.
};

}  // namespace pmx::rotate::internal
