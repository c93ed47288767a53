#include "base/dotenv.h"

#include <gtest/gtest.h>

namespace pmx {
namespace {

using Variables = std::map<std::string, std::string>;

Variables read(std::string_view text) {
  const auto variables = parse_dotenv(text);
  EXPECT_TRUE(variables) << variables.error().message();
  return variables ? *variables : Variables();
}
std::string refusal(std::string_view text) {
  const auto variables = parse_dotenv(text);
  return variables ? "read" : variables.error().message();
}

TEST(DotenvTest, ReadsNamesAndValues) {
  EXPECT_EQ(read("A=1\nexport B = two words \n\n  c.d-e=\nA=3"),
            (Variables{{"A", "3"}, {"B", "two words"}, {"c.d-e", ""}}));
  EXPECT_EQ(read(""), Variables());
  EXPECT_EQ(read("\xef\xbb\xbf"
                 "A=1\r\nB=2\r\n"),
            (Variables{{"A", "1"}, {"B", "2"}}));
  EXPECT_EQ(read("exported=1\nexport=2"), (Variables{{"exported", "1"}, {"export", "2"}}));
}

TEST(DotenvTest, EndsAnUnquotedValueAtAComment) {
  EXPECT_EQ(read("# c\nA=1 # one\nB='#2' # two\nC=a=b#c\nD=#"),
            (Variables{{"A", "1"}, {"B", "#2"}, {"C", "a=b"}, {"D", ""}}));
}

TEST(DotenvTest, KeepsWhatIsInSingleQuotesAndBackticks) {
  EXPECT_EQ(read("A='a\\n\"b\"'\nB=`it's \"c\"`\nC=''"),
            (Variables{{"A", "a\\n\"b\""}, {"B", "it's \"c\""}, {"C", ""}}));
}

TEST(DotenvTest, KnowsEscapesInDoubleQuotes) {
  EXPECT_EQ(read(R"(A="a\nb\t\"c\" \\n \$X C:\dir")"),
            (Variables{{"A", "a\nb\t\"c\" \\n $X C:\\dir"}}));
  EXPECT_EQ(read(R"(A=a\nb)"), (Variables{{"A", R"(a\nb)"}}));
}

TEST(DotenvTest, LetsAQuotedValueGoOverLines) {
  EXPECT_EQ(read("KEY=\"-----BEGIN\nab\r\ncd\n\"\nB=1"),
            (Variables{{"KEY", "-----BEGIN\nab\ncd\n"}, {"B", "1"}}));
}

TEST(DotenvTest, ExpandsAndRunsNothing) {
  EXPECT_EQ(read("A=$(id)\nB=\"${A}`id`\"\nC=$HOME"),
            (Variables{{"A", "$(id)"}, {"B", "${A}`id`"}, {"C", "$HOME"}}));
}

TEST(DotenvTest, SaysTheLineAndNeverTheValue) {
  EXPECT_EQ(refusal("A=1\nsecret words\n"),
            "line 2: expected NAME=value, a comment or an empty line");
  EXPECT_EQ(refusal("A=\"x\ny\"\nB='s3cret\n\n"), "line 3: a value in ' has no end");
  EXPECT_EQ(refusal("A=\"x\"y"), "line 1: something follows a value's closing quote");
  EXPECT_EQ(refusal("1A=x"), "line 1: expected NAME=value, a comment or an empty line");
  EXPECT_EQ(refusal("=x"), "line 1: expected NAME=value, a comment or an empty line");
  EXPECT_EQ(refusal(std::string_view("A=\0", 3)), "line 1: a value has a NUL in it");
}

}  // namespace
}  // namespace pmx
