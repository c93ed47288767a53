#include "rotate/internal/sealed_segments.h"

#include <algorithm>
#include <string>

#include "base/crash_point.h"
#include "base/time_text.h"

namespace pmx::rotate::internal {
namespace {

// "2026-11-23T10-00-00Z". A stamp that is no time is as old as can be: nobody but us writes such
// names.
std::int64_t time_of(std::string stamp) {
  std::replace(stamp.begin() + 10, stamp.end(), '-', ':');
  return parse_time(stamp, 0).value_or(0);
}

SealedSegments grouped(std::vector<SealedFile> files) {
  SealedSegments sealed;
  for (SealedFile& file : files) {
    if (sealed.segments.empty() || sealed.segments.back().segment != file.name.segment)
      sealed.segments.push_back({file.name.segment, {}, time_of(file.name.utc_stamp)});
    sealed.segments.back().files.push_back(std::move(file));
  }
  return sealed;
}

}  // namespace

std::uint64_t SealedSegments::One::size_bytes() const {
  std::uint64_t sum = 0;
  for (const SealedFile& file : files) sum += file.info.size_bytes;
  return sum;
}

std::uint64_t SealedSegments::One::disk_bytes() const {
  std::uint64_t sum = 0;
  for (const SealedFile& file : files)
    sum += std::max(file.info.size_bytes, file.info.allocated_bytes);
  return sum;
}

Result<SealedSegments> sealed_segments(Fs& files, const LogDir& dir) {
  return grouped(PMX_TRY(dir.sealed_files(files)));
}

Result<SealedSegments> sealed_segments(Fs& files, const LogDir& dir,
                                       std::span<const std::string> names) {
  return grouped(PMX_TRY(dir.sealed_files(files, names)));
}

Result<void> remove_segment(Fs& files, Fs& state, const LogDir& dir,
                            const SealedSegments::One& segment) {
  for (const SealedFile& file : segment.files) PMX_TRY(remove_if_there(files, file.path));
  crash_point(CrashPoint::kAfterRetire);
  return remove_if_there(state, dir.index_path(segment.segment));
}

Result<void> remove_if_there(Fs& fs, const std::string& path) {
  auto removed = fs.remove(path);
  if (!removed && removed.error().code() != Errc::kNotFound) return removed;
  return {};
}

}  // namespace pmx::rotate::internal
