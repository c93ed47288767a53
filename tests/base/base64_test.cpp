#include "base/base64.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace pmx {
namespace {

struct Pair {
  std::string_view bytes, standard, url_safe;
};
// RFC 4648, section 10, and bytes whose letters differ between the alphabets.
constexpr Pair kPairs[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "-_-_"},
    {"\xff\xfe", "//4=", "__4"},
};

TEST(Base64Test, GivesTheValuesOfTheStandard) {
  for (const auto& [bytes, standard, url_safe] : kPairs) {
    EXPECT_EQ(base64_encode(bytes), standard);
    EXPECT_EQ(base64_encode(bytes, Base64::kUrlSafe), url_safe);
    EXPECT_EQ(base64_decode(standard).value_or("error"), bytes);
    EXPECT_EQ(base64_decode(url_safe, Base64::kUrlSafe).value_or("error"), bytes);
  }
}

TEST(Base64Test, TakesTextWithoutItsPadding) {
  EXPECT_EQ(base64_decode("Zm9vYg").value_or("error"), "foob");
  EXPECT_EQ(base64_decode("Zm9vYg==", Base64::kUrlSafe).value_or("error"), "foob");
}

TEST(Base64Test, BringsEveryByteBackAtEveryLength) {
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    for (const Base64 alphabet : {Base64::kStandard, Base64::kUrlSafe}) {
      const std::string text = base64_encode(bytes, alphabet);
      EXPECT_LE(text.size(), base64_size(size));
      EXPECT_EQ(base64_decode(text, alphabet).value_or("error"), bytes);
    }
  }
}

TEST(Base64Test, RefusesWhatNoEncoderMakesWithoutRepeatingIt) {
  for (const std::string_view text : {"Zm9v!mFy", "Zm 9", "Zg=", "Zg===", "=", "Zh==", "Zm9=", "Z",
                                      "Zm9vY", "Zg==Zg==", "-_-_"}) {
    const auto decoded = base64_decode(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().message().find(text), std::string::npos) << text;
  }
  EXPECT_FALSE(base64_decode("+/+/", Base64::kUrlSafe));
}

}  // namespace
}  // namespace pmx
