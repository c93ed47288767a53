// Which version a node program is, as it says itself. Asked once: the answer is kept in a file by
// path, time and size of the program.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pmx::config {

// "20.1.0"; nullopt where the program does not say. `cache_file` is made where it is missing, and
// done without where it cannot be.
std::optional<std::string> node_version(const std::string& node, const std::string& cache_file);
std::string node_version_cache(const std::string& home);  // The file of a home.

// Of an app's interpreter, in the PATH and directory that the app has; nullopt where it is no node.
std::optional<std::string> interpreter_version(std::string_view interpreter, std::string_view path,
                                               const std::string& cwd,
                                               const std::string& cache_file);

bool is_at_least(std::string_view version, std::int64_t major, std::int64_t minor);

}  // namespace pmx::config
