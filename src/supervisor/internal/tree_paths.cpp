#include "supervisor/internal/tree_paths.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <utility>

#include "base/sys.h"

namespace pmx::supervisor::internal {
namespace {

using Step = PathWay::Step;
constexpr int kMostLinks = 40;  // As the kernel's.

std::deque<std::string> names_of(std::string_view path) {
  std::deque<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (!name.empty() && name != ".") names.emplace_back(name);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  }
  return names;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

}  // namespace

PathWay way_to(const std::string& absolute_path) {
  PathWay way;
  std::deque<std::string> rest = names_of(absolute_path);
  std::string at = "/";
  struct stat info {};
  if (rest.empty() && ::lstat("/", &info) == 0) way.kind = PathWay::Kind::kDirectory;
  for (int links = 0; !rest.empty();) {
    const std::string name = std::exchange(rest.front(), {});
    rest.pop_front();
    if (name == "..") {
      at = parent_of(at);
      continue;
    }
    const std::string path = (at == "/" ? "" : at) + "/" + name;
    const bool there = ::lstat(path.c_str(), &info) == 0;
    if (there && S_ISDIR(info.st_mode)) {
      way.steps.push_back({rest.empty() ? Step::Watch::kRemoval : Step::Watch::kSelf, at, name});
      at = path;
      if (rest.empty()) way.kind = PathWay::Kind::kDirectory;
      continue;
    }
    way.steps.push_back({Step::Watch::kName, at, name});
    if (there && S_ISLNK(info.st_mode) && ++links <= kMostLinks) {
      std::array<char, PATH_MAX> target;
      const ssize_t size = ::readlink(path.c_str(), target.data(), target.size());
      if (size <= 0) return way;
      const std::string_view text(target.data(), static_cast<std::size_t>(size));
      if (text.front() == '/') at = "/";
      const std::deque<std::string> names = names_of(text);
      rest.insert(rest.begin(), names.begin(), names.end());
      // A link to "/" or "..": what it leads to has been looked at, or is always there.
      if (rest.empty() && ::lstat(at.c_str(), &info) == 0) way.kind = PathWay::Kind::kDirectory;
      continue;
    }
    if (!there || !rest.empty() || S_ISLNK(info.st_mode)) return way;
    way.kind = PathWay::Kind::kOther;
  }
  if (way.kind == PathWay::Kind::kNothing) return way;
  way.device = info.st_dev;
  way.inode = info.st_ino;
  return way;
}

Result<Fd> open_directory_below(const std::string& root, std::string_view relative) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC;
  Fd at = PMX_TRY(sys::open(root, kFlags));
  for (const std::string& name : names_of(relative)) {
    Fd next(::openat(at.get(), name.c_str(), kFlags | O_NOFOLLOW));
    if (!next) return system_error(errno, "open", root + "/" + std::string(relative));
    at = std::move(next);
  }
  return at;
}

Result<DirectoryEntries> DirectoryEntries::of(Fd directory) {
  DIR* const stream = ::fdopendir(directory.get());
  if (stream == nullptr) return system_error(errno, "fdopendir");
  (void)directory.release();  // The stream's from here on.
  return DirectoryEntries(stream);
}

std::optional<DirectoryEntries::Entry> DirectoryEntries::next() {
  while (const dirent* const entry = ::readdir(stream_.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN) {
      struct stat info {};
      is_directory =
          ::fstatat(::dirfd(stream_.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
          S_ISDIR(info.st_mode);
    }
    return Entry{std::string(name), is_directory};
  }
  return std::nullopt;
}

}  // namespace pmx::supervisor::internal
