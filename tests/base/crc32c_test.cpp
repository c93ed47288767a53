#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

namespace pmx {
namespace {

std::uint32_t bit_by_bit(std::string_view bytes) {
  std::uint32_t c = 0xFFFFFFFF;
  for (const char byte : bytes) {
    c ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1U) ^ ((c & 1U) != 0 ? 0x82F63B78U : 0U);
  }
  return ~c;
}

// RFC 3720, appendix B.4.
TEST(Crc32cTest, GivesTheValuesOfTheStandard) {
  const std::string zeros(32, '\0');
  const std::string ones(32, '\xff');
  EXPECT_EQ(crc32c(zeros.data(), zeros.size()), 0x8A9136AAU);
  EXPECT_EQ(crc32c(ones.data(), ones.size()), 0x62A8AB43U);
  EXPECT_EQ(crc32c("123456789", 9), 0xE3069283U);
  EXPECT_EQ(crc32c("", 0), 0U);
}

TEST(Crc32cTest, AgreesWithTheDefinitionAtEveryLengthAndAlignment) {
  std::mt19937 random(1);
  std::string bytes(200, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  for (std::size_t from = 0; from < 9; ++from)
    for (std::size_t size = 0; from + size < 100; ++size)
      ASSERT_EQ(crc32c(bytes.data() + from, size),
                bit_by_bit(std::string_view(bytes).substr(from, size)));
}

TEST(Crc32cTest, APieceGoesOnWhereTheOneBeforeEnded) {
  const std::uint32_t first = crc32c("12345", 5);
  EXPECT_EQ(crc32c("6789", 4, first), crc32c("123456789", 9));
}

TEST(Crc32cTest, AnotherSeedIsAnotherSum) { EXPECT_NE(crc32c("a", 1, 1), crc32c("a", 1, 2)); }

}  // namespace
}  // namespace pmx
