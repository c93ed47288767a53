#include "rotate/internal/archive_readers.h"

#include <algorithm>
#include <limits>

namespace pmx::rotate::internal {
namespace {

constexpr std::size_t kInputBytes = 64U << 10U;
constexpr std::size_t kOutputBytes = 128U << 10U;
constexpr std::size_t kNoFrame = std::numeric_limits<std::size_t>::max();

}  // namespace

TableReader::TableReader(std::unique_ptr<File> file, std::unique_ptr<FrameDecoder> decoder,
                         ArchiveTable table)
    : file_(std::move(file)),
      decoder_(std::move(decoder)),
      records_(std::move(table.records)),
      text_begins_{0},
      packed_begins_{0},
      loaded_(kNoFrame) {
  for (const FrameEntry& frame : table.frames) {
    text_begins_.push_back(text_begins_.back() + frame.text_bytes);
    packed_begins_.push_back(packed_begins_.back() + frame.packed_bytes);
  }
}

Result<void> TableReader::read(std::uint64_t offset, std::uint64_t size_bytes, std::string& out) {
  if (offset >= text_size_bytes()) return {};
  std::uint64_t left = std::min(size_bytes, text_size_bytes() - offset);
  while (left > 0) {
    const auto after = std::upper_bound(text_begins_.begin(), text_begins_.end(), offset);
    const auto number = static_cast<std::size_t>(after - text_begins_.begin()) - 1;
    PMX_TRY(load_frame(number));
    const std::string_view piece =
        std::string_view(text_).substr(offset - text_begins_[number], left);
    out += piece;
    offset += piece.size();
    left -= piece.size();
  }
  return {};
}

Result<void> TableReader::load_frame(std::size_t number) {
  if (number == loaded_) return {};
  loaded_ = kNoFrame;
  const std::string packed = PMX_TRY(read_exactly(
      *file_, packed_begins_[number], packed_begins_[number + 1] - packed_begins_[number]));
  text_.resize(text_begins_[number + 1] - text_begins_[number]);
  PMX_TRY_WITHIN("frame " + std::to_string(number), decoder_->decode(packed, text_));
  loaded_ = number;
  return {};
}

StreamReader::StreamReader(std::unique_ptr<File> file, std::unique_ptr<FrameDecoder> decoder)
    : file_(std::move(file)), decoder_(std::move(decoder)) {}

Result<std::unique_ptr<StreamReader>> StreamReader::open(std::unique_ptr<File> file,
                                                         std::unique_ptr<FrameDecoder> decoder) {
  std::unique_ptr<StreamReader> reader(new StreamReader(std::move(file), std::move(decoder)));
  PMX_TRY(reader->measure());
  return reader;
}

Result<void> StreamReader::measure() {
  rewind();
  std::string text(kOutputBytes, '\0');
  for (;;) {
    const auto produced = decode_some(text);
    if (!produced) {
      if (produced.error().code() != Errc::kCorrupt) return produced.error();
      // What a damaged frame gave before the damage was seen may be wrong: none of it counts.
      text_bytes_ = whole_frames_end_;
      if (text_bytes_ == 0) return produced.error();
      break;
    }
    if (*produced == 0) {
      text_bytes_ = text_at_;
      break;
    }
  }
  rewind();
  return {};
}

void StreamReader::rewind() {
  decoder_->reset();
  text_at_ = file_at_ = whole_frames_end_ = 0;
  waiting_ = {};
}

Result<std::size_t> StreamReader::decode_some(std::span<char> into) {
  for (;;) {
    const FrameDecoder::Step step = PMX_TRY(decoder_->step(waiting_, into));
    waiting_.remove_prefix(step.consumed_bytes);
    text_at_ += step.produced_bytes;
    if (step.frame_ended) whole_frames_end_ = text_at_;
    if (step.produced_bytes != 0) return step.produced_bytes;
    if (!waiting_.empty() && step.consumed_bytes != 0) continue;
    if (!waiting_.empty()) return corrupt("the decoder does not go on");
    input_.resize(kInputBytes);
    const std::size_t got = PMX_TRY(file_->pread_all(input_, file_at_));
    if (got == 0) return std::size_t{0};
    file_at_ += got;
    waiting_ = std::string_view(input_).substr(0, got);
  }
}

Result<void> StreamReader::read(std::uint64_t offset, std::uint64_t size_bytes, std::string& out) {
  if (offset >= text_bytes_) return {};
  if (offset < text_at_) rewind();
  const std::uint64_t end = offset + std::min(size_bytes, text_bytes_ - offset);
  std::string text;
  while (text_at_ < end) {
    // Never decodes past `end`, so that a reader who goes forward never starts again.
    const std::uint64_t begin = text_at_;
    const std::uint64_t stop = begin < offset ? offset : end;
    text.resize(std::min<std::uint64_t>(kOutputBytes, stop - begin));
    const std::size_t produced = PMX_TRY(decode_some(text));
    if (produced == 0) return corrupt("the archive has changed");
    if (begin >= offset) out.append(text, 0, produced);
  }
  return {};
}

}  // namespace pmx::rotate::internal
