#include "cli/text_table.h"

#include <algorithm>

namespace pmx::cli {
namespace {

std::string rule(const char* left, const char* middle, const char* right,
                 const std::vector<std::size_t>& widths) {
  std::string line = left;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (i > 0) line += middle;
    for (std::size_t n = 0; n < widths[i]; ++n) line += "─";
  }
  return line + right + "\n";
}

}  // namespace

std::size_t display_width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string fitted(std::string_view text, std::size_t width) {
  const std::size_t length = display_width(text);
  if (length <= width) return std::string(text) + std::string(width - length, ' ');
  if (width == 0) return "";
  std::size_t end = 0;
  for (std::size_t shown = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
    if (begins && shown++ == width - 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string draw_table(const Console& console, const std::vector<std::string>& head,
                       const std::vector<std::size_t>& widths,
                       const std::vector<std::vector<Cell>>& rows) {
  std::string out = rule("┌", "┬", "┐", widths);
  const auto line = [&](const std::vector<Cell>& cells) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const Cell cell = i < cells.size() ? cells[i] : Cell{};
      out += "│ " + console.paint(cell.color, fitted(cell.text, widths[i] - 2)) + " ";
    }
    out += "│\n";
  };
  if (!head.empty()) {
    std::vector<Cell> cells;
    for (const std::string& title : head) cells.push_back({title, Color::kCyan});
    line(cells);
    if (!rows.empty()) out += rule("├", "┼", "┤", widths);
  }
  for (const auto& row : rows) line(row);
  return out + rule("└", "┴", "┘", widths);
}

}  // namespace pmx::cli
