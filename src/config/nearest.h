// "Did you mean …": the known name that is nearest to a mistyped one.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pmx::config {

// By edit distance (insertions, deletions, changes, swaps of neighbours); nullopt when nothing is
// near enough to be meant: more than two edits, or more than a third of the word.
std::optional<std::string_view> nearest_name(std::string_view word,
                                             std::span<const std::string_view> known);

// " (did you mean \"web\"?)" or "".
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace pmx::config
