#include "config/internal/path_lookup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/path.h"
#include "base/sys.h"

namespace pmx::config {
namespace {
constexpr std::size_t kHeadBytes = 512;  // What PM2 looks at to tell a binary from text.
constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";
}  // namespace

bool is_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode);
}

bool is_executable_file(const std::string& path) {
  return is_file(path) && ::access(path.c_str(), X_OK) == 0;
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string first_bytes(const std::string& path) {
  // Not blocking: the path may be a FIFO.
  Result<Fd> fd = sys::open(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return "";
  std::string head(kHeadBytes, '\0');
  const Result<std::size_t> got = sys::read(fd->get(), head);
  head.resize(got ? *got : 0);
  return head;
}

std::optional<std::string> find_in_path(std::string_view program) {
  const char* path = std::getenv("PATH");
  return find_in_path(program, path != nullptr ? path : kDefaultPath);
}

std::optional<std::string> find_in_path(std::string_view program, std::string_view path) {
  if (program.empty() || program.find('/') != std::string_view::npos) return std::nullopt;
  while (true) {
    const std::size_t colon = path.find(':');
    const std::string_view directory = path.substr(0, colon);
    std::string candidate(directory.empty() ? "." : directory);
    candidate += '/';
    candidate += program;
    if (is_executable_file(candidate)) return candidate;
    if (colon == std::string_view::npos) return std::nullopt;
    path.remove_prefix(colon + 1);
  }
}

std::string_view extension(std::string_view path) {
  const std::string_view name = base_name(path);
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? "" : name.substr(dot);
}

std::string_view directory_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace pmx::config
