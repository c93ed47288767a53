// Where the files of a log are and what they are called. The directories are the state: everything
// here is computed from names.
//
//   <logs>/web-out.log                                          the active segment, plain text
//   <logs>/web-out__2026-11-23T10-00-00Z_000041.log             sealed
//   <logs>/web-out__2026-11-23T10-00-00Z_000041.log.zst|.gz     sealed and packed
//   <state>/logs/web-out-<log id>/000042.idx                    index of segment 42
//   <state>/logs/web-out-<log id>/log.json                      {"path": …}: which log this is
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "base/result.h"
#include "model/log_spec.h"

namespace pmx::rotate {

struct SealedName {
  std::uint64_t segment = 0;
  std::string utc_stamp;     // "2026-11-23T10-00-00Z"
  std::uint64_t number = 0;  // Of a NAME record; 0: none ("…_000041-2.log" has 2).
  Compression compression = Compression::kNone;
};

struct SealedFile {
  SealedName name;
  std::string path;
  FileInfo info;
};

class LogDir {
 public:
  // `state_directory` is <home>/state; `active_path` is absolute.
  LogDir(std::string state_directory, std::string active_path);

  const std::string& active_path() const { return active_path_; }
  const std::string& index_directory() const { return index_directory_; }
  const std::string& directory() const { return directory_; }
  std::string index_path(std::uint64_t segment) const;
  std::string sealed_path(const SealedName& name) const;
  // Exactly this log's sealed files: another log whose name begins alike never matches.
  std::optional<SealedName> parse_sealed(std::string_view file_name) const;

  // Both answer kUnavailable for a directory that is there and cannot be read, whatever the reason.
  // Ascending; empty where there are none.
  Result<std::vector<std::uint64_t>> index_segments(Fs& fs) const;
  // Ascending by segment; packed and plain of one segment may both be there.
  Result<std::vector<SealedFile>> sealed_files(Fs& fs) const;
  // The same of a listing of directory() that is at hand: many logs share one.
  Result<std::vector<SealedFile>> sealed_files(Fs& fs, std::span<const std::string> names) const;

 private:
  std::string active_path_;
  std::string directory_;  // Of the active file.
  std::string stem_;       // Active name without ".log".
  std::string index_directory_;
};

std::string_view extension_of(Compression compression);  // "", ".gz", ".zst"

// Every log that the state directory knows: the LogDir of each <state>/logs/*/log.json.
Result<std::vector<LogDir>> known_logs(Fs& fs, const std::string& state_directory);

}  // namespace pmx::rotate
