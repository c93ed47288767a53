#include "rotate/render.h"

#include <array>
#include <limits>

namespace pmx::rotate {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD.

// What stands for itself inside a JSON string.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t byte = 0x20; byte < 0x80; ++byte) plain[byte] = byte != '"' && byte != '\\';
  return plain;
}();

void append_escape(unsigned char byte, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
  }
}

struct Sequence {
  std::size_t size_bytes;
  bool valid;
};

// The UTF-8 sequence at the start of `text`, by table 3-7 of the Unicode standard. Of a bad one,
// the part that one U+FFFD stands for: the longest start of a good sequence, as browsers and Node
// count.
Sequence utf8_sequence(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  unsigned char low = 0x80, high = 0xBF;  // Of the second byte.
  if (lead == 0xE0) low = 0xA0;           // Else it would be longer than needed,
  if (lead == 0xED) high = 0x9F;          // a surrogate,
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;  // or above U+10FFFF.
  for (std::size_t i = 1; i < size; ++i) {
    if (i >= text.size() || at(i) < low || at(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

void append_json_text(std::string_view text, std::string& out) {
  while (!text.empty()) {
    std::size_t run = 0;
    while (run < text.size() && kPlain[static_cast<unsigned char>(text[run])]) ++run;
    out += text.substr(0, run);
    text.remove_prefix(run);
    if (text.empty()) return;
    const auto byte = static_cast<unsigned char>(text[0]);
    if (byte < 0x80) {
      append_escape(byte, out);
      text.remove_prefix(1);
      continue;
    }
    const Sequence sequence = utf8_sequence(text);
    out += sequence.valid ? text.substr(0, sequence.size_bytes) : kReplacement;
    text.remove_prefix(sequence.size_bytes);
  }
}

// Calls `each(text, ended, k)` for each line, without its newline; `ended`: it had one.
template <class Each>
void for_each_line(std::string_view raw, Each each) {
  for (std::int64_t k = 0; !raw.empty(); ++k) {
    const std::size_t newline = raw.find('\n');
    each(raw.substr(0, newline), newline != std::string_view::npos, k);
    if (newline == std::string_view::npos) return;
    raw.remove_prefix(newline + 1);
  }
}

}  // namespace

Renderer::Renderer(const RenderSpec& spec, bool merged, std::shared_ptr<redact::Redactor> redactor)
    : spec_(spec),
      merged_(merged),
      redactor_(std::move(redactor)),
      format_(spec.date_format),
      iso_(spec.kind == RenderSpec::Kind::kJson && spec.date_format.empty()),
      date_span_(std::numeric_limits<std::int64_t>::min()) {
  // SSS and x are the only tokens below a second; an escaped one only costs speed.
  const bool fine = iso_ || spec.date_format.find("SSS") != std::string::npos ||
                    spec.date_format.find('x') != std::string::npos;
  date_unit_ns_ = fine ? kNsPerMs : kNsPerSecond;
  append_json_text(spec.app_name, json_name_);
}

void Renderer::append(const RenderInput& input, std::string& out) const {
  if (redactor_) redactor_->begin_lines();
  switch (spec_.kind) {
    case RenderSpec::Kind::kRaw:
      return append_raw(input, out);
    case RenderSpec::Kind::kDate:
      return append_dated(input, out);
    case RenderSpec::Kind::kJson:
      return append_json(input, out);
  }
}

std::string_view Renderer::clean(std::string_view line) const {
  if (!redactor_) return line;
  const std::uint64_t before = redactor_->redactions();
  line = redactor_->redact_line(line, redacted_);
  redactions_ += redactor_->redactions() - before;
  return line;
}

void Renderer::append_raw(const RenderInput& input, std::string& out) const {
  if (redactor_) {
    for_each_line(input.raw, [&](std::string_view line, bool ended, std::int64_t) {
      out += clean(line);
      if (ended) out += '\n';
    });
  } else {
    out += input.raw;
  }
  if (merged_ && input.partial && !input.raw.empty()) out += '\n';
}

void Renderer::append_dated(const RenderInput& input, std::string& out) const {
  for_each_line(input.raw, [&](std::string_view line, bool ended, std::int64_t k) {
    const bool goes_on = k == 0 && input.continues && !merged_;
    if (!goes_on) {
      out += date(input.time_ns + k);
      out += ": ";
    }
    out += clean(line);
    if (ended || merged_ || input.last) out += '\n';
  });
  // The next run's first line must not stand behind this one's last.
  if (input.raw.empty() && input.continues && input.last && !merged_) out += '\n';
}

void Renderer::append_json(const RenderInput& input, std::string& out) const {
  const bool goes_on = input.continues && !merged_;
  for_each_line(input.raw, [&](std::string_view line, bool ended, std::int64_t k) {
    if (k > 0 || !goes_on) out += "{\"message\":\"";
    append_json_text(clean(line), out);
    if (ended || merged_ || input.last) close_object(input, input.time_ns + k, out);
  });
  if (input.raw.empty() && goes_on && input.last) close_object(input, input.time_ns, out);
}

void Renderer::close_object(const RenderInput& input, std::int64_t time_ns,
                            std::string& out) const {
  out += "\",\"timestamp\":\"";
  append_json_text(date(time_ns), out);
  out += "\",\"type\":\"";
  out += name_of(input.kind);
  out += "\",\"process_id\":";
  out += std::to_string(input.worker.value);
  out += ",\"app_name\":\"";
  out += json_name_;
  out += "\"}\n";
}

const std::string& Renderer::date(std::int64_t time_ns) const {
  std::int64_t span = time_ns / date_unit_ns_;
  if (time_ns % date_unit_ns_ < 0) --span;
  if (span != date_span_) {
    date_span_ = span;
    date_.clear();
    if (iso_)
      date_ = iso_time(time_ns);
    else
      format_.append(date_, time_ns);
  }
  return date_;
}

}  // namespace pmx::rotate
