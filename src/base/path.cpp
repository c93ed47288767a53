#include "base/path.h"

#include <filesystem>

namespace pmx {

std::string absolute_path(const std::string& base, std::string_view path,
                          std::string_view home_directory) {
  std::string full(path);
  if (!home_directory.empty() && (path == "~" || path.starts_with("~/")))
    full = std::string(home_directory) + full.substr(1);
  std::string normal = (std::filesystem::path(base) / full).lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0.
}

}  // namespace pmx
