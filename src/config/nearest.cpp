#include "config/nearest.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace pmx::config {
namespace {

// Optimal string alignment: the usual table, two rows back for swapped neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::optional<std::string_view> nearest_name(std::string_view word,
                                             std::span<const std::string_view> known) {
  constexpr std::size_t kLongestWord =
      64;  // The table is quadratic, and a user may paste anything.
  if (word.empty() || word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string_view> best;
  std::size_t best_distance =
      std::max<std::size_t>(1, std::min<std::size_t>(2, word.size() / 3)) + 1;
  for (const std::string_view name : known) {
    const std::size_t edits = distance(word, name);
    if (edits < best_distance) {
      best = name;
      best_distance = edits;
    }
  }
  return best;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  const auto name = nearest_name(word, known);
  return name ? " (did you mean \"" + std::string(*name) + "\"?)" : "";
}

}  // namespace pmx::config
