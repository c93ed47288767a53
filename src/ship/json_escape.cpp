// A line that is JSON itself has a quote every few bytes, so that to search for the next byte to
// escape, append, and search again costs more than all the rest of an event. Here 64 bytes at a
// time become a mask of what is to be escaped. The pieces between are copied 16 bytes at a time
// without a look at their length: what is too much is written over by what follows. The result is
// put together on the stack and appended once: std::string::resize would write zeros first.
#include "ship/json_escape.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace pmx::ship {
namespace {

constexpr std::size_t kBlockBytes = 64, kStepBytes = 16, kLongestEscape = 6;
constexpr std::size_t kRoomBytes = kBlockBytes * kLongestEscape + kStepBytes;  // For one block.

// The letter behind the backslash; 'u': four digits follow.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) table[byte] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

// Bit i: byte i of the 64 is to be escaped.
std::uint64_t escape_mask(const char* from) {
  std::uint64_t mask = 0;
#ifdef __SSE2__
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  const __m128i last_control = _mm_set1_epi8(0x1F);
  for (std::size_t at = 0; at < kBlockBytes; at += kStepBytes) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + at));
    // Unsigned "at most 0x1F": the smaller of the two is the byte itself.
    const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
    const __m128i marked =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash));
    const auto bits = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_or_si128(control, marked)));
    mask |= static_cast<std::uint64_t>(bits) << at;
  }
#else
  for (std::size_t at = 0; at < kBlockBytes; ++at)
    mask |= std::uint64_t{kEscapes[static_cast<unsigned char>(from[at])] != 0} << at;
#endif
  return mask;
}

char* write_escape(char* into, char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  *into++ = '\\';
  *into++ = kEscapes[value];
  if (kEscapes[value] != 'u') return into;
  *into++ = '0';
  *into++ = '0';
  *into++ = kDigits[value >> 4U];
  *into++ = kDigits[value & 15U];
  return into;
}

// Reads and writes up to 15 bytes beyond the piece.
char* copy_piece(char* into, const char* from, std::size_t size_bytes) {
  for (std::size_t at = 0; at < size_bytes; at += kStepBytes)
    std::memcpy(into + at, from + at, kStepBytes);
  return into + size_bytes;
}

// Of `from`, whose kBlockBytes + kStepBytes may be read, the first `size_bytes` (at most a block).
char* write_block(char* into, const char* from, std::size_t size_bytes) {
  std::uint64_t mask = escape_mask(from);
  if (size_bytes < kBlockBytes) mask &= (std::uint64_t{1} << size_bytes) - 1;
  std::size_t done = 0;
  for (; mask != 0; mask &= mask - 1) {
    const auto at = static_cast<std::size_t>(std::countr_zero(mask));
    into = write_escape(copy_piece(into, from + done, at - done), from[at]);
    done = at + 1;
  }
  return copy_piece(into, from + done, size_bytes - done);
}

void append(std::string& out, std::string_view text, bool quoted) {
  std::array<char, 2048> ready;
  static_assert(sizeof ready >= 2 * kRoomBytes);
  char* into = ready.data();
  const char* const full = ready.data() + ready.size() - kRoomBytes;
  const auto flush = [&] {
    out.append(ready.data(), static_cast<std::size_t>(into - ready.data()));
    into = ready.data();
  };
  if (quoted) *into++ = '"';
  while (text.size() >= kBlockBytes + kStepBytes) {
    into = write_block(into, text.data(), kBlockBytes);
    text.remove_prefix(kBlockBytes);
    if (into > full) flush();
  }
  // What is left is read from a copy, behind whose end there is something to read.
  std::array<char, 2 * kBlockBytes + kStepBytes> rest{};
  std::memcpy(rest.data(), text.data(), text.size());
  for (std::size_t at = 0; at < text.size(); at += kBlockBytes) {
    into = write_block(into, rest.data() + at, std::min(kBlockBytes, text.size() - at));
    if (into > full) flush();
  }
  if (quoted) *into++ = '"';
  flush();
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) { append(out, text, true); }

void append_json_escaped(std::string& out, std::string_view text) { append(out, text, false); }

}  // namespace pmx::ship
