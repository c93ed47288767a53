#include "rotate/internal/archive_codec.h"

#include <zstd.h>

#include <cstddef>
#include <cstring>

#include "base/crc32c.h"

namespace pmx::rotate::internal {
namespace {

constexpr char kIndexMagic[8] = {'p', 'm', 'x', 'i', 'n', 'd', 'e', 'x'};
constexpr int kIndexLevel = 3;  // Records compress 5 to 10 times at any level.

struct IndexHeader {
  char magic[8];
  std::uint32_t version;
  std::uint32_t frames;
  std::uint32_t table_crc;    // crc32c of the frames' entries.
  std::uint32_t records_crc;  // crc32c of the records, uncompressed.
  std::uint64_t segment;
  std::uint64_t text_bytes;
  std::uint32_t records_bytes;  // Uncompressed.
  std::uint32_t header_crc;     // crc32c of bytes 0..43.
};
static_assert(sizeof(IndexHeader) == 48 && offsetof(IndexHeader, segment) == 24);
static_assert(offsetof(IndexHeader, records_bytes) == 40 &&
              offsetof(IndexHeader, header_crc) == 44);

std::uint32_t crc_of(std::string_view bytes) { return crc32c(bytes.data(), bytes.size()); }

std::uint64_t text_bytes_of(std::span<const FrameEntry> frames) {
  std::uint64_t sum = 0;
  for (const FrameEntry& frame : frames) sum += frame.text_bytes;
  return sum;
}

}  // namespace

Result<void> FrameDecoder::decode(std::string_view packed, std::span<char> text) {
  reset();
  for (;;) {
    const Step step = PMX_TRY(this->step(packed, text));
    packed.remove_prefix(step.consumed_bytes);
    text = text.subspan(step.produced_bytes);
    if (step.frame_ended) break;
    if (step.consumed_bytes == 0 && step.produced_bytes == 0)
      return corrupt("a frame is longer than its table says");
  }
  if (!packed.empty() || !text.empty()) return corrupt("a frame is shorter than its table says");
  return {};
}

Result<std::string> encode_index(std::span<const Record> records,
                                 std::span<const FrameEntry> frames) {
  const std::string_view bytes = rotate::bytes_of(records);
  if (records.size() > kMaxRecords) return invalid("an index has too many records");
  IndexHeader header{};
  std::memcpy(header.magic, kIndexMagic, sizeof header.magic);
  header.version = kFormatVersion;
  header.frames = static_cast<std::uint32_t>(frames.size());
  header.table_crc = crc_of(bytes_of(frames));
  header.records_crc = crc_of(bytes);
  if (!records.empty() && records[0].record_type() == RecordType::kHead)
    header.segment = records[0].raw_end;
  header.text_bytes = text_bytes_of(frames);
  header.records_bytes = static_cast<std::uint32_t>(bytes.size());
  header.header_crc = crc32c(&header, offsetof(IndexHeader, header_crc));

  std::string index(bytes_of(header));
  index.resize(sizeof header + ZSTD_compressBound(bytes.size()));
  const std::size_t size = ZSTD_compress(index.data() + sizeof header, index.size() - sizeof header,
                                         bytes.data(), bytes.size(), kIndexLevel);
  if (ZSTD_isError(size) != 0)
    return Error(Errc::kIo, std::string("zstd: ") + ZSTD_getErrorName(size));
  index.resize(sizeof header + size);
  return index;
}

Result<std::vector<Record>> decode_index(std::string_view index,
                                         std::span<const FrameEntry> frames) {
  IndexHeader header;
  if (index.size() < sizeof header) return corrupt("the archive's index is cut");
  std::memcpy(&header, index.data(), sizeof header);
  if (std::memcmp(header.magic, kIndexMagic, sizeof header.magic) != 0 ||
      header.header_crc != crc32c(&header, offsetof(IndexHeader, header_crc)))
    return corrupt("the archive has no index of ours");
  if (header.version != kFormatVersion) return corrupt("the archive's index is of a newer version");
  if (header.frames != frames.size() || header.table_crc != crc_of(bytes_of(frames)) ||
      header.text_bytes != text_bytes_of(frames))
    return corrupt("the archive's table of frames is damaged");
  if (header.records_bytes % kRecordBytes != 0 || header.records_bytes > kMaxRecords * kRecordBytes)
    return corrupt("the archive's index is damaged");
  std::vector<Record> records(header.records_bytes / kRecordBytes);
  index.remove_prefix(sizeof header);
  const std::size_t size =
      ZSTD_decompress(records.data(), header.records_bytes, index.data(), index.size());
  if (size != header.records_bytes || crc_of(rotate::bytes_of(records)) != header.records_crc)
    return corrupt("the archive's index is damaged");
  return records;
}

Result<std::string> read_exactly(File& file, std::uint64_t offset, std::uint64_t size_bytes) {
  std::string bytes(size_bytes, '\0');
  if (PMX_TRY(file.pread_all(bytes, offset)) != size_bytes) return corrupt("the archive is cut");
  return bytes;
}

}  // namespace pmx::rotate::internal
