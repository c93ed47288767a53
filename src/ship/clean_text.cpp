// Nearly all lines are ASCII without a control byte, so the first pass asks only that, 16 bytes a
// step: as signed numbers, control bytes and those of UTF-8 sequences are all below 0x20. What it
// stops at is looked at by a second pass, and only lines that need it are written anew.
//
// ns a line of 211 bytes (-O2, one core, best of 60): ASCII 9, with tabs 24, with two-byte letters
// 54 (simdjson's check takes most of it), with a colour 59.
#include "ship/clean_text.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pmx::ship {
namespace {

constexpr std::size_t kReadableBehindBytes = 64;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr char kEscape = '\x1B';
constexpr char kBell = '\x07';

// Bit i speaks of byte i. Bytes at 0x80 and above are negative as signed ones.
#if defined(__SSE2__)
class Block {
 public:
  explicit Block(const char* p) : bytes_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))) {}
  std::uint32_t below_space_or_high() const {
    return mask(_mm_cmplt_epi8(bytes_, _mm_set1_epi8(0x20)));
  }
  std::uint32_t high() const { return mask(bytes_); }
  std::uint32_t equal_to(char c) const { return mask(_mm_cmpeq_epi8(bytes_, _mm_set1_epi8(c))); }

 private:
  static std::uint32_t mask(__m128i hits) {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(hits));
  }
  __m128i bytes_;
};
#else
class Block {
 public:
  explicit Block(const char* p) : bytes_(p) {}
  std::uint32_t below_space_or_high() const {
    return mask([](char b) { return static_cast<signed char>(b) < 0x20; });
  }
  std::uint32_t high() const {
    return mask([](char b) { return static_cast<signed char>(b) < 0; });
  }
  std::uint32_t equal_to(char c) const {
    return mask([c](char b) { return b == c; });
  }

 private:
  template <class Test>
  std::uint32_t mask(Test test) const {
    std::uint32_t hits = 0;
    for (unsigned i = 0; i < 16; ++i) hits |= static_cast<std::uint32_t>(test(bytes_[i])) << i;
    return hits;
  }
  const char* bytes_;
};
#endif

// What may stay as it is.
struct Plain {
  bool escape = false;
  bool high = false;
};

// The first byte at or behind `at` that has to be looked at; text.size() where there is none.
std::size_t find_special(std::string_view text, std::size_t at, Plain plain) {
  for (; at < text.size(); at += 16) {
    const Block block(text.data() + at);
    std::uint32_t hits = block.below_space_or_high();
    if (hits == 0) continue;
    hits &= ~(block.equal_to('\t') | block.equal_to('\n'));
    if (plain.high) hits &= ~block.high();
    if (plain.escape) hits &= ~block.equal_to(kEscape);
    if (hits != 0)
      return std::min(text.size(), at + static_cast<std::size_t>(std::countr_zero(hits)));
  }
  return text.size();
}

bool in(char c, unsigned char first, unsigned char last) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= first && byte <= last;
}

// Size of the string sequence's body and end (`body` begins behind "ESC ]" and its kin); 0: it does
// not end in this line. Looking stops at any ESC, so the whole line is walked only once.
std::size_t string_sequence_bytes(std::string_view body) {
  for (std::size_t i = 0; i < body.size() && body[i] != '\n'; ++i) {
    if (body[i] == kBell) return i + 1;
    if (body[i] == kEscape) return body.substr(i + 1).starts_with('\\') ? i + 2 : 0;
  }
  return 0;
}

// How much of `text`, which begins with ESC, is the sequence: ECMA-48, 5.3 to 5.6. A broken one
// ends before the byte that breaks it.
std::size_t escape_sequence_bytes(std::string_view text) {
  std::size_t at = 1;
  if (at == text.size()) return at;
  switch (text[at]) {
    case '[':
      ++at;
      while (at < text.size() && in(text[at], 0x30, 0x3F)) ++at;
      while (at < text.size() && in(text[at], 0x20, 0x2F)) ++at;
      return at < text.size() && in(text[at], 0x40, 0x7E) ? at + 1 : at;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
      return 2 + string_sequence_bytes(text.substr(2));
    default:
      while (at < text.size() && in(text[at], 0x20, 0x2F)) ++at;
      return at < text.size() && in(text[at], 0x30, 0x7E) ? at + 1 : at;
  }
}

