#include "ship/clean_text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "fuzz/clean_reference.h"

namespace pmx::ship {
namespace {

using namespace std::string_view_literals;

class CleanTextTest : public testing::Test {
 protected:
  std::string_view clean(std::string_view text, CleanOptions options = {}) {
    padded_ = std::string(text) + std::string(64, '\x1B');
    return clean_text(std::string_view(padded_).substr(0, text.size()), options, scratch_);
  }
  bool copied(std::string_view text) {
    const std::string_view cleaned = clean(text);
    return cleaned.data() < padded_.data() || cleaned.data() > padded_.data() + padded_.size();
  }
  std::string padded_, scratch_ = "of the line before";
};

struct Case {
  std::string_view text;
  std::string_view cleaned;
};

TEST_F(CleanTextTest, ALineInOrderIsGivenBackItself) {
  for (const std::string_view text :
       {""sv, "x"sv, "a\tb"sv, "Grüße €😀"sv, "Error\n    at x\n"sv, "sixteen bytes it"sv,
        "seventeen bytes i"sv, "\x7F and \xC2\x80"sv}) {
    EXPECT_EQ(clean(text), text);
    EXPECT_FALSE(copied(text)) << text;
  }
}

TEST_F(CleanTextTest, TerminalSequencesGo) {
  for (const Case& c : std::vector<Case>{
           {"\x1b[31merror\x1b[39m: winston", "error: winston"},
           {"\x1b[1;38;5;196mred\x1b[0m", "red"},
           {"\x1b[2J\x1b[?25lhidden cursor\x1b[0 q", "hidden cursor"},
           {"\x1b]0;title\x07text", "text"},
           {"\x1b]8;;https://x/?a=1\x1b\\link\x1b]8;;\x1b\\ text", "link text"},
           {"\x1bP1$r0m\x1b\\after\x1b_app\x1b\\ and \x1b^pm\x07.", "after and ."},
           {"\x1b(B\x1b[mtput sgr0", "tput sgr0"},
           {"\x1b=keys\x1b>\x1b"
            "7\x1b"
            "8\x1b"
            "c",
            "keys"},
       })
    EXPECT_EQ(clean(c.text), c.cleaned);
}

TEST_F(CleanTextTest, ABrokenSequenceTakesNoTextWithIt) {
  for (const Case& c : std::vector<Case>{
           {"cut\x1b", "cut"},
           {"cut\x1b[", "cut"},
           {"cut\x1b[31", "cut"},
           {"cut\x1b]", "cut"},
           {"cut\x1b(", "cut"},
           {"a\x1b\x1b[1mb", "ab"},
           {"a\x1b[1\nb", "a\nb"},
           {"a\x1b[1\xC3\xBC", "aü"},
           {"\x1b]0;never ended: important", "0;never ended: important"},
           {"\x1b]0;one\x1b]0;two\x07three", "0;onethree"},
           {"\x1b]0;one\nnot its end\x07", "0;one\nnot its end\\u0007"},
       })
    EXPECT_EQ(clean(c.text), c.cleaned);
}

TEST_F(CleanTextTest, ColoursStayWhereTheyAreWanted) {
  EXPECT_EQ(clean("\x1b[31mred\x1b[0m", {.strip_ansi = false}), "\x1b[31mred\x1b[0m");
  EXPECT_EQ(clean("1%\r\x1b[31mred\x01", {.strip_ansi = false}), "\x1b[31mred\\u0001");
}

TEST_F(CleanTextTest, AProgressBarLeavesItsLastState) {
  for (const Case& c : std::vector<Case>{
           {"10%\r20%\r100%", "100%"},
           {"\r10%\r100%\r", "100%"},
           {"100%\r\x1b[K", "100%"},
           {"100%\r\r\r", "100%"},
           {"\r", ""},
           {"one\r\ntwo\r\nthree\r", "one\ntwo\nthree"},
           {"a\rb\nc\rd", "b\nd"},
           {"a\r\xFF", "\xEF\xBF\xBD"},
       })
    EXPECT_EQ(clean(c.text), c.cleaned);
}

TEST_F(CleanTextTest, AnEndOfCrlfCostsNoCopy) {
  EXPECT_EQ(clean("windows\r"), "windows");
  EXPECT_FALSE(copied("windows\r"));
}

TEST_F(CleanTextTest, ControlBytesBecomeVisible) {
  EXPECT_EQ(clean("a\0b"sv), "a\\u0000b");
  EXPECT_EQ(clean("\x01\x07\x08\x0B\x0C\x1F"), "\\u0001\\u0007\\u0008\\u000b\\u000c\\u001f");
}

TEST_F(CleanTextTest, InvalidUtf8BecomesOneReplacementForEachMaximalSubpart) {
  const std::string r = "\xEF\xBF\xBD";
  // The examples of Unicode 15, tables 3-8 to 3-11.
  EXPECT_EQ(clean("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(clean("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(clean("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(clean("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(clean("cut \xF0\x9F\x98"), "cut " + r);
  EXPECT_EQ(clean("\xC3\x1b[0m\xA9"), r + r);  // A sequence between does not make halves meet.
}

TEST_F(CleanTextTest, WhatIsBehindACopyMayBeRead) {
  const std::string_view cleaned = clean("a\x01");
  const char* const begin = scratch_.data();
  EXPECT_EQ(cleaned.data(), begin);
  EXPECT_GE(scratch_.size(), cleaned.size() + 64);
}

TEST_F(CleanTextTest, AgreesWithItsReferenceOnRandomLines) {
  std::mt19937_64 random(20261125);
  const std::vector<std::string> parts{"a",
                                       "0;",
                                       " plain text ",
                                       "\n",
                                       "\r",
                                       "\t",
                                       "\x1b",
                                       "[",
                                       "]",
                                       "\\",
                                       "m",
                                       "\x07",
                                       std::string(1, '\0'),
                                       "\x1b[31m",
                                       "\x1f",
                                       "ü",
                                       "€",
                                       "😀",
                                       "\xE2\x82",
                                       "\xF0\x90",
                                       "\xED\xA0",
                                       "\x80",
                                       "\xFF",
                                       "\x1b]8;;x",
                                       "\xC2\x9B",
                                       "P",
                                       "\x18"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t left = random() % 24; left > 0; --left)
      text += parts[random() % parts.size()];
    ASSERT_EQ(clean(text), reference_clean(text, true)) << round;
    ASSERT_EQ(clean(text, {.strip_ansi = false}), reference_clean(text, false)) << round;
  }
}

std::vector<std::string> pieces(std::string_view text, std::size_t max_bytes) {
  std::vector<std::string> cut;
  while (!text.empty()) {
    const std::size_t size = next_piece_bytes(text, max_bytes);
    cut.emplace_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return cut;
}

using Pieces = std::vector<std::string>;

TEST(NextPieceBytesTest, CutsBetweenSequences) {
  EXPECT_EQ(pieces("abcdef", 4), (Pieces{"abcd", "ef"}));
  EXPECT_EQ(pieces("abcd", 4), (Pieces{"abcd"}));
  EXPECT_EQ(pieces("abcü", 4), (Pieces{"abc", "ü"}));
  EXPECT_EQ(pieces("a€€b", 4), (Pieces{"a€", "€b"}));
  EXPECT_EQ(pieces("ab😀cd", 5), (Pieces{"ab", "😀c", "d"}));
  EXPECT_EQ(pieces("", 4), Pieces{});
}

TEST(NextPieceBytesTest, ASequenceThatFitsNowhereIsAPieceOfItsOwn) {
  EXPECT_EQ(pieces("😀a😀", 2), (Pieces{"😀", "a", "😀"}));
  EXPECT_EQ(pieces("aü", 0), (Pieces{"a", "ü"}));
}

TEST(NextPieceBytesTest, BytesThatAreNoUtf8AreCutAnywhereButWhole) {
  const std::string bytes(10, '\x80');
  std::string together;
  for (const std::string& piece : pieces(bytes, 4)) {
    EXPECT_LE(piece.size(), 4U);
    together += piece;
  }
  EXPECT_EQ(together, bytes);
}

}  // namespace
}  // namespace pmx::ship
