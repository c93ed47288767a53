#include "base/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/sys.h"

namespace pmx {
namespace {

// The calling thread's file system ids while it lives. Raw setgroups: glibc's would change all
// threads of the process (nptl(7)).
class ActAs {
 public:
  explicit ActAs(const std::optional<FileOwner>& owner, std::span<const gid_t> groups = {})
      : active_(owner && ::geteuid() == 0) {
    if (!active_) return;
    group_count_ = ::getgroups(static_cast<int>(kMaxGroups), groups_);
    ::syscall(SYS_setgroups, groups.size(), groups.data());
    ::setfsgid(owner->gid);
    ::setfsuid(owner->uid);
  }
  ~ActAs() {
    if (!active_) return;
    const int keep = errno;
    ::setfsuid(0);
    ::setfsgid(::getegid());
    if (group_count_ >= 0) ::syscall(SYS_setgroups, group_count_, groups_);
    errno = keep;
  }
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  static constexpr std::size_t kMaxGroups = 256;
  bool active_;
  int group_count_ = 0;
  gid_t groups_[kMaxGroups];
};

FileInfo info_of(const struct stat& st) {
  FileInfo info;
  info.size_bytes = static_cast<std::uint64_t>(st.st_size);
  info.inode = st.st_ino;
  info.device = st.st_dev;
  info.modified_ns = st.st_mtim.tv_sec * 1'000'000'000LL + st.st_mtim.tv_nsec;
  info.allocated_bytes = static_cast<std::uint64_t>(st.st_blocks) * 512;
  info.permissions = st.st_mode & 07777U;
  info.is_directory = S_ISDIR(st.st_mode);
  info.is_regular = S_ISREG(st.st_mode);
  return info;
}

class RealFile final : public File {
 public:
  RealFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> writev(std::span<const iovec> parts) override {
    return counted(::writev(fd_.get(), parts.data(), static_cast<int>(parts.size())), "write");
  }
  Result<std::size_t> pwrite(std::string_view bytes, std::uint64_t offset) override {
    return counted(::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
                   "write");
  }
  Result<std::size_t> pread(std::span<char> into, std::uint64_t offset) override {
    return counted(::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset)),
                   "read");
  }
  Result<FileInfo> info() override {
    struct stat st {};
    if (::fstat(fd_.get(), &st) < 0) return system_error(errno, "stat", path_);
    return info_of(st);
  }
  Result<std::uint64_t> position() override {
    const off_t at = ::lseek(fd_.get(), 0, SEEK_CUR);
    if (at < 0) return system_error(errno, "seek", path_);
    return static_cast<std::uint64_t>(at);
  }
  Result<void> truncate(std::uint64_t size_bytes) override {
    return done(::ftruncate(fd_.get(), static_cast<off_t>(size_bytes)), "truncate");
  }
  Result<void> reserve(std::uint64_t size_bytes) override {
    return done(::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size_bytes)),
                "fallocate");
  }
  Result<void> sync_data() override { return done(::fdatasync(fd_.get()), "sync"); }
  Result<void> close() override {
    auto closed = sys::close(std::move(fd_));
    if (!closed) return std::move(closed).error().within(path_);
    return {};
  }

 private:
  Result<std::size_t> counted(ssize_t n, std::string_view call) {
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno == EINTR) return std::size_t{0};  // Nothing was taken: callers go on from there.
    return system_error(errno, call, path_);
  }
  Result<void> done(int result, std::string_view call) {
    if (result < 0) return system_error(errno, call, path_);
    return {};
  }

  Fd fd_;
  std::string path_;
};

int flags_of(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kAppend:
      return O_WRONLY | O_APPEND | O_CREAT;
    case OpenMode::kReadWrite:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateNew:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

Result<void> done(int result, std::string_view call, std::string_view object) {
  if (result < 0) return system_error(errno, call, object);
  return {};
}

}  // namespace

Result<void> File::pwrite_all(std::string_view bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const std::size_t n = PMX_TRY(pwrite(bytes, offset));
    bytes.remove_prefix(n);
    offset += n;
  }
  return {};
}

Result<std::size_t> File::pread_all(std::span<char> into, std::uint64_t offset) {
  std::size_t got = 0;
  while (got < into.size()) {
    const std::size_t n = PMX_TRY(pread(into.subspan(got), offset + got));
    if (n == 0) break;
    got += n;
  }
  return got;
}

Result<std::string> Fs::read_file(const std::string& path, std::size_t limit_bytes) {
  auto file = PMX_TRY(open(path, OpenMode::kRead, 0));
  const FileInfo found = PMX_TRY(file->info());
  if (found.size_bytes > limit_bytes)
    return corrupt(path + " has " + std::to_string(found.size_bytes) +
                   " bytes, which cannot be right");
  std::string bytes(found.size_bytes, '\0');
  bytes.resize(PMX_TRY(file->pread_all(bytes, 0)));
  return bytes;
}

