#include "ship/internal/label_rules.h"

#include <algorithm>
#include <charconv>

namespace pmx::ship::internal {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of the UTF-8 sequence at the beginning of `text` (RFC 3629 section 4); 0: there is none.
std::size_t sequence_bytes(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t at = 1; at < size; ++at)
    if ((byte(at) & 0xC0U) != 0x80U) return 0;
  const unsigned char second = byte(1);
  if (first == 0xE0 && second < 0xA0) return 0;  // Longer than it needs to be.
  if (first == 0xED && second > 0x9F) return 0;  // A surrogate.
  if (first == 0xF0 && second < 0x90) return 0;
  if (first == 0xF4 && second > 0x8F) return 0;  // Above U+10FFFF.
  return size;
}

void append_quoted(std::string& out, std::string_view value) {
  constexpr std::string_view kFrom = "\a\b\f\n\r\t\v\\\"", kTo = "abfnrtv\\\"";
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (const char byte : value) {
    const auto code = static_cast<unsigned char>(byte);
    if (const auto at = kFrom.find(byte); at != std::string_view::npos)
      (out += '\\') += kTo[at];
    else if (code < 0x20 || code == 0x7F)
      ((out += "\\x") += kDigits[code >> 4U]) += kDigits[code & 15U];
    else
      out += byte;
  }
  out += '"';
}

// The quoted value at the beginning of `text`, which is moved behind it.
std::optional<std::string> take_quoted(std::string_view& text) {
  constexpr std::string_view kFrom = "abfnrtv\\\"", kTo = "\a\b\f\n\r\t\v\\\"";
  if (!text.starts_with('"')) return std::nullopt;
  std::string value;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      text.remove_prefix(at + 1);
      return value;
    }
    if (text[at] != '\\') {
      value += text[at];
      continue;
    }
    if (++at == text.size()) break;
    if (const auto known = kFrom.find(text[at]); known != std::string_view::npos) {
      value += kTo[known];
      continue;
    }
    unsigned code = 0;
    if (text[at] != 'x' || text.size() - at < 3) break;
    const auto [end, error] = std::from_chars(&text[at + 1], &text[at + 1] + 2, code, 16);
    if (error != std::errc() || end != &text[at + 1] + 2) break;
    value += static_cast<char>(code);
    at += 2;
  }
  return std::nullopt;
}

}  // namespace

std::string label_name(std::string_view name) {
  std::string fit;
  for (const char c : name.substr(0, kMaxLabelNameBytes))
    fit += is_letter(c) || is_digit(c) ? c : '_';
  // Names with two underscores in front are the store's own.
  if (const auto from = fit.find_first_not_of('_'); from != std::string::npos && from >= 2)
    fit.erase(0, from - 1);
  if (!fit.empty() && is_digit(fit[0])) fit.insert(fit.begin(), '_');
  return fit.find_first_not_of('_') == std::string::npos ? "" : fit;
}

std::string label_value(std::string_view value) {
  std::string fit;
  while (!value.empty()) {
    const std::size_t size = sequence_bytes(value);
    const std::string_view piece = size == 0 ? "\xEF\xBF\xBD" : value.substr(0, size);
    if (fit.size() + piece.size() > kMaxLabelValueBytes) break;
    fit += piece;
    value.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return fit;
}

std::string labels_text(const LabelMap& labels) {
  std::string text = "{";
  for (const auto& [name, value] : labels) {
    if (text.size() > 1) text += ", ";
    text += name;
    text += '=';
    append_quoted(text, value);
  }
  return text + "}";
}

std::optional<LabelMap> parse_labels(std::string_view text) {
  LabelMap labels;
  if (!text.starts_with('{') || !text.ends_with('}')) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    std::string name(text.substr(0, equals));
    text.remove_prefix(equals + 1);
    auto value = take_quoted(text);
    if (!value || label_name(name) != name) return std::nullopt;
    labels.emplace(std::move(name), std::move(*value));
    if (text.starts_with(", "))
      text.remove_prefix(2);
    else if (!text.empty())
      return std::nullopt;
  }
  return labels;
}

std::string_view metadata_name(std::string_view field) {
  for (const std::string_view name : {"trace_id", "traceId", "trace.id", "traceID", "traceid"})
    if (field == name) return "trace_id";
  for (const std::string_view name : {"span_id", "spanId", "span.id", "spanID", "spanid"})
    if (field == name) return "span_id";
  return "";
}

}  // namespace pmx::ship::internal
