#include "rotate/internal/segment_text.h"

#include <algorithm>
#include <cstring>

#include "base/time_text.h"
#include "model/line_batch.h"

namespace pmx::rotate {
namespace {

constexpr std::uint64_t kChunkBytes = 256U << 10U;

// Higher is likelier to be the one that was sealed.
int likelihood(const SealedFile& file, std::uint64_t inode, std::uint64_t name_number) {
  int points = 0;
  if (inode != 0 && file.info.inode == inode) points += 4;
  if (file.name.number == name_number) points += 2;
  if (file.name.compression == Compression::kNone) points += 1;
  return points;
}

// Where the chunk must end so that the record's fields can hold it: after a newline, and after at
// most kMaxBatchLines of them. 0: no newline in it.
struct ChunkEnd {
  std::size_t size_bytes = 0;
  std::uint32_t lines = 0;
};
ChunkEnd whole_lines(std::string_view chunk) {
  ChunkEnd end;
  for (std::size_t at = 0; end.lines < kMaxBatchLines;) {
    const std::size_t newline = chunk.find('\n', at);
    if (newline == std::string_view::npos) break;
    at = end.size_bytes = newline + 1;
    ++end.lines;
  }
  return end;
}

}  // namespace

Result<std::uint64_t> SegmentText::size_bytes() {
  if (archive_) return archive_->text_size_bytes();
  const FileInfo info = PMX_TRY(file_->info());
  return info.size_bytes;
}

std::uint64_t SegmentText::inode() {
  if (!file_) return 0;
  const auto info = file_->info();
  return info ? info->inode : 0;
}

Result<void> SegmentText::read(std::uint64_t offset, std::uint64_t size_bytes, std::string& out) {
  out.clear();
  if (archive_) {
    const std::uint64_t size = archive_->text_size_bytes();
    if (offset >= size) return {};
    return archive_->read(offset, std::min(size_bytes, size - offset), out);
  }
  out.resize(size_bytes);
  const std::size_t n = PMX_TRY(file_->pread_all(std::span(out), offset));
  out.resize(n);
  return {};
}

Result<SegmentText> open_active_text(Fs& fs, const LogDir& dir, std::uint64_t inode) {
  const std::string& path = dir.active_path();
  auto file = PMX_TRY(fs.open(path, OpenMode::kRead));
  const FileInfo info = PMX_TRY(file->info());
  if (!info.is_regular) return Error(Errc::kNotFound, path + " is not a regular file");
  if (inode != 0 && info.inode != inode)
    return Error(Errc::kNotFound, path + " belongs to another segment");
  return SegmentText(std::move(file), path);
}

Result<SealedText> open_sealed_text(Fs& fs, const LogDir& dir, std::uint64_t segment,
                                    std::uint64_t inode, std::uint64_t name_number) {
  const std::vector<SealedFile> files = PMX_TRY(dir.sealed_files(fs));
  const SealedFile* best = nullptr;
  for (const SealedFile& file : files) {
    if (file.name.segment != segment) continue;
    if (best == nullptr ||
        likelihood(file, inode, name_number) > likelihood(*best, inode, name_number))
      best = &file;
  }
  if (best == nullptr)
    return Error(Errc::kNotFound,
                 "segment " + std::to_string(segment) + " of " + dir.active_path() + " is gone");
  if (best->name.compression == Compression::kNone) {
    auto file = PMX_TRY(fs.open(best->path, OpenMode::kRead));
    return SealedText{SegmentText(std::move(file), best->path), *best};
  }
  auto archive = PMX_TRY(ArchiveReader::open(fs, best->path));
  return SealedText{SegmentText(std::move(archive), best->path), *best};
}

Result<std::vector<Record>> recovered_records(SegmentText& text, const RecoveredRange& range) {
  std::vector<Record> records;
  std::string chunk;
  std::uint64_t seq = range.seq;
  bool continues = false;
  for (std::uint64_t begin = range.begin; begin < range.end;) {
    PMX_TRY(text.read(begin, std::min(kChunkBytes, range.end - begin), chunk));
    if (chunk.empty()) break;  // Cut meanwhile: what was there in front of it stays.
    ChunkEnd end = whole_lines(chunk);
    const bool partial = end.size_bytes == 0;
    if (partial) {
      // A line longer than the chunk, or the last one.
      if (begin + chunk.size() >= range.end && !range.to_the_end) break;
      end = {chunk.size(), 1};
    }
    Record record;
    record.type = static_cast<std::uint8_t>(RecordType::kData);
    record.flags = flags::kRecovered | flags::kUnparsed;
    if (partial) record.flags |= flags::kPartial;
    if (continues) record.flags |= flags::kContinues;
    record.file_end = begin + end.size_bytes;
    record.raw_end = record.file_end;
    record.seq = seq;
    record.time_ns = range.time_ns + static_cast<std::int64_t>(seq - range.seq);
    record.raw_len = record.file_len = static_cast<std::uint32_t>(end.size_bytes);
    record.data_sum = data_sum(std::string_view(chunk).substr(0, end.size_bytes));
    record.lines = static_cast<std::uint16_t>(end.lines);
    records.push_back(record);
    seq += end.lines;
    begin = record.file_end;
    continues = partial;
  }
  return records;
}

std::optional<std::int64_t> time_of_stamp(const std::string& utc_stamp) {
  std::string iso = utc_stamp;
  if (iso.size() != std::strlen("2026-11-23T10-00-00Z")) return std::nullopt;
  iso[13] = iso[16] = ':';
  const auto time = parse_time(iso, 0);
  return time ? std::optional(*time) : std::nullopt;
}

}  // namespace pmx::rotate
