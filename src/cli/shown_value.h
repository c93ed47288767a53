// Which variables of an environment are shown, and which only named: what looks like a secret is
// hidden, by the words of its name or by what the value is.
#pragma once

#include <string>
#include <string_view>

namespace pmx::cli {

enum class Reveal { kNo, kYes };

bool looks_secret(std::string_view name);

// The value, or "[secret]"; of a URL only the password is hidden.
std::string shown_value(std::string_view name, std::string_view value, Reveal reveal);

}  // namespace pmx::cli
