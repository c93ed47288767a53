// What a watcher of trees needs to know of paths: the way from / to a root, every step of which may
// be replaced, and directories below a root, reached without following a symbolic link.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::supervisor::internal {

struct PathWay {
  enum class Kind : std::uint8_t { kNothing, kDirectory, kOther } kind = Kind::kNothing;
  // What is to be watched for in `directory`, whose own path has no symbolic link.
  struct Step {
    enum class Watch : std::uint8_t {
      kSelf,     // That it is moved or removed.
      kRemoval,  // The same of `name`, whose own end is not told while somebody is in it.
      kName,     // Whatever happens to `name`: a link, a file, or what is not there yet.
    } watch;
    std::string directory, name;
    bool operator==(const Step&) const = default;
  };
  std::vector<Step> steps;
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const PathWay&) const = default;
};
PathWay way_to(const std::string& absolute_path);

// `root` may be a symbolic link; nothing in `relative` may. "": the root.
Result<Fd> open_directory_below(const std::string& root, std::string_view relative);

// The entries of a directory, one by one.
class DirectoryEntries {
 public:
  struct Entry {
    std::string name;
    bool is_directory = false;
  };
  static Result<DirectoryEntries> of(Fd directory);
  std::optional<Entry> next();  // nullopt at the end, and where it cannot be read on.

 private:
  struct Close {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  explicit DirectoryEntries(DIR* stream) : stream_(stream) {}
  std::unique_ptr<DIR, Close> stream_;
};

}  // namespace pmx::supervisor::internal
