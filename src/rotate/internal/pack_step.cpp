#include "rotate/internal/pack_step.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/crash_point.h"
#include "rotate/archive.h"
#include "rotate/internal/sealed_segments.h"
#include "rotate/segment_format.h"

namespace pmx::rotate::internal {
namespace {

// Empty where the index is lost: then the archive carries none, and readers frame its text.
Result<std::vector<Record>> records_of(Fs& state, const LogDir& dir, std::uint64_t segment) {
  const auto bytes = state.read_file(dir.index_path(segment));
  if (!bytes && bytes.error().code() == Errc::kNotFound) return std::vector<Record>();
  if (!bytes) return bytes.error();
  return valid_records(*bytes, segment);
}

// The plain file is the only other copy: look before it goes.
Result<void> check_archive(Fs& files, const std::string& path, const SealedFile& plain,
                           std::span<const Record> records) {
  const auto reader = PMX_TRY(ArchiveReader::open(files, path));
  std::uint64_t text_bytes = plain.info.size_bytes;
  for (const Record& record : records)
    if (record.record_type() == RecordType::kSeal)
      text_bytes = std::min(text_bytes, record.file_end);
  if (reader->text_size_bytes() < text_bytes || reader->records().size() != records.size())
    return corrupt(path + " does not hold all of " + plain.path);
  return {};
}

Result<void> pack_one(Fs& files, Fs& state, const PackJob& job, const SealedFile& plain,
                      const std::function<bool()>& cancelled) {
  const std::vector<Record> records = PMX_TRY(records_of(state, job.dir, plain.name.segment));
  SealedName packed = plain.name;
  packed.compression = job.policy.compress;
  const std::string path = job.dir.sealed_path(packed);
  PMX_TRY(pack_segment(files, plain.path, records, path,
                       {job.policy.compress, job.policy.level, cancelled}));
  return check_archive(files, path, plain, records);
}

}  // namespace

Result<bool> pack_oldest(Fs& files, Fs& state, const PackJob& job,
                         const std::function<bool()>& cancelled) {
  if (job.policy.compress == Compression::kNone) return false;
  for (const SealedSegments::One& segment : PMX_TRY(sealed_segments(files, job.dir)).segments) {
    if (segment.segment > job.segment) break;
    for (const SealedFile& plain : segment.files) {
      if (plain.name.compression != Compression::kNone) continue;
      const bool packed =
          std::any_of(segment.files.begin(), segment.files.end(), [&](const SealedFile& file) {
            return file.name.compression != Compression::kNone && holds_all_of(files, file, plain);
          });
      if (!packed) {
        const auto done = pack_one(files, state, job, plain, cancelled);
        if (!done && done.error().code() == Errc::kNotFound)
          continue;  // Retired or taken away meanwhile.
        if (!done) return done.error();
      }
      PMX_TRY(remove_if_there(files, plain.path));
      crash_point(CrashPoint::kAfterRetire);
      PMX_TRY(remove_if_there(state, job.dir.index_path(segment.segment)));
      return true;
    }
  }
  return false;
}

Result<std::size_t> unpacked_segments(Fs& files, const PackJob& job) {
  if (job.policy.compress == Compression::kNone) return std::size_t{0};
  std::size_t count = 0;
  for (const SealedFile& file : PMX_TRY(job.dir.sealed_files(files)))
    if (file.name.segment <= job.segment && file.name.compression == Compression::kNone) ++count;
  return count;
}

Result<void> remove_below(Fs& files, Fs& state, const LogDir& dir, std::uint64_t segment) {
  for (const SealedFile& file : PMX_TRY(dir.sealed_files(files)))
    if (file.name.segment < segment) PMX_TRY(remove_if_there(files, file.path));
  for (const std::uint64_t old : PMX_TRY(dir.index_segments(state)))
    if (old < segment) PMX_TRY(remove_if_there(state, dir.index_path(old)));
  return {};
}

}  // namespace pmx::rotate::internal
