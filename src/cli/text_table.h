// Tables with box characters, as cli-tableau draws PM2's.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"

namespace pmx::cli {

struct Cell {
  std::string text;
  Color color = Color::kNone;
};

// Columns of a terminal: two for what is as wide as Chinese, none for what is put on the character
// before.
std::size_t display_width(std::string_view text);
// Cut to `width` with "…" at the end where it is longer, filled with spaces where it is shorter.
std::string fitted(std::string_view text, std::size_t width);

// `widths` include one space on both sides. No head: a table of two columns without a first line.
std::string draw_table(const Console& console, const std::vector<std::string>& head,
                       const std::vector<std::size_t>& widths,
                       const std::vector<std::vector<Cell>>& rows);

}  // namespace pmx::cli
