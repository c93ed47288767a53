// What a file is, by the ending of its name.
#pragma once

#include <string>
#include <string_view>

namespace pmx::http {

// Text is said to be UTF-8. A name without an ending is text (LICENSE), an unknown ending is bytes
// to be saved.
std::string content_type(std::string_view name);

}  // namespace pmx::http
