#include "capture/line_framer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "fuzz/reference.h"

namespace pmx::capture {
namespace {

constexpr FrameLimits kWide{.max_line_bytes = 1'044'480};

// "bytes|lines" of each batch until nothing is ready, with "+" where partial, "~" where it
// continues.
std::vector<std::string> batches(std::string_view bytes, FrameLimits limits) {
  std::vector<std::string> all;
  bool continues = false;
  for (;;) {
    const LineBatch batch = frame(bytes, limits, continues);
    if (batch.bytes.empty()) return all;
    all.push_back((batch.continues ? "~" : "") + std::string(batch.bytes) + "|" +
                  std::to_string(batch.lines) + (batch.partial ? "+" : ""));
    continues = batch.partial;
    bytes.remove_prefix(batch.bytes.size());
  }
}
using Batches = std::vector<std::string>;

TEST(LineFramerTest, TakesWholeLinesAndLeavesTheRest) {
  EXPECT_EQ(batches("a\nb\nrest", kWide), (Batches{"a\nb\n|2"}));
}

TEST(LineFramerTest, NothingIsReadyWithoutANewline) {
  EXPECT_EQ(batches("", kWide), Batches{});
  EXPECT_EQ(batches("half a line", kWide), Batches{});
}

TEST(LineFramerTest, EmptyLinesAreLines) {
  EXPECT_EQ(batches("\n\n\n", kWide), (Batches{"\n\n\n|3"}));
}

TEST(LineFramerTest, CarriageReturnsNulsAndBrokenUtf8AreBytesLikeOthers) {
  const std::string bytes("a\r\nb\0c\n\xff\xfe\n\r", 11);
  const LineBatch batch = frame(bytes, kWide, false);
  EXPECT_EQ(batch.bytes, bytes.substr(0, 10));
  EXPECT_EQ(batch.lines, 3U);
}

TEST(LineFramerTest, TheLastWordsWithoutNewlineAreABatchOfTheirOwn) {
  FrameLimits limits = kWide;
  limits.at_end = true;
  EXPECT_EQ(batches("a\nb\nlast words", limits), (Batches{"a\nb\n|2", "last words|1+"}));
  limits = kWide;
  limits.flush_partial = true;
  EXPECT_EQ(batches("a\nprompt> ", limits), (Batches{"a\n|1", "prompt> |1+"}));
  EXPECT_EQ(batches("", limits), Batches{});
}

TEST(LineFramerTest, ALineOverTheLimitIsCutAtExactlyTheLimit) {
  const FrameLimits limits{.max_line_bytes = 4};
  EXPECT_EQ(batches("abc\n", limits), (Batches{"abc\n|1"})) << "the newline counts";
  EXPECT_EQ(batches("abcd\n", limits), (Batches{"abcd|1+", "~\n|1"}));
  EXPECT_EQ(batches("abcdefgh", limits), (Batches{"abcd|1+", "~efgh|1+"}));
  EXPECT_EQ(batches("abcdefghi", limits), (Batches{"abcd|1+", "~efgh|1+"}));
}

TEST(LineFramerTest, WhereALineIsCutDoesNotDependOnWhenItIsLookedAt) {
  const FrameLimits limits{.max_line_bytes = 8};
  const std::string line = "0123456789abcdef\n";
  for (std::size_t seen = 8; seen <= line.size(); ++seen)
    EXPECT_EQ(frame(std::string_view(line).substr(0, seen), limits, false).bytes, "01234567");
}

TEST(LineFramerTest, APieceOfALongLineIsAloneInItsBatch) {
  const FrameLimits limits{.max_line_bytes = 4};
  EXPECT_EQ(batches("a\nlong line\nb\n", limits),
            (Batches{"a\n|1", "long|1+", "~ lin|1+", "~e\nb\n|2"}));
}

TEST(LineFramerTest, OneLineMayBeLongerThanABatch) {
  const FrameLimits limits{.max_line_bytes = 20, .max_batch_bytes = 5};
  EXPECT_EQ(batches("a\nb\nc\n", limits), (Batches{"a\nb\n|2", "c\n|1"}));
  EXPECT_EQ(batches("longer than five\na\n", limits), (Batches{"longer than five\n|1", "a\n|1"}));
}

TEST(LineFramerTest, ABatchHasNoMoreLinesThanARecordCanCount) {
  const std::string newlines(kMaxBatchLines + 3, '\n');
  const LineBatch first = frame(newlines, kWide, false);
  EXPECT_EQ(first.lines, kMaxBatchLines);
  EXPECT_EQ(first.bytes.size(), kMaxBatchLines);
  EXPECT_EQ(frame(std::string_view(newlines).substr(kMaxBatchLines), kWide, false).lines, 3U);
}

TEST(LineFramerTest, AHundredMegabyteLineGoesThroughPieceByPiece) {
  const std::uint64_t size_bytes = 100'000'000;
  const std::string ring(kWide.max_line_bytes, 'x');
  std::uint64_t done = 0;
  bool continues = false;
  while (size_bytes - done >= kWide.max_line_bytes) {
    const LineBatch batch = frame(ring, kWide, continues);
    ASSERT_EQ(batch.bytes.size(), kWide.max_line_bytes);
    ASSERT_TRUE(batch.partial);
    continues = true;
    done += batch.bytes.size();
  }
  const std::string rest = std::string(size_bytes - done, 'x') + "\n";
  const LineBatch last = frame(rest, kWide, continues);
  EXPECT_EQ(last.bytes.size(), rest.size());
  EXPECT_TRUE(last.continues);
  EXPECT_FALSE(last.partial);
}

TEST(LineFramerTest, AgreesWithTheSlowReferenceOnRandomInput) {
  std::mt19937_64 random(20260101);
  const auto below = [&random](std::uint64_t n) { return random() % n; };
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(below(200), '\0');
    const std::uint64_t newline_every = 1 + below(60);
    for (char& c : bytes) c = below(newline_every) == 0 ? '\n' : static_cast<char>(below(256));
    const FrameLimits limits{.max_line_bytes = 1 + below(120),
                             .max_batch_bytes = 1 + below(120),
                             .at_end = below(4) == 0,
                             .flush_partial = below(4) == 0};
    ASSERT_EQ(disagreement_of_frames(bytes, limits, below(2) == 0), "") << "round " << round;
  }
}

}  // namespace
}  // namespace pmx::capture
