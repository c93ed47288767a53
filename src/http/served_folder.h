// A folder as it is served: nothing outside of it can be reached, whatever links it has.
//
// Errors: kNotFound also for what is neither a file nor a folder (a FIFO, a device, a socket) and
//         for a link that leads out, which the message says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::http {

struct Entry {
  Fd fd;  // Open for reading.
  bool is_folder = false;
  std::uint64_t size_bytes = 0;
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;
};

struct ListedEntry {
  std::string name;
  bool is_folder = false;
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
};

// Opened for one request: a link that is pointed elsewhere meanwhile cannot mix two releases.
class ServedFolder {
 public:
  static Result<ServedFolder> open(const std::string& path);

  Result<Entry> entry(const std::string& path) const;  // "" is the folder itself.
  // What is in it and can be had, folders first, by name. At most kMostListed.
  enum class Dotfiles : std::uint8_t { kNo, kYes };
  Result<std::vector<ListedEntry>> list(const std::string& path, Dotfiles dotfiles) const;

  static constexpr std::size_t kMostListed = 10'000;

 private:
  explicit ServedFolder(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace pmx::http