Result<void> Fs::replace_file(const std::string& path, std::string_view bytes, mode_t permissions,
                              Sync sync) {
  const std::string temporary = path + ".tmp";
  (void)remove(temporary);  // A leftover of a crash; where it cannot go, the next line says why.
  auto file = PMX_TRY(open(temporary, OpenMode::kCreateNew, permissions));
  PMX_TRY(file->pwrite_all(bytes, 0));
  if (sync == Sync::kYes) PMX_TRY(file->sync_data());
  PMX_TRY(file->close());
  PMX_TRY(rename(temporary, path));
  if (sync == Sync::kYes) PMX_TRY(sync_directory(path.substr(0, path.rfind('/'))));
  return {};
}

Result<std::string> read_file_as(const std::optional<FileReader>& reader, const std::string& path,
                                 std::size_t limit_bytes) {
  std::optional<FileOwner> owner;
  if (reader) owner = FileOwner{reader->uid, reader->gid};
  const ActAs user(owner,
                   reader ? std::span<const gid_t>(reader->groups) : std::span<const gid_t>());
  const Fd fd = PMX_TRY(sys::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat st {};
  if (::fstat(fd.get(), &st) < 0) return system_error(errno, "stat", path);
  if (!S_ISREG(st.st_mode)) return invalid(path + " is no regular file");
  if (static_cast<std::uint64_t>(st.st_size) > limit_bytes)
    return invalid(path + " has " + std::to_string(st.st_size) + " bytes, more than " +
                   std::to_string(limit_bytes));
  return sys::read_all(fd.get(), limit_bytes);
}

Result<std::unique_ptr<File>> RealFs::open(const std::string& path, OpenMode mode,
                                           mode_t permissions) {
  const ActAs user(owner_);
  // O_NONBLOCK: a FIFO put in a log's place must not hang us; it has no effect on regular files.
  const int extra = owner_ ? O_NOFOLLOW | O_NONBLOCK : O_NONBLOCK;
  Fd fd = PMX_TRY(sys::open(path, flags_of(mode) | extra | O_NOCTTY, permissions));
  return std::unique_ptr<File>(std::make_unique<RealFile>(std::move(fd), path));
}

Result<FileInfo> RealFs::info(const std::string& path) {
  const ActAs user(owner_);
  struct stat st {};
  // A log that the user himself links elsewhere is his wish; only with an owner links are refused.
  const int result = owner_ ? ::lstat(path.c_str(), &st) : ::stat(path.c_str(), &st);
  if (result < 0) return system_error(errno, "stat", path);
  return info_of(st);
}

Result<void> RealFs::rename(const std::string& from, const std::string& to) {
  const ActAs user(owner_);
  return done(::rename(from.c_str(), to.c_str()), "rename", from + " to " + to);
}

Result<void> RealFs::rename_new(const std::string& from, const std::string& to) {
  const ActAs user(owner_);
  constexpr unsigned kNoReplace = 1;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), kNoReplace) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return system_error(errno, "rename", from + " to " + to);
  // NFS and old file systems: a link fails where the name is taken, as the flag would.
  PMX_TRY(done(::link(from.c_str(), to.c_str()), "link", from + " to " + to));
  return done(::unlink(from.c_str()), "unlink", from);
}

Result<void> RealFs::remove(const std::string& path) {
  const ActAs user(owner_);
  return done(::unlink(path.c_str()), "unlink", path);
}

Result<std::vector<std::string>> RealFs::list(const std::string& directory) {
  const ActAs user(owner_);
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) return system_error(errno, "open", directory);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
    errno = 0;
  }
  const int failed = errno;
  ::closedir(stream);
  if (failed != 0) return system_error(failed, "read", directory);
  return names;
}

Result<void> RealFs::make_directories(const std::string& path, mode_t permissions) {
  const ActAs user(owner_);
  for (std::size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), at == std::string::npos ? permissions : 0755) < 0 && errno != EEXIST)
      return system_error(errno, "mkdir", part);
    if (at == std::string::npos) break;
  }
  struct stat st {};
  if (::stat(path.c_str(), &st) == 0 && !S_ISDIR(st.st_mode))
    return system_error(ENOTDIR, "mkdir", path);
  return {};
}

Result<void> RealFs::sync_directory(const std::string& path) {
  const ActAs user(owner_);
  const Fd fd = PMX_TRY(sys::open(path, O_RDONLY | O_DIRECTORY));
  return done(::fsync(fd.get()), "sync", path);
}

Result<DiskSpace> RealFs::disk_space(const std::string& path) {
  const ActAs user(owner_);
  struct statvfs st {};
  if (::statvfs(path.c_str(), &st) < 0) return system_error(errno, "statvfs", path);
  return DiskSpace{static_cast<std::uint64_t>(st.f_blocks) * st.f_frsize,
                   static_cast<std::uint64_t>(st.f_bavail) * st.f_frsize};
}

}  // namespace pmx
