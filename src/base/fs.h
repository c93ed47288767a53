// The file system as pmx uses it, narrow enough to fake: tests/support/fault_fs.h injects ENOSPC,
// EIO, short writes and lost unsynced data through this interface.
//
// Errors:  every call answers with call, path and reason; kNoSpace leaves what was written written.
// Thread:  an Fs may be used from any thread; a File from one at a time.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pmx {

struct FileInfo {
  std::uint64_t size_bytes = 0;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  std::int64_t modified_ns = 0;
  std::uint64_t allocated_bytes = 0;
  mode_t permissions = 0;  // 07777 of its mode.
  bool is_directory = false;
  bool is_regular = false;
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // For unprivileged users, as statvfs f_bavail.
};

class File {
 public:
  virtual ~File() = default;
  virtual Result<std::size_t> writev(std::span<const iovec> parts) = 0;  // May be short.
  virtual Result<std::size_t> pwrite(std::string_view bytes, std::uint64_t offset) = 0;
  virtual Result<std::size_t> pread(std::span<char> into, std::uint64_t offset) = 0;
  virtual Result<FileInfo> info() = 0;
  // Where the last write ended: lseek(SEEK_CUR), which on O_APPEND is where *our* bytes ended.
  virtual Result<std::uint64_t> position() = 0;
  virtual Result<void> truncate(std::uint64_t size_bytes) = 0;
  virtual Result<void> reserve(std::uint64_t size_bytes) = 0;  // fallocate KEEP_SIZE; best effort.
  virtual Result<void> sync_data() = 0;
  virtual Result<void> close() = 0;  // For written files: look at the result.

  Result<void> pwrite_all(std::string_view bytes, std::uint64_t offset);
  Result<std::size_t> pread_all(std::span<char> into,
                                std::uint64_t offset);  // Short only at the end.
};

enum class OpenMode {
  kRead,
  kAppend,     // Created 0640 & umask where missing, O_APPEND | O_WRONLY.
  kReadWrite,  // Created where missing.
  kCreateNew,  // Fails with kExists.
};

class Fs {
 public:
  virtual ~Fs() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                             mode_t permissions = 0600) = 0;
  virtual Result<FileInfo> info(const std::string& path) = 0;  // Does not follow a symbolic link.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> rename_new(const std::string& from,
                                  const std::string& to) = 0;  // kExists where `to` is there.
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(
      const std::string& directory) = 0;  // Names, without . and ..
  virtual Result<void> make_directories(const std::string& path, mode_t permissions = 0700) = 0;
  virtual Result<void> sync_directory(const std::string& path) = 0;
  virtual Result<DiskSpace> disk_space(const std::string& path) = 0;

  Result<std::string> read_file(const std::string& path, std::size_t limit_bytes = 64U << 20U);
  // Write to <path>.tmp, sync where asked, rename: readers see the old or the new, never a half.
  enum class Sync { kNo, kYes };
  Result<void> replace_file(const std::string& path, std::string_view bytes,
                            mode_t permissions = 0600, Sync sync = Sync::kNo);
};

// Who reads a file: a user with all groups.
struct FileReader {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};
// A regular file as `reader` may read it (only root can ask so; nullopt: as we may). Unlike with
// RealFs, links are followed: he could follow them himself.
Result<std::string> read_file_as(const std::optional<FileReader>& reader, const std::string& path,
                                 std::size_t limit_bytes);

// Whose rights a call to the file system is made with.
struct FileOwner {
  uid_t uid;
  gid_t gid;
  auto operator<=>(const FileOwner&) const = default;
};

// The kernel's. With an owner (only for root), every call is made with that user's file system ids
// and no capabilities over files (setfsuid(2)), and the last component is never a symbolic link: a
// user who swaps his log for a link to /etc/shadow gets an error, not root's bytes.
class RealFs final : public Fs {
 public:
  explicit RealFs(std::optional<FileOwner> owner = std::nullopt) : owner_(owner) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode,
                                     mode_t permissions = 0600) override;
  Result<FileInfo> info(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> rename_new(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& path, mode_t permissions = 0700) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<DiskSpace> disk_space(const std::string& path) override;

 private:
  std::optional<FileOwner> owner_;
};

}  // namespace pmx