struct Sequence {
  std::size_t size_bytes = 1;
  bool valid = false;
};

// The UTF-8 sequence that `text` begins with; where it is not valid, its maximal subpart. The
// bounds of the second byte shut out overlong forms, surrogates and what is above U+10FFFF.
Sequence utf8_sequence(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0xC2 || lead > 0xF4) return {};
  const std::size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const unsigned char first = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char last = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (text.size() < 2 || !in(text[1], first, last)) return {};
  std::size_t at = 2;
  while (at < size && at < text.size() && in(text[at], 0x80, 0xBF)) ++at;
  return {at, at == size};
}

// Writes a line anew.
class Rewriter {
 public:
  Rewriter(std::string_view text, Plain plain, std::string& out)
      : text_(text), plain_(plain), out_(out) {
    out_.clear();
  }

  void run() {
    std::size_t at = 0;
    while (at < text_.size()) {
      const std::size_t special = find_special(text_, at, plain_);
      copy(text_.substr(at, special - at));
      at = special;
      if (at < text_.size()) at += replace(text_.substr(at));
    }
  }

 private:
  // What stands before a carriage return goes once there is something behind it.
  void put(std::string_view text) {
    if (returned_ && !text.empty()) out_.resize(line_begin_);
    returned_ = returned_ && text.empty();
    out_.append(text);
  }
  void copy(std::string_view text) {
    for (std::size_t newline; (newline = text.find('\n')) != std::string_view::npos;) {
      put(text.substr(0, newline));
      returned_ = false;
      out_.push_back('\n');
      line_begin_ = out_.size();
      text.remove_prefix(newline + 1);
    }
    put(text);
  }
  // Answers how many bytes it has dealt with.
  std::size_t replace(std::string_view rest) {
    const char c = rest[0];
    if (c == '\r') {
      returned_ = true;
      return 1;
    }
    if (c == kEscape) return escape_sequence_bytes(rest);
    if (in(c, 0x80, 0xFF)) {
      const Sequence sequence = utf8_sequence(rest);
      put(sequence.valid ? rest.substr(0, sequence.size_bytes) : kReplacement);
      return sequence.size_bytes;
    }
    constexpr std::string_view kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    const char visible[] = {'\\', 'u', '0', '0', kHex[byte >> 4U], kHex[byte & 0xFU]};
    put({visible, sizeof visible});
    return 1;
  }

  std::string_view text_;
  Plain plain_;
  std::string& out_;
  std::size_t line_begin_ = 0;
  bool returned_ = false;  // A carriage return, and nothing behind it yet.
};

bool is_plain_ascii(std::string_view line) {
  std::size_t at = 0;
  for (; at + 16 <= line.size(); at += 16)
    if (Block(line.data() + at).below_space_or_high() != 0) return false;
  const std::uint32_t rest = (1U << (line.size() - at)) - 1;
  return (Block(line.data() + at).below_space_or_high() & rest) == 0;
}

}  // namespace

std::string_view clean_text(std::string_view line, CleanOptions options, std::string& scratch) {
  if (is_plain_ascii(line)) return line;
  if (line.ends_with('\r')) {  // CRLF; several where two layers each added one.
    line.remove_suffix(1);
    while (line.ends_with('\r')) line.remove_suffix(1);
  }
  const Plain plain{.escape = !options.strip_ansi,
                    .high = simdjson::validate_utf8(line.data(), line.size())};
  if (plain.high && find_special(line, 0, plain) == line.size()) return line;
  Rewriter(line, plain, scratch).run();
  const std::size_t size_bytes = scratch.size();
  scratch.append(kReadableBehindBytes, '\0');
  return std::string_view(scratch).substr(0, size_bytes);
}

std::size_t next_piece_bytes(std::string_view rest, std::size_t max_bytes) {
  if (rest.size() <= max_bytes) return rest.size();
  const auto continues = [rest](std::size_t at) { return in(rest[at], 0x80, 0xBF); };
  std::size_t cut = max_bytes;
  while (cut > 0 && max_bytes - cut < 3 && continues(cut)) --cut;
  if (continues(cut)) return std::max<std::size_t>(max_bytes, 1);  // No UTF-8: any place will do.
  if (cut > 0) return cut;
  for (cut = 1; cut < rest.size() && cut < 4 && continues(cut);) ++cut;
  return cut;
}

}  // namespace pmx::ship
