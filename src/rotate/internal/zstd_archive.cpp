// zstd's seekable format (contrib/seekable_format/zstd_seekable_compression_format.md in zstd's
// sources): the table is the file's last frame and has one entry for every other frame, 0 bytes of
// text for those that are skipped. So our index frame is its last entry.
#include "rotate/internal/zstd_archive.h"

#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace pmx::rotate::internal {
namespace {

constexpr std::uint32_t kIndexFrameMagic = 0x184D2A50;
constexpr std::uint32_t kTableFrameMagic = 0x184D2A5E;
constexpr std::uint32_t kFooterMagic = 0x8F92EAB1;

struct SkippableHeader {
  std::uint32_t magic;
  std::uint32_t size_bytes;  // Of what follows.
};
static_assert(sizeof(SkippableHeader) == 8);

// Number of frames u32, descriptor u8 (0: no checksums, the frames have their own), magic u32.
constexpr std::size_t kFooterBytes = 9;

Error zstd_error(std::size_t code, Errc errc) {
  return {errc, std::string("zstd: ") + ZSTD_getErrorName(code)};
}

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};
struct FreeDecompressor {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class ZstdEncoder final : public FrameEncoder {
 public:
  explicit ZstdEncoder(int level) : context_(ZSTD_createCCtx()) {
    PMX_CHECK(context_ != nullptr);
    const int usable = std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel());
    PMX_CHECK(
        ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, usable)) == 0);
    PMX_CHECK(ZSTD_isError(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1)) == 0);
  }

  Result<std::string_view> encode(std::string_view text) override {
    packed_.resize(ZSTD_compressBound(text.size()));
    const std::size_t size =
        ZSTD_compress2(context_.get(), packed_.data(), packed_.size(), text.data(), text.size());
    if (ZSTD_isError(size) != 0) return zstd_error(size, Errc::kIo);
    return std::string_view(packed_).substr(0, size);
  }

  Result<std::string> tail(std::span<const FrameEntry> frames, std::string_view index) override {
    const SkippableHeader index_header{kIndexFrameMagic, static_cast<std::uint32_t>(index.size())};
    const FrameEntry index_entry{static_cast<std::uint32_t>(sizeof index_header + index.size()), 0};
    const auto entries = static_cast<std::uint32_t>(frames.size() + 1);
    const SkippableHeader table_header{
        kTableFrameMagic, static_cast<std::uint32_t>(entries * sizeof(FrameEntry) + kFooterBytes)};
    std::string tail(bytes_of(index_header));
    tail += index;
    tail += bytes_of(table_header);
    tail += bytes_of(frames);
    tail += bytes_of(index_entry);
    tail += bytes_of(entries);
    tail += '\0';
    tail += bytes_of(kFooterMagic);
    return tail;
  }

 private:
  std::unique_ptr<ZSTD_CCtx, FreeCompressor> context_;
  std::string packed_;
};

class ZstdDecoder final : public FrameDecoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) { PMX_CHECK(context_ != nullptr); }

  void reset() override { (void)ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only); }

  Result<Step> step(std::string_view packed, std::span<char> text) override {
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{text.data(), text.size(), 0};
    const std::size_t wanted = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(wanted) != 0) return zstd_error(wanted, Errc::kCorrupt);
    return Step{in.pos, out.pos, wanted == 0};
  }

 private:
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> context_;
};

Error no_table() { return corrupt("the archive has no table of ours"); }

template <class T>
T load(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// The entries of the file's last frame, the index frame's included.
Result<std::vector<FrameEntry>> read_entries(File& file, std::uint64_t file_bytes) {
  if (file_bytes < kFooterBytes) return no_table();
  const std::string footer = PMX_TRY(read_exactly(file, file_bytes - kFooterBytes, kFooterBytes));
  const auto count = load<std::uint32_t>(footer, 0);
  if (load<std::uint32_t>(footer, 5) != kFooterMagic || footer[4] != 0) return no_table();
  const std::uint64_t content_bytes = count * sizeof(FrameEntry) + kFooterBytes;
  const std::uint64_t frame_bytes = sizeof(SkippableHeader) + content_bytes;
  if (count == 0 || frame_bytes > file_bytes) return no_table();
  const std::string frame = PMX_TRY(read_exactly(file, file_bytes - frame_bytes, frame_bytes));
  const auto header = load<SkippableHeader>(frame, 0);
  if (header.magic != kTableFrameMagic || header.size_bytes != content_bytes) return no_table();
  std::vector<FrameEntry> entries(count);
  std::memcpy(entries.data(), frame.data() + sizeof header, count * sizeof(FrameEntry));
  std::uint64_t sum = frame_bytes;
  for (const FrameEntry& entry : entries) sum += entry.packed_bytes;
  if (sum != file_bytes) return no_table();
  return entries;
}

}  // namespace

std::unique_ptr<FrameEncoder> make_zstd_encoder(int level) {
  return std::make_unique<ZstdEncoder>(level);
}
std::unique_ptr<FrameDecoder> make_zstd_decoder() { return std::make_unique<ZstdDecoder>(); }

Result<ArchiveTable> read_zstd_table(File& file, std::uint64_t file_bytes) {
  ArchiveTable table;
  table.frames = PMX_TRY(read_entries(file, file_bytes));
  const FrameEntry index_entry = table.frames.back();
  table.frames.pop_back();
  if (index_entry.text_bytes != 0 || index_entry.packed_bytes < sizeof(SkippableHeader))
    return no_table();
  std::uint64_t begin = 0;
  for (const FrameEntry& frame : table.frames) begin += frame.packed_bytes;
  const std::string frame = PMX_TRY(read_exactly(file, begin, index_entry.packed_bytes));
  const auto header = load<SkippableHeader>(frame, 0);
  if (header.magic != kIndexFrameMagic || header.size_bytes != frame.size() - sizeof header)
    return no_table();
  table.records =
      PMX_TRY(decode_index(std::string_view(frame).substr(sizeof header), table.frames));
  return table;
}

}  // namespace pmx::rotate::internal
