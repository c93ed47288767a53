#include "redact/internal/secret_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace pmx::redact::internal {
namespace {

using Places = std::vector<std::uint32_t>;

class SecretScanTest : public ::testing::Test {
 protected:
  SecretScanTest() {
    scan_.add_prefix(0, {"a", "u", "t"}, SecretScan::Case::kAny);
    scan_.add_prefix(1, {":", "/\\", "/"}, SecretScan::Case::kExact);
    scan_.add_prefix(7, {"\"", "k", ""}, SecretScan::Case::kAny);
    scan_.add_digits();
  }
  Places find(std::string_view text) const {
    Places places, plainly;
    scan_.find(text, places);
    scan_.find_plainly(text, plainly);
    std::sort(places.begin(), places.end());
    std::sort(plainly.begin(), plainly.end());
    EXPECT_EQ(places, plainly) << text;
    return places;
  }
  SecretScan scan_;
};

TEST_F(SecretScanTest, FindsPrefixesWhereverTheyStand) {
  for (const std::string_view literal : {"AUT", "aut", "://", ":\\/", "\"k\"", "\"K\xff"}) {
    for (std::size_t before = 0; before < 140; ++before) {
      const std::string text = std::string(before, 'x') + std::string(literal);
      EXPECT_EQ(find(text), Places{static_cast<std::uint32_t>(before)});
      EXPECT_EQ(find(text + std::string(70, 'x')), Places{static_cast<std::uint32_t>(before)});
      EXPECT_EQ(find(std::string_view(text).substr(0, text.size() - 1)), Places());
    }
  }
}

TEST_F(SecretScanTest, FindsRunsOfDigitsThatMayBeACard) {
  const std::pair<std::string_view, int> runs[] = {
      {"12345678", 7}, {"1234 5678", 8},  {"1234-5678", 8},   {"1234567890123456", 7},
      {"1234567", -1}, {"123 45678", -1}, {"2024-11-23", -1}, {"1234  5678", -1},
  };
  for (const auto& [run, offset] : runs) {
    for (std::uint32_t before = 0; before < 140; ++before) {
      const std::string text = std::string(before, '.') + std::string(run) + ".";
      const auto expected =
          offset < 0 ? Places() : Places{before + static_cast<std::uint32_t>(offset)};
      EXPECT_EQ(find(text), expected) << text;
    }
  }
}

TEST_F(SecretScanTest, AgreesWithTheSlowWayOnRandomText) {
  std::mt19937 random(3);
  constexpr std::string_view kLetters = "aAuUtT:/\\\"kK0123456789 -\xc1\x15";
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = kLetters[random() % kLetters.size()];
    find(text);
  }
}

}  // namespace
}  // namespace pmx::redact::internal
