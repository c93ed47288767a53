// Lines that are too long to be looked at whole, and rules that cannot be had.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "redact/redactor.h"

namespace pmx::redact {
namespace {

constexpr std::size_t kPieceBytes = 64U << 10U;
constexpr std::string_view kToken = R"("token":"s3cr3t-0123456789","next":1,)";

std::unique_ptr<Redactor> builtin() { return std::move(Redactor::create({true, {}, {}})).value(); }

std::string redacted(Redactor& redactor, std::string_view text) {
  std::string scratch;
  return std::string(redactor.redact(text, scratch));
}

// As the log thread goes on through a line that does not end.
std::string in_pieces(Redactor& redactor, std::string_view line) {
  std::string out;
  while (line.size() > kPieceBytes) {
    const std::size_t piece = redactor.piece_bytes(line.substr(0, kPieceBytes));
    EXPECT_GT(piece, 0U);
    EXPECT_LE(piece, kPieceBytes);
    out += redacted(redactor, line.substr(0, piece));
    line.remove_prefix(piece);
  }
  return out + redacted(redactor, line);
}

TEST(RedactorPiecesTest, NoSecretIsCutWhereverItStandsInALongLine) {
  const auto redactor = builtin();
  // Around each place that may be a piece's end, and with no blank near that would be a better one.
  for (std::size_t at = kPieceBytes / 8 * 5; at < kPieceBytes + 100; at += 53) {
    const std::string line = std::string(at, 'x') + "," + std::string(kToken) +
                             std::string(kPieceBytes, 'y') + "," + std::string(kToken) + "end";
    ASSERT_EQ(in_pieces(*redactor, line), redacted(*redactor, line)) << at;
  }
}

TEST(RedactorPiecesTest, SecretsOfManyWordsStayTogether) {
  const auto redactor = std::move(Redactor::create({true, {"key [a-z ]+ end"}, {}})).value();
  std::string line;
  for (std::mt19937 random(1); line.size() < 4 * kPieceBytes;) {
    switch (random() % 4) {
      case 0:
        line += "4111 1111 1111 1111 ";
        break;
      case 1:
        line += "key some words of which none is to be seen end ";
        break;
      default:
        line += std::string(random() % 300, 'w') + " ";
    }
  }
  const std::string pieces = in_pieces(*redactor, line);
  EXPECT_EQ(pieces, redacted(*redactor, line));
  EXPECT_EQ(pieces.find("1111"), std::string::npos);
}

TEST(RedactorPiecesTest, APieceEndsWithAWordWhereItCan) {
  const auto redactor = builtin();
  const std::string line(kPieceBytes / 8 * 7 - 10, 'x');
  EXPECT_EQ(redactor->piece_bytes(line + " " + std::string(kPieceBytes - line.size() - 1, 'y')),
            line.size() + 1);
}

TEST(RedactorPiecesTest, LookingForAPlaceCountsNoRedaction) {
  const auto redactor = builtin();
  const std::string line = std::string(kToken) + std::string(kPieceBytes, 'x');
  (void)redactor->piece_bytes(line);
  EXPECT_EQ(redactor->redactions(), 0U);
}

TEST(RedactorPiecesTest, ASecretOfAllOfItIsCutAtItsEnd) {
  const auto redactor = std::move(Redactor::create({false, {"[a-f0-9]{40,}"}, {}})).value();
  const std::string line(kPieceBytes, 'a');
  EXPECT_EQ(redactor->piece_bytes(line), line.size());
  EXPECT_EQ(in_pieces(*redactor, line + line + line),
            "[redacted][redacted][redacted]");  // Each piece is known for what it is.
}

TEST(RedactorPiecesTest, OfEverythingNothingIsLeftButEmptyLines) {
  const auto redactor = Redactor::of_everything();
  EXPECT_EQ(redacted(*redactor, R"({"level":"info","msg":"harmless"})"), "[redacted]");
  EXPECT_EQ(redacted(*redactor, ""), "");
  EXPECT_EQ(redactor->redactions(), 1U);
}

}  // namespace
}  // namespace pmx::redact
