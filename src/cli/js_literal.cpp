#include "cli/js_literal.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/units.h"

namespace pmx::cli {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }
bool is_pair(char lead) { return static_cast<unsigned char>(lead) >= 0xF0U; }

char quote_for(std::string_view text) {
  const auto has = [text](std::string_view part) { return text.find(part) != text.npos; };
  if (!has("'")) return '\'';
  if (!has("\"")) return '"';
  return has("`") || has("${") ? '\'' : '`';
}

template <typename... Values>
std::string printed(const char* format, Values... values) {
  char out[16];
  return {out, static_cast<std::size_t>(std::snprintf(out, sizeof out, format, values...))};
}

// "" for what stands as it is.
std::string escape_of_byte(unsigned char byte, char quote) {
  switch (byte) {
    case '\b':
      return "\\b";
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\f':
      return "\\f";
    case '\r':
      return "\\r";
    default:
      if (byte < 0x20U || byte == 0x7FU) return printed("\\x%02X", static_cast<unsigned>(byte));
      // Of the three quotes only the single one is escaped: the others are chosen where they are
      // not in the text.
      if (byte == '\\' || (byte == '\'' && quote == '\'')) return {'\\', static_cast<char>(byte)};
      return "";
  }
}

}  // namespace

std::string js_number(double number) {
  if (number == 0) return std::signbit(number) ? "-0" : "0";
  char out[32];
  const auto end = std::to_chars(out, out + sizeof out, number, std::chars_format::scientific).ptr;
  std::string_view text(out, static_cast<std::size_t>(end - out));  // -d.ddde+dd
  const std::string sign(text.starts_with('-') ? "-" : "");
  text.remove_prefix(sign.size());
  const std::size_t e = text.find('e');
  std::string digits(text.substr(0, e));
  if (digits.size() > 1) digits.erase(1, 1);
  const std::string_view power = text.substr(e + 1);
  const auto exponent = *parse_integer(power.substr(power.front() == '+' ? 1 : 0));
  const auto count = static_cast<std::int64_t>(digits.size());
  // The limits are ECMA-262's, Number::toString.
  if (exponent >= 21 || exponent < -6) {
    if (count > 1) digits.insert(1, ".");
    return sign + digits + (exponent < 0 ? "e-" : "e+") + std::to_string(std::abs(exponent));
  }
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (exponent + 1 >= count)
    return sign + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0');
  return sign + digits.insert(static_cast<std::size_t>(exponent + 1), ".");
}

std::string js_string(std::string_view text) {
  const char quote = quote_for(text);
  std::string out(1, quote);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (byte == 0xC2U && next < 0xA0U) {  // U+0080 to U+009F: control characters too.
      out += printed("\\x%02X", next);
      i += 1;
    } else if (byte == 0xEDU && next >= 0xA0U && i + 2 < text.size()) {  // See js_prefix().
      out += printed("\\ud%x%02x", (next & 0x3FU) >> 2U,
                     (next & 3U) << 6U | (static_cast<unsigned char>(text[i + 2]) & 0x3FU));
      i += 2;
    } else if (const std::string escape = escape_of_byte(byte, quote); !escape.empty()) {
      out += escape;
    } else {
      out += text[i];
    }
  }
  return out += quote;
}

std::size_t js_length(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text)
    if (!is_continuation(c)) units += is_pair(c) ? 2 : 1;
  return units;
}

std::string js_prefix(std::string_view text, std::size_t units) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_continuation(text[i])) continue;
    if (seen == units) return std::string(text.substr(0, i));
    seen += is_pair(text[i]) ? 2 : 1;
    if (seen <= units || i + 3 >= text.size()) continue;
    const auto bits = [&](std::size_t at) {
      return static_cast<unsigned char>(text[i + at]) & 0x3FU;
    };
    const unsigned code = (bits(0) & 7U) << 18U | bits(1) << 12U | bits(2) << 6U | bits(3);
    const unsigned half = 0xD800U + ((code - 0x10000U) >> 10U);
    return std::string(text.substr(0, i)) + static_cast<char>(0xEDU) +
           static_cast<char>(0x80U | (half >> 6U & 0x3FU)) +
           static_cast<char>(0x80U | (half & 0x3FU));
  }
  return std::string(text);
}

}  // namespace pmx::cli
