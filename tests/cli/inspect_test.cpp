#include "cli/inspect.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

// What node -p "require('util').inspect(value, {depth: null})" prints.
std::string inspected(const char* json) { return inspect(*Json::parse(json)); }

TEST(InspectTest, PrintsScalarsAsNodeDoes) {
  EXPECT_EQ(inspected("null"), "null");
  EXPECT_EQ(inspected("1.5"), "1.5");
  EXPECT_EQ(inspected("true"), "true");
  EXPECT_EQ(inspected(R"("a'b")"), R"("a'b")");
  EXPECT_EQ(inspected(R"("a'b\"c")"), "`a'b\"c`");
  EXPECT_EQ(inspected(R"("a\nb\u0001\\")"), R"('a\nb\x01\\')");
}

TEST(InspectTest, KeepsShortThingsOnOneLine) {
  EXPECT_EQ(inspected("[]"), "[]");
  EXPECT_EQ(inspected("{}"), "{}");
  EXPECT_EQ(inspected("[1,2]"), "[ 1, 2 ]");
  EXPECT_EQ(inspected(R"({"tracing":{"enabled":false,"outbound":false}})"),
            "{ tracing: { enabled: false, outbound: false } }");
  EXPECT_EQ(inspected(R"({"node_args":["--harmony"],"a-b":1})"),
            "{ node_args: [ '--harmony' ], 'a-b': 1 }");
}

TEST(InspectTest, BreaksWhatIsDeepOrLong) {
  EXPECT_EQ(inspected(R"([{"a":{"b":{"c":{"d":{"e":1}}}}}])"),
            "[\n  {\n    a: {\n      b: { c: { d: { e: 1 } } }\n    }\n  }\n]");
  EXPECT_EQ(
      inspected(
          R"({"aaaaaaaaaaaaaaaaaaaaaaaaa":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","cccccccccccc":"ddddddddd"})"),
      "{\n  aaaaaaaaaaaaaaaaaaaaaaaaa: 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',\n  cccccccccccc: "
      "'ddddddddd'\n}");
}

TEST(InspectTest, NamesKeysAsJavaScriptKeepsThem) {
  EXPECT_EQ(inspected(R"({"b":1,"10":2,"":3,"9":4,"__proto__":5,"01":6})"),
            "{ '9': 4, '10': 2, b: 1, '': 3, ['__proto__']: 5, '01': 6 }");
}

TEST(InspectTest, CutsWhatIsVeryLong) {
  EXPECT_EQ(inspect("\n" + std::string(10'001, 'x')),
            "'\\n' +\n  '" + std::string(9'999, 'x') + "'... 2 more characters");
  const std::string many = inspect(Json::Array(101, Json(1)));
  EXPECT_TRUE(many.ends_with("1,\n  ... 1 more item\n]")) << many;
}

TEST(InspectTest, PutsManyItemsInColumns) {
  EXPECT_EQ(inspected("[1,2,3,4,5,6,7,8,9,10,11,12,13]"),
            "[\n   1, 2, 3,  4,  5,  6,\n   7, 8, 9, 10, 11, 12,\n  13\n]");
}

}  // namespace
}  // namespace pmx::cli
