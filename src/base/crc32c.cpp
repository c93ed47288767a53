#include "base/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace pmx {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1U) ^ ((c & 1U) ? 0x82F63B78U : 0U);
    table[i] = c;
  }
  return table;
}
constexpr auto kTable = make_table();

std::uint32_t by_table(const unsigned char* p, std::size_t n, std::uint32_t c) {
  for (; n > 0; --n, ++p) c = kTable[(c ^ *p) & 0xFFU] ^ (c >> 8U);
  return c;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_sse42(const unsigned char* p, std::size_t n,
                                                         std::uint32_t seed) {
  std::uint64_t c = seed;
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
  }
  auto narrow = static_cast<std::uint32_t>(c);
  for (; n > 0; --n, ++p) narrow = _mm_crc32_u8(narrow, *p);
  return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c(const void* bytes, std::size_t size_bytes, std::uint32_t seed) {
  const auto* p = static_cast<const unsigned char*>(bytes);
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("sse4.2");
  if (fast) return ~by_sse42(p, size_bytes, ~seed);
#endif
  return ~by_table(p, size_bytes, ~seed);
}

}  // namespace pmx
