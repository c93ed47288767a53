// What a text must be for settings whose rule fits in no row of the table.
#pragma once

#include <string>
#include <string_view>

namespace pmx::config {

bool is_request_path(std::string_view text);     // Of HTTP: "/health?all".
bool is_expected_answer(std::string_view text);  // A status, text, or a /regular expression/.
std::string as_signal_name(std::string text);    // "term" is "SIGTERM", as people write it too.

}  // namespace pmx::config
