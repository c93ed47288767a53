// A gzip file is a row of members (RFC 1952), and one may be empty. Its header may carry up to
// 65,535 bytes that decoders skip (FEXTRA), in subfields of two letters, a length and data. The
// table of frames and the index are put into such members, in chunks, and a last one of fixed size
// says where they begin: it is found from the end of the file.
#include "rotate/internal/gzip_archive.h"

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/crc32c.h"

namespace pmx::rotate::internal {
namespace {

constexpr int kGzipWindowBits = 15 + 16;  // 16: with gzip's header, as zlib.h says.
constexpr std::size_t kChunkBytes = 60'000;
constexpr char kTableMagic[8] = {'p', 'm', 'x', 't', 'a', 'b', 'l', 'e'};

struct Trailer {
  char magic[8];
  std::uint32_t version;
  std::uint32_t frames;
  std::uint64_t blob_bytes;  // Entries of the frames, then the index.
  std::uint64_t blob_begin;  // Offset of the first member that carries it.
  std::uint32_t blob_crc;
  std::uint32_t trailer_crc;  // crc32c of bytes 0..35.
};
static_assert(sizeof(Trailer) == 40 && offsetof(Trailer, trailer_crc) == 36);

enum class Carries : char { kChunk = 'C', kTrailer = 'T' };

constexpr std::size_t kBeforeData = 10 + 2 + 4;  // Header, XLEN, the subfield's own header.
constexpr std::size_t kAfterData = 2 + 8;  // An empty deflate block, CRC32 and ISIZE of nothing.
constexpr std::size_t kTrailerMemberBytes = kBeforeData + sizeof(Trailer) + kAfterData;

std::string empty_member(Carries carries, std::string_view data) {
  constexpr std::string_view kHeader("\x1F\x8B\x08\x04\0\0\0\0\0\xFF",
                                     10);  // FEXTRA; no time; any system.
  constexpr std::string_view kNothing("\x03\0\0\0\0\0\0\0\0\0", kAfterData);
  const auto data_bytes = static_cast<std::uint16_t>(data.size());
  std::string member(kHeader);
  member += bytes_of(static_cast<std::uint16_t>(data_bytes + 4));
  member += 'P';
  member += static_cast<char>(carries);
  member += bytes_of(data_bytes);
  member += data;
  member += kNothing;
  return member;
}

class GzipEncoder final : public FrameEncoder {
 public:
  explicit GzipEncoder(int level) {
    const int usable = level == 0 ? Z_DEFAULT_COMPRESSION : std::clamp(level, 1, 9);
    constexpr int kMemory = 8;  // zlib's default.
    PMX_CHECK(deflateInit2(&stream_, usable, Z_DEFLATED, kGzipWindowBits, kMemory,
                           Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~GzipEncoder() override { deflateEnd(&stream_); }
  GzipEncoder(const GzipEncoder&) = delete;
  GzipEncoder& operator=(const GzipEncoder&) = delete;

  Result<std::string_view> encode(std::string_view text) override {
    deflateReset(&stream_);
    packed_.resize(deflateBound(&stream_, static_cast<uLong>(text.size())));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(packed_.data());
    stream_.avail_out = static_cast<uInt>(packed_.size());
    // One call ends the member: deflateBound() promised the room.
    if (deflate(&stream_, Z_FINISH) != Z_STREAM_END)
      return Error(Errc::kIo, "zlib: a member was not ended");
    return std::string_view(packed_).substr(0, packed_.size() - stream_.avail_out);
  }

  Result<std::string> tail(std::span<const FrameEntry> frames, std::string_view index) override {
    std::string blob(bytes_of(frames));
    blob += index;
    Trailer trailer{};
    std::memcpy(trailer.magic, kTableMagic, sizeof trailer.magic);
    trailer.version = kFormatVersion;
    trailer.frames = static_cast<std::uint32_t>(frames.size());
    trailer.blob_bytes = blob.size();
    for (const FrameEntry& frame : frames) trailer.blob_begin += frame.packed_bytes;
    trailer.blob_crc = crc32c(blob.data(), blob.size());
    trailer.trailer_crc = crc32c(&trailer, offsetof(Trailer, trailer_crc));
    std::string tail;
    for (std::string_view rest = blob; !rest.empty();
         rest.remove_prefix(std::min(rest.size(), kChunkBytes)))
      tail += empty_member(Carries::kChunk, rest.substr(0, kChunkBytes));
    tail += empty_member(Carries::kTrailer, bytes_of(trailer));
    return tail;
  }

 private:
  z_stream stream_{};
  std::string packed_;
};

class GzipDecoder final : public FrameDecoder {
 public:
  GzipDecoder() { PMX_CHECK(inflateInit2(&stream_, kGzipWindowBits) == Z_OK); }
  ~GzipDecoder() override { inflateEnd(&stream_); }
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  void reset() override { inflateReset(&stream_); }

  Result<Step> step(std::string_view packed, std::span<char> text) override {
    Bytef nowhere = 0;  // zlib wants an address even where there is no room.
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    const auto in = static_cast<uInt>(std::min(packed.size(), kMost));
    const auto room = static_cast<uInt>(std::min(text.size(), kMost));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = in;
    stream_.next_out = room == 0 ? &nowhere : reinterpret_cast<Bytef*>(text.data());
    stream_.avail_out = room;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END &&
        result != Z_BUF_ERROR)  // The last: no progress.
      return corrupt(std::string("zlib: ") +
                     (stream_.msg != nullptr ? stream_.msg : "damaged member"));
    const Step step{in - stream_.avail_in, room - stream_.avail_out, result == Z_STREAM_END};
    if (step.frame_ended) inflateReset(&stream_);
    return step;
  }

 private:
  z_stream stream_{};
};

Error no_table() { return corrupt("the archive has no table of ours"); }

Result<Trailer> read_trailer(File& file, std::uint64_t file_bytes) {
  if (file_bytes < kTrailerMemberBytes) return no_table();
  const std::string member =
      PMX_TRY(read_exactly(file, file_bytes - kTrailerMemberBytes, kTrailerMemberBytes));
  Trailer trailer;
  std::memcpy(&trailer, member.data() + kBeforeData, sizeof trailer);
  // What we would have written is what must be there: that checks every byte.
  if (member != empty_member(Carries::kTrailer, bytes_of(trailer)) ||
      std::memcmp(trailer.magic, kTableMagic, sizeof trailer.magic) != 0 ||
      trailer.trailer_crc != crc32c(&trailer, offsetof(Trailer, trailer_crc)))
    return no_table();
  if (trailer.version != kFormatVersion)
    return corrupt("the archive's table is of a newer version");
  if (trailer.blob_bytes > file_bytes || trailer.blob_begin > file_bytes ||
      trailer.frames * sizeof(FrameEntry) > trailer.blob_bytes)
    return no_table();
  return trailer;
}

Result<std::string> read_blob(File& file, const Trailer& trailer, std::uint64_t end) {
  std::string blob;
  std::uint64_t at = trailer.blob_begin;
  while (blob.size() < trailer.blob_bytes) {
    const std::uint64_t data_bytes =
        std::min<std::uint64_t>(trailer.blob_bytes - blob.size(), kChunkBytes);
    const std::string member =
        PMX_TRY(read_exactly(file, at, kBeforeData + data_bytes + kAfterData));
    const std::string_view data = std::string_view(member).substr(kBeforeData, data_bytes);
    if (member != empty_member(Carries::kChunk, data)) return no_table();
    blob += data;
    at += member.size();
  }
  if (at != end || crc32c(blob.data(), blob.size()) != trailer.blob_crc) return no_table();
  return blob;
}

}  // namespace

std::unique_ptr<FrameEncoder> make_gzip_encoder(int level) {
  return std::make_unique<GzipEncoder>(level);
}
std::unique_ptr<FrameDecoder> make_gzip_decoder() { return std::make_unique<GzipDecoder>(); }

Result<ArchiveTable> read_gzip_table(File& file, std::uint64_t file_bytes) {
  const Trailer trailer = PMX_TRY(read_trailer(file, file_bytes));
  const std::string blob = PMX_TRY(read_blob(file, trailer, file_bytes - kTrailerMemberBytes));
  ArchiveTable table;
  table.frames.resize(trailer.frames);
  const std::size_t entries_bytes = trailer.frames * sizeof(FrameEntry);
  if (entries_bytes != 0) std::memcpy(table.frames.data(), blob.data(), entries_bytes);
  std::uint64_t sum = 0;
  for (const FrameEntry& frame : table.frames) sum += frame.packed_bytes;
  if (sum != trailer.blob_begin) return no_table();
  table.records = PMX_TRY(decode_index(std::string_view(blob).substr(entries_bytes), table.frames));
  return table;
}

}  // namespace pmx::rotate::internal
