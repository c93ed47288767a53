#include "cli/js_literal.h"

#include <gtest/gtest.h>

#include <limits>

namespace pmx::cli {
namespace {

// test_prettylist.py compares thousands of values with Node; here is one of each kind.

TEST(JsLiteralTest, WritesNumbersAsJavaScriptDoes) {
  EXPECT_EQ(js_number(0), "0");
  EXPECT_EQ(js_number(-0.0), "-0");
  EXPECT_EQ(js_number(100), "100");
  EXPECT_EQ(js_number(-12.5), "-12.5");
  EXPECT_EQ(js_number(9007199254740993.0), "9007199254740992");
  EXPECT_EQ(js_number(1e20), "100000000000000000000");
  EXPECT_EQ(js_number(1e21), "1e+21");
  EXPECT_EQ(js_number(1.5e21), "1.5e+21");
  EXPECT_EQ(js_number(0.000001), "0.000001");
  EXPECT_EQ(js_number(-1.5e-7), "-1.5e-7");
  EXPECT_EQ(js_number(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
}

TEST(JsLiteralTest, TakesTheQuotesThatTheTextHasNot) {
  EXPECT_EQ(js_string("a"), "'a'");
  EXPECT_EQ(js_string("a'b"), R"("a'b")");
  EXPECT_EQ(js_string(R"(a'b"c)"), R"(`a'b"c`)");
  EXPECT_EQ(js_string(R"(a'b"c`d)"), R"('a\'b"c`d')");
  EXPECT_EQ(js_string(R"(a'b"${c})"), R"('a\'b"${c}')");
  EXPECT_EQ(js_string(R"(a"b\)"), R"('a"b\\')");
}

TEST(JsLiteralTest, EscapesControlCharactersAndNothingElse) {
  EXPECT_EQ(js_string("\b\t\n\f\r\v\x1b\x7f"), R"('\b\t\n\f\r\x0B\x1B\x7F')");
  EXPECT_EQ(js_string("\u0080\u009f\u00a0é→🚀"), "'\\x80\\x9F\u00a0é→🚀'");
}

TEST(JsLiteralTest, CountsAndCutsInUtf16Units) {
  EXPECT_EQ(js_length("aé→🚀"), 5U);
  EXPECT_EQ(js_prefix("aé→🚀b", 3), "aé→");
  EXPECT_EQ(js_prefix("aé→🚀b", 5), "aé→🚀");
  EXPECT_EQ(js_string(js_prefix("aé→🚀b", 4)), R"('aé→\ud83d')");
  EXPECT_EQ(js_prefix("ab", 9), "ab");
}

}  // namespace
}  // namespace pmx::cli
