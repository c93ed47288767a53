#include "ship/compress.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace pmx::ship {
namespace {

constexpr std::array kCodecs{Codec::kNone, Codec::kGzip, Codec::kZstd, Codec::kSnappy};
constexpr std::size_t kNoLimit = 64U << 20U;

std::string lines(int count) {
  std::string text;
  for (int line = 0; line < count; ++line)
    text += R"({"level":30,"time":17000000)" + std::to_string(line * 7919) + R"(,"msg":"done"})";
  return text;
}

std::string noise(std::size_t size) {
  std::mt19937 random(11);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(CompressTest, EveryCodecGivesBackWhatItGot) {
  for (const Codec codec : kCodecs) {
    for (const std::string& bytes :
         {std::string(), std::string("x"), lines(10'000), noise(300'000)}) {
      const auto back = decompress(codec, compress(codec, bytes), kNoLimit);
      ASSERT_TRUE(back) << content_encoding(codec);
      EXPECT_TRUE(*back == bytes) << content_encoding(codec) << ", " << bytes.size() << " bytes";
    }
  }
}

TEST(CompressTest, PartsGiveTheBytesOfTheirWhole) {
  const std::string whole = lines(5000);
  const std::string_view view = whole;
  const std::array parts{view.substr(0, 10), view.substr(10, 0), view.substr(10, 100'000),
                         view.substr(100'010)};
  Compressor compressor;
  for (const Codec codec : kCodecs) {
    const std::string body = compressor.compress(codec, parts);
    EXPECT_EQ(*compressor.decompress(codec, body, kNoLimit), whole) << content_encoding(codec);
    if (codec == Codec::kGzip) continue;  // Deflate's blocks may end where its input does.
    EXPECT_EQ(body, compressor.compress(codec, whole)) << content_encoding(codec);
  }
}

TEST(CompressTest, ALaterBodyDoesNotDependOnAnEarlierOne) {
  Compressor compressor;
  for (const Codec codec : kCodecs) {
    const std::string first = compressor.compress(codec, lines(1000));
    (void)compressor.compress(codec, noise(200'000));
    EXPECT_EQ(compressor.compress(codec, lines(1000)), first) << content_encoding(codec);
  }
}

TEST(CompressTest, LinesBecomeAFractionOfTheirSize) {
  const std::string bytes = lines(10'000);
  EXPECT_LT(compress(Codec::kGzip, bytes).size(), bytes.size() / 4);
  EXPECT_LT(compress(Codec::kZstd, bytes).size(), bytes.size() / 4);
  EXPECT_LT(compress(Codec::kSnappy, bytes).size(), bytes.size() / 2);
}

TEST(CompressTest, ACutBodyIsCorruptWhereverItIsCut) {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd, Codec::kSnappy}) {
    const std::string body = compress(codec, lines(100));
    for (std::size_t cut = 0; cut < body.size(); ++cut) {
      const auto back = decompress(codec, body.substr(0, cut), kNoLimit);
      ASSERT_FALSE(back) << content_encoding(codec) << " cut at " << cut;
      EXPECT_EQ(back.error().code(), Errc::kCorrupt);
    }
  }
}

TEST(CompressTest, MoreThanTheLimitIsRefused) {
  const std::string bytes = lines(1000);
  for (const Codec codec : kCodecs) {
    const std::string body = compress(codec, bytes);
    EXPECT_TRUE(decompress(codec, body, bytes.size())) << content_encoding(codec);
    const auto back = decompress(codec, body, bytes.size() - 1);
    ASSERT_FALSE(back) << content_encoding(codec);
    EXPECT_EQ(back.error().code(), Errc::kNoSpace);
  }
}

}  // namespace
}  // namespace pmx::ship
