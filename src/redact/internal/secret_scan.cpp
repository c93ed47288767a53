// A dozen literals are looked for at once by their first three bytes, as Hyperscan's Teddy does it:
// two tables of 16 bytes for each of the three positions say which groups a byte's halves may
// belong to, and one shuffle looks 32 bytes up. Groups that all six answers agree on are a place to
// look at. A search for each literal would be a dozen passes over the line.
#include "redact/internal/secret_scan.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pmx::redact::internal {
namespace {

constexpr std::size_t kStepBytes = 64;

// Digits and their runs, 64 bytes a step. Bit i speaks of byte i.
class DigitRuns {
 public:
  // Where the first eight digits of a run end: four, then at once or after one byte four more.
  std::uint64_t ends(std::uint64_t digits) {
    const std::uint64_t four = digits & before(digits, digits_, 1) & before(digits, digits_, 2) &
                               before(digits, digits_, 3);
    const std::uint64_t eight = four & (before(four, four_, 4) | before(four, four_, 5));
    const std::uint64_t first = eight & ~before(eight, eight_, 1);
    digits_ = digits;
    four_ = four;
    eight_ = eight;
    return first;
  }

 private:
  static std::uint64_t before(std::uint64_t now, std::uint64_t last, unsigned bytes) {
    return now << bytes | last >> (64 - bytes);
  }
  std::uint64_t digits_ = 0, four_ = 0, eight_ = 0;  // Of the step before.
};

void add_places(std::uint64_t bits, std::size_t base, std::vector<std::uint32_t>& places) {
  for (; bits != 0; bits &= bits - 1)
    places.push_back(
        static_cast<std::uint32_t>(base + static_cast<unsigned>(std::countr_zero(bits))));
}

}  // namespace

void SecretScan::add_byte(std::size_t position, std::uint8_t group_bit, unsigned char byte) {
  nibbles_[position].low[byte & 15U] |= group_bit;
  nibbles_[position].high[byte >> 4U] |= group_bit;
}

void SecretScan::add_prefix(std::size_t group,
                            const std::array<std::string_view, kPrefixBytes>& bytes, Case letters) {
  const auto bit = static_cast<std::uint8_t>(1U << group);
  for (std::size_t position = 0; position < kPrefixBytes; ++position) {
    for (const char c : bytes[position]) {
      const auto byte = static_cast<unsigned char>(c);
      add_byte(position, bit, byte);
      const unsigned char lower = byte | 0x20U;
      if (letters == Case::kAny && lower >= 'a' && lower <= 'z') {
        add_byte(position, bit, lower);
        add_byte(position, bit, static_cast<unsigned char>(lower & ~0x20U));
      }
    }
    if (!bytes[position].empty()) continue;
    for (unsigned half = 0; half < 16; ++half)
      add_byte(position, bit, static_cast<unsigned char>(half << 4U | half));
  }
}

void SecretScan::find_plainly(std::string_view text, std::vector<std::uint32_t>& places) const {
  const auto groups = [this](std::size_t position, char c) {
    const auto byte = static_cast<unsigned char>(c);
    const Nibbles& nibbles = nibbles_[position];
    return static_cast<unsigned>(nibbles.low[byte & 15U] & nibbles.high[byte >> 4U]);
  };
  DigitRuns runs;
  for (std::size_t base = 0; base < text.size(); base += kStepBytes) {
    const std::string_view step = text.substr(base, kStepBytes);
    std::uint64_t digits = 0;
    for (std::size_t i = 0; i < step.size(); ++i) {
      digits |= std::uint64_t{step[i] >= '0' && step[i] <= '9'} << i;
      const std::size_t at = base + i;
      if (at + 2 < text.size() &&
          (groups(0, text[at]) & groups(1, text[at + 1]) & groups(2, text[at + 2])) != 0)
        places.push_back(static_cast<std::uint32_t>(at));
    }
    if (digits_) add_places(runs.ends(digits), base, places);
  }
}

#if defined(__x86_64__)
namespace {

__attribute__((target("avx2"))) inline __m256i twice(const std::array<std::uint8_t, 16>& table) {
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(table.data())));
}

// The 32 bytes that end `bytes` before the end of `now`.
template <int bytes>
__attribute__((target("avx2"))) inline __m256i earlier(__m256i now, __m256i last) {
  return _mm256_alignr_epi8(now, _mm256_permute2x128_si256(last, now, 0x21), 16 - bytes);
}

}  // namespace

__attribute__((target("avx2"))) void SecretScan::find_by_avx2(
    std::string_view text, std::vector<std::uint32_t>& places) const {
  const __m256i low0 = twice(nibbles_[0].low), high0 = twice(nibbles_[0].high);
  const __m256i low1 = twice(nibbles_[1].low), high1 = twice(nibbles_[1].high);
  const __m256i low2 = twice(nibbles_[2].low), high2 = twice(nibbles_[2].high);
  const __m256i half = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  const __m256i digit0 = _mm256_set1_epi8('0'), nine = _mm256_set1_epi8(9);
  __m256i last0 = zero, last1 = zero;  // What the 32 bytes before said of positions 0 and 1.
  DigitRuns runs;
  alignas(32) std::array<char, kStepBytes> tail;
  for (std::size_t base = 0; base < text.size(); base += kStepBytes) {
    const char* bytes = text.data() + base;
    const std::size_t size = std::min(text.size() - base, kStepBytes);
    if (size < kStepBytes) {  // Zeros are in no literal and no digits.
      tail.fill('\0');
      std::memcpy(tail.data(), bytes, size);
      bytes = tail.data();
    }
    std::uint64_t found = 0, digits = 0;  // `found`: where a prefix's last byte is.
    for (unsigned at = 0; at < size; at += 32) {
      const __m256i block = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + at));
      const __m256i low = _mm256_and_si256(block, half);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(block, 4), half);
      const __m256i is0 =
          _mm256_and_si256(_mm256_shuffle_epi8(low0, low), _mm256_shuffle_epi8(high0, high));
      const __m256i is1 =
          _mm256_and_si256(_mm256_shuffle_epi8(low1, low), _mm256_shuffle_epi8(high1, high));
      const __m256i is2 =
          _mm256_and_si256(_mm256_shuffle_epi8(low2, low), _mm256_shuffle_epi8(high2, high));
      const __m256i all =
          _mm256_and_si256(is2, _mm256_and_si256(earlier<1>(is1, last1), earlier<2>(is0, last0)));
      last0 = is0;
      last1 = is1;
      const auto none =
          static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(all, zero)));
      found |= std::uint64_t{~none} << at;
      const __m256i value = _mm256_sub_epi8(block, digit0);
      const auto are = static_cast<std::uint32_t>(
          _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(value, nine), value)));
      digits |= std::uint64_t{are} << at;
    }
    if (size < kStepBytes) found &= (1ULL << size) - 1;  // A prefix's last byte may be any.
    if (found != 0) add_places(found, base - (kPrefixBytes - 1), places);
    if (!digits_) continue;
    if (const std::uint64_t ends = runs.ends(digits); ends != 0) add_places(ends, base, places);
  }
}
#endif

void SecretScan::find(std::string_view text, std::vector<std::uint32_t>& places) const {
#if defined(__x86_64__)
  static const bool fast = __builtin_cpu_supports("avx2");
  if (fast) return find_by_avx2(text, places);
#endif
  find_plainly(text, places);
}

}  // namespace pmx::redact::internal
