#include "rotate/retention.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/crash_point.h"
#include "rotate/archive.h"
#include "rotate/internal/sealed_segments.h"

namespace pmx::rotate {
namespace {

using internal::remove_if_there;
using internal::remove_segment;
using internal::sealed_segments;
using internal::SealedSegments;

class FirstError {
 public:
  bool note(Result<void> result) {  // True: it went well.
    const bool good = result.has_value();
    if (!good && !error_) error_ = std::move(result).error();
    return good;
  }
  const std::optional<Error>& get() const { return error_; }

 private:
  std::optional<Error> error_;
};

void count(RetentionResult& result, const SealedSegments::One& segment, std::uint64_t bytes) {
  result.files_removed += segment.files.size();
  result.bytes_removed += bytes;
  result.segments.push_back(segment.segment);
}

// Plain files whose archive is whole: the packer died between the two.
void remove_packed_twins(Fs& files, SealedSegments& sealed, RetentionResult& result,
                         FirstError& error) {
  for (SealedSegments::One& segment : sealed.segments) {
    if (segment.files.size() < 2) continue;
    const auto plain = std::find_if(
        segment.files.begin(), segment.files.end(),
        [](const SealedFile& file) { return file.name.compression == Compression::kNone; });
    if (plain == segment.files.end()) continue;
    const bool packed =
        std::any_of(segment.files.begin(), segment.files.end(), [&](const SealedFile& file) {
          return file.name.compression != Compression::kNone && holds_all_of(files, file, *plain);
        });
    if (!packed || !error.note(remove_if_there(files, plain->path))) continue;
    ++result.files_removed;
    result.bytes_removed += plain->info.size_bytes;
    segment.files.erase(plain);
    crash_point(CrashPoint::kAfterRetire);
  }
}

// Indexes that their archive carries: the packer died before it removed them.
void remove_carried_indexes(Fs& files, Fs& state, const LogDir& dir,
                            std::span<const std::uint64_t> indexes, const SealedSegments& sealed,
                            FirstError& error) {
  for (const SealedSegments::One& segment : sealed.segments) {
    if (!std::binary_search(indexes.begin(), indexes.end(), segment.segment)) continue;
    if (segment.files.size() != 1 || segment.files[0].name.compression == Compression::kNone)
      continue;
    const auto reader = ArchiveReader::open(files, segment.files[0].path);
    if (reader && !(*reader)->records().empty())
      error.note(remove_if_there(state, dir.index_path(segment.segment)));
  }
}

// Indexes whose text is gone. The two highest stay: the active one's, and the one before, whose
// text may still have the active name (a rotation that a crash cut short).
void remove_orphans(Fs& state, const LogDir& dir, std::span<const std::uint64_t> indexes,
                    const SealedSegments& sealed, std::uint64_t floor_segment, FirstError& error) {
  constexpr std::uint64_t kKept = 2;
  const std::uint64_t highest = indexes.empty() ? 0 : indexes.back();
  for (const std::uint64_t segment : indexes) {
    if (segment + kKept > highest || segment >= floor_segment) return;
    const bool has_text = std::any_of(sealed.segments.begin(), sealed.segments.end(),
                                      [&](const auto& one) { return one.segment == segment; });
    if (!has_text) error.note(remove_if_there(state, dir.index_path(segment)));
  }
}

// What is still there, as the bounds see it.
struct Kept {
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
};

bool too_much(const Kept& kept, const SealedSegments::One& oldest, const RotatePolicy& policy,
              std::int64_t now_ns) {
  const auto max_age_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(policy.max_age).count();
  return (policy.retain != 0 && kept.segments > policy.retain) ||
         (policy.max_total_size_bytes != 0 && kept.bytes > policy.max_total_size_bytes) ||
         (max_age_ns > 0 && now_ns - oldest.sealed_ns > max_age_ns);
}

std::string directory_of(const std::string& path) {
  return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

}  // namespace

bool holds_all_of(Fs& files, const SealedFile& archive, const SealedFile& plain) {
  const auto reader = ArchiveReader::open(files, archive.path);
  if (!reader || (*reader)->records().empty()) return false;
  std::uint64_t wanted = plain.info.size_bytes;
  for (const Record& record : (*reader)->records())
    if (record.record_type() == RecordType::kSeal) wanted = std::min(wanted, record.file_end);
  return (*reader)->text_size_bytes() == wanted;
}

Result<RetentionResult> retire(Fs& files, Fs& state, const LogDir& dir, const RotatePolicy& policy,
                               std::int64_t now_ns, std::uint64_t floor_segment) {
  // The indexes are listed first: a segment that is renamed in between is then seen with its text.
  const std::vector<std::uint64_t> indexes = PMX_TRY(dir.index_segments(state));
  SealedSegments sealed = PMX_TRY(sealed_segments(files, dir));
  RetentionResult result;
  FirstError error;
  remove_packed_twins(files, sealed, result, error);
  remove_carried_indexes(files, state, dir, indexes, sealed, error);
  Kept kept;
  for (const SealedSegments::One& segment : sealed.segments) {
    ++kept.segments;
    kept.bytes += segment.size_bytes();
  }
  for (const SealedSegments::One& segment : sealed.segments) {
    if (segment.segment >= floor_segment || !too_much(kept, segment, policy, now_ns)) break;
    --kept.segments;
    kept.bytes -= segment.size_bytes();
    if (error.note(remove_segment(files, state, dir, segment)))
      count(result, segment, segment.size_bytes());
  }
  remove_orphans(state, dir, indexes, sealed, floor_segment, error);
  if (error.get()) return Error(*error.get());
  return result;
}

Result<RetentionResult> free_space(Fs& files, Fs& state, const LogDir& dir, std::uint64_t bytes,
                                   std::uint64_t floor_segment) {
  const SealedSegments sealed = PMX_TRY(sealed_segments(files, dir));
  RetentionResult result;
  FirstError error;
  for (std::size_t i = 0; i + 1 < sealed.segments.size() && result.bytes_removed < bytes; ++i) {
    const SealedSegments::One& segment = sealed.segments[i];
    if (segment.segment >= floor_segment) break;
    if (error.note(remove_segment(files, state, dir, segment)))
      count(result, segment, segment.disk_bytes());
  }
  if (error.get() && result.segments.empty()) return Error(*error.get());
  return result;
}

Result<void> remove_half_archives(Fs& files, const LogDir& dir) {
  constexpr std::string_view kTemporary = ".tmp";
  const std::string directory = directory_of(dir.active_path());
  const auto names = files.list(directory);
  if (!names && names.error().code() == Errc::kNotFound) return {};
  if (!names) return names.error();
  for (std::string_view name : *names) {
    if (!name.ends_with(kTemporary)) continue;
    name.remove_suffix(kTemporary.size());
    const auto sealed = dir.parse_sealed(name);
    if (sealed && sealed->compression != Compression::kNone)
      PMX_TRY(remove_if_there(files, dir.sealed_path(*sealed) + std::string(kTemporary)));
  }
  return {};
}

}  // namespace pmx::rotate
