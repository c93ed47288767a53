// What is on the disk at a path, as resolving an app needs to know it. Follows symbolic links,
// because a program in PATH often is one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pmx::config {

bool is_file(const std::string& path);
bool is_executable_file(const std::string& path);
bool is_directory(const std::string& path);
std::string first_bytes(const std::string& path);  // At most 512; "" where it cannot be read.
// `path` is PATH's value; our own where not given.
std::optional<std::string> find_in_path(std::string_view program);
std::optional<std::string> find_in_path(std::string_view program, std::string_view path);

std::string_view extension(std::string_view path);  // ".js" or "".
std::string_view directory_of(std::string_view path);

}  // namespace pmx::config
