#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace pmx {
namespace {

std::string round_trip(std::string_view text) { return Json::parse(text).value().dump(); }

TEST(JsonTest, KeepsTheOrderOfKeys) {
  const std::string text = R"({"name":"web","pm_id":0,"a":1,"_":[],"A":{}})";
  EXPECT_EQ(round_trip(text), text);
}

TEST(JsonTest, KeepsEveryKindOfValue) {
  const std::string text = R"([null,true,false,0,-5,9223372036854775807,1.5,"","x",[1],{"k":"v"}])";
  EXPECT_EQ(round_trip(text), text);
}

TEST(JsonTest, KeepsNumbersAbove63BitsAsTheirBits) {
  // Stream and log ids are 64-bit numbers; as_int() and a cast give them back.
  const std::uint64_t id = 0xFEDC'BA98'7654'3210ULL;
  const Json again = Json::parse(Json::object({{"id", id}}).dump()).value();
  EXPECT_EQ(static_cast<std::uint64_t>(again["id"].as_int()), id);
}

TEST(JsonTest, EscapesWhatMustBeAndReplacesBrokenUtf8) {
  EXPECT_EQ(Json("a\"b\\\n\x01").dump(), R"("a\"b\\\n\u0001")");
  EXPECT_EQ(Json("caf\xc3\xa9").dump(), "\"caf\xc3\xa9\"");
  EXPECT_EQ(Json("bad\xff").dump(), "\"bad\xef\xbf\xbd\"");
}

TEST(JsonTest, OfMembersWithOneKeyTheLastHoldsInTheFirstOnesPlace) {
  EXPECT_EQ(round_trip(R"({"a":1,"b":{"x":1,"x":2},"a":3})"), R"({"a":3,"b":{"x":2}})");
}

TEST(JsonTest, WritesWhatIsNotPlainAsBefore) {
  EXPECT_EQ(round_trip(R"([1.0,1e21,-0.5,"\u007f\/"])"), "[1.0,1e+21,-0.5,\"\x7f/\"]");
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_FALSE(Json::parse("1e999"));
}

TEST(JsonTest, IndentsForTheEye) {
  EXPECT_EQ(Json::parse(R"([1,[],{},{"a":[2]}])").value().dump(2),
            "[\n  1,\n  [],\n  {},\n  {\n    \"a\": [\n      2\n    ]\n  }\n]");
  EXPECT_EQ(Json::object({{"a", 1}}).dump(2), "{\n  \"a\": 1\n}");
}

TEST(JsonTest, AnErrorSaysWhere) {
  const auto broken = Json::parse("{\n  \"a\": oops\n}");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), Errc::kInvalidArgument);
  EXPECT_NE(broken.error().message().find("line 2, column"), std::string::npos)
      << broken.error().message();
  EXPECT_EQ(broken.error().message().find("json.exception"), std::string::npos)
      << broken.error().message();
  EXPECT_FALSE(Json::parse(""));
  EXPECT_FALSE(Json::parse("{} {}"));
}

TEST(JsonTest, AskingForWhatIsNotThereGivesAnEmptyAnswer) {
  const Json json = Json::parse(R"({"n":3,"s":"text","d":2.9,"b":true})").value();
  EXPECT_TRUE(json["missing"]["deeper"].is_null());
  EXPECT_EQ(json["missing"].as_string(), "");
  EXPECT_EQ(json["n"].as_string_or("other"), "other");
  EXPECT_EQ(json["s"].as_int(7), 7);
  EXPECT_EQ(json["d"].as_int(), 2);
  EXPECT_EQ(json["n"].as_double(), 3.0);
  EXPECT_TRUE(json["b"].as_bool());
  EXPECT_TRUE(json["n"].items().empty());
  EXPECT_TRUE(Json(5).members().empty());
  EXPECT_EQ(json.find("missing"), nullptr);
}

TEST(JsonTest, SetsReplacesAndErasesMembers) {
  Json json;
  json.set("a", 1);
  json.set("b", 2);
  json.set("a", 3);
  EXPECT_EQ(json.dump(), R"({"a":3,"b":2})");
  json.erase("a");
  json.erase("never there");
  EXPECT_EQ(json.dump(), R"({"b":2})");
}

TEST(JsonTest, NullBecomesWhatIsPutIn) {
  Json list;
  list.push_back("x");
  list.push_back(Json::object());
  EXPECT_EQ(list.dump(), R"(["x",{}])");
}

TEST(JsonTest, NestingOfAThousandLevelsIsRead) {
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_EQ(round_trip(deep), deep);
}

// Below a thousand brackets the fast parser reads, above them the patient one.
TEST(JsonTest, AValueIsTheSameHoweverDeepItStands) {
  constexpr int kDeep = 1'100;
  for (const std::string text :
       {R"({"a":1,"b":[true,false,null],"a":{"c":"d"}})",
        R"("\ud83d\ude00 \u00e9 \n \u0000 \"\\\/")", "-0", "-0.0", "0.1", "1e2", "1E-7",
        "123456789012345678901234567890", "5e-324", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808", "18446744073709551615", R"({"":{"":[]}})",
        "\"\xC3\xA9\xF0\x9F\x98\x80\""}) {
    Json deep = *Json::parse(std::string(kDeep, '[') + text + std::string(kDeep, ']'));
    for (int i = 0; i < kDeep; ++i) deep = Json(deep.items().at(0));
    const Json flat = *Json::parse(text);
    EXPECT_EQ(flat.dump(), deep.dump()) << text;
    EXPECT_EQ(flat.is_integer(), deep.is_integer()) << text;
  }
  for (const std::string text :
       {R"("\ud83d")", "\"\xC3\"", "01", "1.", "nul", "1e400", "\"\t\"", "[1,]"})
    EXPECT_FALSE(Json::parse(text)) << text;
}

TEST(JsonTest, NestingWithoutEndIsRefused) {
  const std::string deep = std::string(1'000'000, '[');
  EXPECT_NE(Json::parse(deep).error().message().find("2000 levels"), std::string::npos);
  const std::string text = '"' + deep + "\\\\\\\"" + deep + '"';  // In a string they nest nothing.
  EXPECT_EQ(round_trip(text), text);
}

}  // namespace
}  // namespace pmx
