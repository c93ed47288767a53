#include "cli/logs_format.h"

#include "cli/terminal_colors.h"
#include "rotate/line_record.h"

namespace pmx::cli {
namespace {

using namespace colors;

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

unsigned char at(std::string_view text, std::size_t i) {
  return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
}

// "\x1b[1;31m" at the start of the text: its length; 0: something else.
std::size_t sgr_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const std::size_t end = text.find_first_not_of("0123456789;:", 2);
  return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

// Of a well-formed UTF-8 sequence (Unicode 15, table 3-7); 0: none begins here, and `bad` bytes are
// one maximal wrong part.
std::size_t utf8_length(std::string_view text, std::size_t& bad) {
  const unsigned char first = at(text, 0);
  std::size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF)
    length = 2;
  else if (first >= 0xE0 && first <= 0xEF)
    length = 3;
  else if (first >= 0xF0 && first <= 0xF4)
    length = 4;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (bad = 1; bad < length; ++bad) {
    if (at(text, bad) < low || at(text, bad) > high) return 0;
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

rotate::LineFacts facts_of(const LineStyle& style, const LineOrigin& origin,
                           const rotate::LogLine& line) {
  return {style.timestamp ? style.timestamp->format(line.time_ns) : iso_time(line.time_ns),
          line.dropped_notice || origin.own_log ? "pmx" : name_of(origin.kind), origin.worker,
          origin.app_name};
}

void append_pairs(std::string& out, const LineStyle& style, const LineOrigin& origin,
                  const rotate::LogLine& line) {
  rotate::append_pairs_before_text(out, facts_of(style, origin, line), "");
  append_marked(out, style, without_date(line), style.terminal ? Bytes::kShown : Bytes::kAsTheyAre);
  out += '\n';
}

std::string_view color_of(const LineOrigin& origin, const rotate::LogLine& line) {
  if (line.dropped_notice) return kYellow;
  if (origin.own_log) return kBlue;
  return origin.kind == StreamKind::kErr ? kRed : kGreen;
}

}  // namespace

void append_for_terminal(std::string& out, std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  bool colored = false;
  while (!text.empty()) {
    const unsigned char c = at(text, 0);
    std::size_t taken = 1;
    if (c >= 0x20 && c < 0x7F) {
      while (at(text, taken) >= 0x20 && at(text, taken) < 0x7F) ++taken;
      out += text.substr(0, taken);
    } else if (c == '\t') {
      out += '\t';
    } else if (c == 0x1B && sgr_length(text) > 0) {
      taken = sgr_length(text);
      out += text.substr(0, taken);
      colored = true;
    } else if (c < 0x20 || c == 0x7F) {
      out += '^';
      out += static_cast<char>(c ^ 0x40U);
    } else if (c == 0xC2 && at(text, 1) >= 0x80 && at(text, 1) < 0xA0) {
      out += "^[";
      out += static_cast<char>(at(text, 1) - 0x40);
      taken = 2;
    } else {
      std::size_t bad = 1;
      taken = utf8_length(text, bad);
      out += taken > 0 ? text.substr(0, taken) : kReplacement;
      if (taken == 0) taken = bad;
    }
    text.remove_prefix(taken);
  }
  if (colored) out += kReset;  // The next line must not have this one's colour.
}

void append_marked(std::string& out, const LineStyle& style, std::string_view text, Bytes bytes) {
  const auto append = [&](std::string_view part) {
    if (bytes == Bytes::kShown)
      append_for_terminal(out, part);
    else
      out += part;
  };
  const std::size_t found =
      style.highlight.empty() || !style.color ? std::string_view::npos : text.find(style.highlight);
  if (found == std::string_view::npos) return append(text);
  append(text.substr(0, found));
  out += kBackground;
  append(style.highlight);
  out += kNoBackground;
  append(text.substr(found + style.highlight.size()));
}

void append_prefix(std::string& out, const LineStyle& style, const LineOrigin& origin,
                   const rotate::LogLine& line) {
  if (style.timestamp) {
    if (style.color) out.append(kDim).append(kGray);
    style.timestamp->append(out, line.time_ns);
    out += ' ';
    if (style.color) out.append(kDefault).append(kNormal);
  }
  if (style.color) out += color_of(origin, line);
  const std::size_t begin = out.size();
  if (style.terminal)
    append_for_terminal(out, origin.label);
  else
    out += origin.label;
  const std::size_t width = out.size() - begin;
  if (width < style.label_width) out.append(style.label_width - width, ' ');
  out += " | ";
  if (style.color) out += kDefault;
}

void append_line(std::string& out, const LineStyle& style, const LineOrigin& origin,
                 const rotate::LogLine& line) {
  if (style.form == LineStyle::Form::kJson)
    return rotate::append_json_record(out, line, facts_of(style, origin, line));
  if (style.form == LineStyle::Form::kPairs) return append_pairs(out, style, origin, line);
  if (style.form != LineStyle::Form::kRaw) append_prefix(out, style, origin, line);
  append_marked(out, style, line.text, style.terminal ? Bytes::kShown : Bytes::kAsTheyAre);
  out += '\n';
}

std::string tail_header(const LineStyle& style, std::size_t lines, std::string_view target) {
  std::string text;
  if (style.color) text.append(kBold).append(kGray);
  text += "[TAILING] Tailing last " + std::to_string(lines) + " lines for [" + std::string(target) +
          (target == "all" ? "] processes" : "] process") +
          " (change the value with --lines option)";
  if (style.color) text.append(kDefault).append(kNormal);
  return text + "\n";
}

}  // namespace pmx::cli
