#include "rotate/archive.h"

#include <algorithm>
#include <limits>

#include "base/crash_point.h"
#include "rotate/internal/archive_codec.h"
#include "rotate/internal/archive_readers.h"
#include "rotate/internal/gzip_archive.h"
#include "rotate/internal/zstd_archive.h"

namespace pmx::rotate {
namespace {

using internal::FrameDecoder;
using internal::FrameEncoder;
using internal::FrameEntry;

constexpr mode_t kArchivePermissions = 0640;

// Bytes behind a SEAL are not the log's: somebody appended to the file after it was sealed.
std::uint64_t sealed_end(std::span<const Record> records) {
  for (std::size_t i = records.size(); i-- > 0;)
    if (records[i].record_type() == RecordType::kSeal) return records[i].file_end;
  return std::numeric_limits<std::uint64_t>::max();
}

Result<void> write(File& file, std::string_view bytes, std::uint64_t& at) {
  if (crash_due(CrashPoint::kArchiveHalf)) {
    (void)file.pwrite_all(bytes.substr(0, bytes.size() / 2), at);  // We die of it anyway.
    crash_points::die();
  }
  PMX_TRY(file.pwrite_all(bytes, at));
  at += bytes.size();
  return {};
}

// Holds one frame of text at a time: a segment may have gigabytes.
Result<void> write_archive(File& text, std::span<const Record> records, File& archive,
                           FrameEncoder& encoder, const PackOptions& options) {
  const std::uint64_t end = sealed_end(records);
  std::vector<FrameEntry> frames;
  std::string frame(internal::kFrameTextBytes, '\0');
  std::uint64_t text_at = 0, archive_at = 0;
  for (;;) {
    if (options.cancelled && options.cancelled())
      return Error(Errc::kUnavailable, "packing was stopped");
    const std::size_t wanted = std::min<std::uint64_t>(frame.size(), end - text_at);
    const std::size_t got = PMX_TRY(text.pread_all(std::span(frame).first(wanted), text_at));
    if (got == 0) break;
    const std::string_view packed = PMX_TRY(encoder.encode(std::string_view(frame).substr(0, got)));
    PMX_TRY(write(archive, packed, archive_at));
    frames.push_back({static_cast<std::uint32_t>(packed.size()), static_cast<std::uint32_t>(got)});
    text_at += got;
  }
  const std::string index = PMX_TRY(internal::encode_index(records, frames));
  const std::string tail = PMX_TRY(encoder.tail(frames, index));
  return write(archive, tail, archive_at);
}

Result<void> pack_into(Fs& files, const std::string& text_path, std::span<const Record> records,
                       const std::string& path, const PackOptions& options) {
  const auto encoder = options.compression == Compression::kZstd
                           ? internal::make_zstd_encoder(options.level)
                           : internal::make_gzip_encoder(options.level);
  const auto text = PMX_TRY(files.open(text_path, OpenMode::kRead, 0));
  (void)files.remove(path);  // A leftover of a crash; where it cannot go, the next line says why.
  const auto archive = PMX_TRY(files.open(path, OpenMode::kCreateNew, kArchivePermissions));
  PMX_TRY(write_archive(*text, records, *archive, *encoder, options));
  // The plain file goes next: it must not go before the archive is on the disk.
  PMX_TRY(archive->sync_data());
  return archive->close();
}

}  // namespace

Result<void> pack_segment(Fs& files, const std::string& text_path, std::span<const Record> records,
                          const std::string& archive_path, const PackOptions& options) {
  if (options.compression == Compression::kNone)
    return invalid("pack " + text_path + ": no compression is set");
  const std::string temporary = archive_path + ".tmp";
  auto packed = pack_into(files, text_path, records, temporary, options);
  if (!packed) {
    (void)files.remove(
        temporary);  // Where the disk is full, half an archive must not fill it further.
    return std::move(packed).error().within("pack " + text_path);
  }
  crash_point(CrashPoint::kArchiveWhole);
  PMX_TRY(files.rename(temporary, archive_path));
  PMX_TRY(files.sync_directory(
      archive_path.substr(0, std::max<std::size_t>(archive_path.rfind('/'), 1))));
  crash_point(CrashPoint::kArchiveNamed);
  return {};
}

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(Fs& files, const std::string& path) {
  const bool zstd = path.ends_with(".zst");
  if (!zstd && !path.ends_with(".gz")) return invalid(path + " is not an archive");
  auto file = PMX_TRY(files.open(path, OpenMode::kRead, 0));
  const FileInfo info = PMX_TRY(file->info());
  auto decoder = zstd ? internal::make_zstd_decoder() : internal::make_gzip_decoder();
  auto table = zstd ? internal::read_zstd_table(*file, info.size_bytes)
                    : internal::read_gzip_table(*file, info.size_bytes);
  if (table)
    return std::unique_ptr<ArchiveReader>(std::make_unique<internal::TableReader>(
        std::move(file), std::move(decoder), std::move(*table)));
  if (table.error().code() != Errc::kCorrupt) return std::move(table).error();
  return std::unique_ptr<ArchiveReader>(PMX_TRY_WITHIN(
      "read " + path, internal::StreamReader::open(std::move(file), std::move(decoder))));
}

}  // namespace pmx::rotate
