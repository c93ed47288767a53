// Signals by the names that signal(7) gives them: "SIGUSR2".
//
// Thread:  any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pmx {

std::optional<int> signal_number(std::string_view name);  // "SIGIOT" and "SIGIO" as well.
std::string signal_name(int number);                      // "64" where it has no name.

}  // namespace pmx
