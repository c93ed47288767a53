#include "http/served_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <tuple>

#include "base/sys.h"

namespace pmx::http {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

Error not_found(const std::string& path, std::string_view why) {
  return {Errc::kNotFound, path + ": " + std::string(why)};
}

// Even to open one may do something: a FIFO's writer goes on.
bool is_special(unsigned char type) {
  return type == DT_FIFO || type == DT_SOCK || type == DT_CHR || type == DT_BLK;
}

}  // namespace

Result<ServedFolder> ServedFolder::open(const std::string& path) {
  return ServedFolder(PMX_TRY(sys::open(path, O_RDONLY | O_DIRECTORY)));
}

Result<Entry> ServedFolder::entry(const std::string& path) const {
  // O_NONBLOCK: a FIFO, or a file with a lease, must keep nobody waiting.
  Result<Fd> fd =
      sys::open_below(fd_.get(), path.empty() ? "." : path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!fd && fd.error().sys_errno() == EXDEV) return not_found(path, "a link leads out");
  if (!fd) return std::move(fd).error();
  struct stat info {};
  if (::fstat(fd->get(), &info) < 0) return system_error(errno, "fstat", path);
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
    return not_found(path, "neither a file nor a folder");
  Entry entry;
  entry.fd = std::move(*fd);
  entry.is_folder = S_ISDIR(info.st_mode);
  entry.size_bytes = static_cast<std::uint64_t>(info.st_size);
  entry.inode = info.st_ino;
  entry.modified_ns = info.st_mtim.tv_sec * kNsPerSecond + info.st_mtim.tv_nsec;
  return entry;
}

Result<std::vector<ListedEntry>> ServedFolder::list(const std::string& path,
                                                    Dotfiles dotfiles) const {
  Entry folder = PMX_TRY(entry(path));
  const std::unique_ptr<DIR, CloseDirectory> directory(::fdopendir(folder.fd.get()));
  if (!directory) return system_error(errno, "fdopendir", path);
  (void)folder.fd.release();  // The DIR's now.
  std::vector<ListedEntry> entries;
  while (entries.size() < kMostListed) {
    errno = 0;
    const dirent* const next = ::readdir(directory.get());
    if (next == nullptr && errno != 0) return system_error(errno, "readdir", path);
    if (next == nullptr) break;
    const std::string name = next->d_name;
    if (name == "." || name == ".." || (name.front() == '.' && dotfiles == Dotfiles::kNo)) continue;
    if (is_special(next->d_type)) continue;
    // Opened as a request would: what a link leads to is shown if it can be had.
    const auto found = entry(path.empty() ? name : path + "/" + name);
    if (found) entries.push_back({name, found->is_folder, found->size_bytes, found->modified_ns});
  }
  std::sort(entries.begin(), entries.end(), [](const ListedEntry& a, const ListedEntry& b) {
    return std::tuple(!a.is_folder, a.name) < std::tuple(!b.is_folder, b.name);
  });
  return entries;
}

}  // namespace pmx::http
