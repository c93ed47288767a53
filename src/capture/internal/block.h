// Sixteen bytes compared at once. SSE2 is part of every x86-64; elsewhere a loop that compilers
// turn into what the machine has.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pmx::capture::internal {

// Bit i of each answer speaks of byte i.
class Block16 {
 public:
#if defined(__SSE2__)
  explicit Block16(const char* p) : bytes_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))) {}
  std::uint32_t equal_to(char c) const { return mask(_mm_cmpeq_epi8(bytes_, _mm_set1_epi8(c))); }
  // '{' and '[' differ in bit 5 only, as do '}' and ']': equal_with_bit5('{') finds both.
  std::uint32_t equal_with_bit5(char c) const {
    return mask(_mm_cmpeq_epi8(_mm_or_si128(bytes_, _mm_set1_epi8(0x20)), _mm_set1_epi8(c)));
  }
  std::uint32_t upper_case() const {
    return mask(_mm_and_si128(_mm_cmpgt_epi8(bytes_, _mm_set1_epi8('A' - 1)),
                              _mm_cmplt_epi8(bytes_, _mm_set1_epi8('Z' + 1))));
  }

 private:
  static std::uint32_t mask(__m128i hits) {
    return static_cast<std::uint32_t>(_mm_movemask_epi8(hits));
  }
  __m128i bytes_;
#else
  explicit Block16(const char* p) : bytes_(p) {}
  std::uint32_t equal_to(char c) const {
    return mask([c](char b) { return b == c; });
  }
  std::uint32_t equal_with_bit5(char c) const {
    return mask([c](char b) { return (b | 0x20) == c; });
  }
  std::uint32_t upper_case() const {
    return mask([](char b) { return b >= 'A' && b <= 'Z'; });
  }

 private:
  template <class Test>
  std::uint32_t mask(Test test) const {
    std::uint32_t hits = 0;
    for (unsigned i = 0; i < 16; ++i) hits |= static_cast<std::uint32_t>(test(bytes_[i])) << i;
    return hits;
  }
  const char* bytes_;
#endif
};

}  // namespace pmx::capture::internal
