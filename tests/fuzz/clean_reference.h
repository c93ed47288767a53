// A slow and obvious clean_text(): line by line, byte by byte, each rule by itself.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace pmx::ship {

// How many bytes of `text` begin a sequence of Unicode 15, table 3-7, and whether it is whole.
inline std::size_t reference_utf8_bytes(std::string_view text, bool& whole) {
  struct Range {
    unsigned char first = 0, last = 0;
  };
  struct Row {
    std::size_t size_bytes;
    std::array<Range, 4> bytes;
  };
  constexpr Range kTail{0x80, 0xBF};
  constexpr std::array kTable{
      Row{1, {Range{0x00, 0x7F}}},
      Row{2, {Range{0xC2, 0xDF}, kTail}},
      Row{3, {Range{0xE0, 0xE0}, {0xA0, 0xBF}, kTail}},
      Row{3, {Range{0xE1, 0xEC}, kTail, kTail}},
      Row{3, {Range{0xED, 0xED}, {0x80, 0x9F}, kTail}},
      Row{3, {Range{0xEE, 0xEF}, kTail, kTail}},
      Row{4, {Range{0xF0, 0xF0}, {0x90, 0xBF}, kTail, kTail}},
      Row{4, {Range{0xF1, 0xF3}, kTail, kTail, kTail}},
      Row{4, {Range{0xF4, 0xF4}, {0x80, 0x8F}, kTail, kTail}},
  };
  std::size_t longest = 0;
  whole = false;
  for (const Row& row : kTable) {
    std::size_t fits = 0;
    while (fits < row.size_bytes && fits < text.size() &&
           static_cast<unsigned char>(text[fits]) >= row.bytes[fits].first &&
           static_cast<unsigned char>(text[fits]) <= row.bytes[fits].last)
      ++fits;
    longest = std::max(longest, fits);
    whole = whole || fits == row.size_bytes;
  }
  return std::max<std::size_t>(longest, 1);
}

inline bool reference_is_utf8(std::string_view text) {
  bool whole = true;
  while (!text.empty() && whole) text.remove_prefix(reference_utf8_bytes(text, whole));
  return whole;
}

// A line without newlines; `line` begins with ESC.
inline std::size_t reference_escape_bytes(std::string_view line) {
  const auto is = [line](std::size_t at, int first, int last) {
    return at < line.size() && static_cast<unsigned char>(line[at]) >= first &&
           static_cast<unsigned char>(line[at]) <= last;
  };
  if (line.size() == 1) return 1;
  std::size_t at = 2;
  if (line[1] == '[') {
    while (is(at, 0x30, 0x3F)) ++at;
    while (is(at, 0x20, 0x2F)) ++at;
    return is(at, 0x40, 0x7E) ? at + 1 : at;
  }
  if (std::string_view("]PX^_").find(line[1]) != std::string_view::npos) {
    const std::size_t end = line.find_first_of("\x07\x1B", 2);
    if (end == std::string_view::npos) return 2;
    if (line[end] == '\x07') return end + 1;
    return is(end + 1, '\\', '\\') ? end + 2 : 2;
  }
  at = 1;
  while (is(at, 0x20, 0x2F)) ++at;
  return is(at, 0x30, 0x7E) ? at + 1 : at;
}

inline std::string reference_clean_line(std::string_view line, bool strip_ansi) {
  std::vector<std::string> between_returns{""};
  while (!line.empty()) {
    const auto byte = static_cast<unsigned char>(line[0]);
    std::size_t used = 1;
    std::string& out = between_returns.back();
    if (byte == '\r') {
      between_returns.emplace_back();
    } else if (byte == 0x1B && strip_ansi) {
      used = reference_escape_bytes(line);
    } else if (byte < 0x20 && byte != '\t' && byte != 0x1B) {
      char visible[8];
      std::snprintf(visible, sizeof visible, "\\u%04x", byte);
      out += visible;
    } else {
      bool whole = false;
      used = reference_utf8_bytes(line, whole);
      out += whole ? line.substr(0, used) : std::string_view("\xEF\xBF\xBD");
    }
    line.remove_prefix(used);
  }
  while (between_returns.size() > 1 && between_returns.back().empty()) between_returns.pop_back();
  return between_returns.back();
}

inline std::string reference_clean(std::string_view text, bool strip_ansi) {
  std::string out;
  for (;;) {
    const std::size_t newline = text.find('\n');
    out += reference_clean_line(text.substr(0, newline), strip_ansi);
    if (newline == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(newline + 1);
  }
}

}  // namespace pmx::ship
