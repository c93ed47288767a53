// Paths as text: nothing is looked up.
#pragma once

#include <string>
#include <string_view>

namespace pmx {

// As path.resolve(base, path), with ~ for `home_directory` where that is given.
std::string absolute_path(const std::string& base, std::string_view path,
                          std::string_view home_directory = {});
std::string_view base_name(std::string_view path);

}  // namespace pmx
