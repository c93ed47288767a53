#include "cli/text_table.h"

#include <locale.h>
#include <wchar.h>

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

// wcwidth(3) knows the characters of the thread's locale only, and no program of ours sets one.
class Utf8Locale {
 public:
  Utf8Locale() : before_(::uselocale(utf8())) {}
  ~Utf8Locale() { ::uselocale(before_); }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  static locale_t utf8() {
    static const locale_t made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return made;
  }
  const locale_t before_;
};

struct Character {
  std::size_t bytes = 1;
  std::size_t columns = 1;
};

Character first_of(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  Character first;
  if (byte(0) < 0x80U) return {1, byte(0) < 0x20U || byte(0) == 0x7FU ? 0U : 1U};
  while (first.bytes < std::min<std::size_t>(4, text.size()) &&
         (byte(first.bytes) & 0xC0U) == 0x80U)
    ++first.bytes;
  if (first.bytes == 1) return first;  // No UTF-8: one mark for it.
  unsigned code = byte(0) & (0xFFU >> (first.bytes + 1));
  for (std::size_t i = 1; i < first.bytes; ++i) code = code << 6U | (byte(i) & 0x3FU);
  // Negative: a control character, or one that is newer than the C library.
  const int columns = ::wcwidth(static_cast<wchar_t>(code));
  if (columns >= 0)
    first.columns = static_cast<std::size_t>(columns);
  else if (code < 0xA0U)
    first.columns = 0;
  return first;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  const Utf8Locale locale;
  while (!text.empty()) {
    const Character first = first_of(text);
    columns += first.columns;
    text.remove_prefix(first.bytes);
  }
  return columns;
}

std::string fitted(std::string_view text, std::size_t width) {
  const std::size_t length = display_width(text);
  if (length <= width) return std::string(text) + std::string(width - length, ' ');
  if (width == 0) return "";
  const Utf8Locale locale;
  std::size_t end = 0, columns = 0;
  for (;;) {
    const Character next = first_of(text.substr(end));
    if (columns + next.columns > width - 1) break;
    columns += next.columns;
    end += next.bytes;
  }
  return std::string(text.substr(0, end)) + "…" + std::string(width - 1 - columns, ' ');
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
