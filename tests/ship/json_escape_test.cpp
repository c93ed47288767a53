#include "ship/json_escape.h"

#include <gtest/gtest.h>

#include <random>

#include "base/json.h"

namespace pmx::ship {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// One byte at a time, nothing clever.
std::string slow(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    const std::string_view from = "\b\f\n\r\t\"\\", to = "bfnrt\"\\";
    if (const auto at = from.find(byte); at != std::string_view::npos) {
      out += {'\\', to[at]};
    } else if (value < 0x20) {
      out += {'\\', 'u', '0', '0', "01"[value >> 4U], "0123456789abcdef"[value & 15U]};
    } else {
      out += byte;
    }
  }
  return out + "\"";
}

TEST(JsonEscapeTest, EveryByteIsWrittenAsTheStandardWantsIt) {
  for (int value = 0; value < 0x80; ++value) {
    const std::string one(1, static_cast<char>(value));
    EXPECT_EQ(in_quotes(one), slow(one)) << value;
    const auto read = Json::parse(in_quotes(one));
    ASSERT_TRUE(read) << value;
    EXPECT_EQ(read->as_string(), one) << value;
  }
}

TEST(JsonEscapeTest, AnEscapeIsFoundAtEveryPlaceOfEveryLength) {
  for (std::size_t size = 0; size <= 200; ++size) {
    std::string text(size, 'x');
    EXPECT_EQ(in_quotes(text), "\"" + text + "\"");
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '"';
      ASSERT_EQ(in_quotes(text), slow(text)) << size << " bytes, quote at " << at;
      text[at] = 'x';
    }
  }
}

TEST(JsonEscapeTest, AgreesWithTheSlowWayOnRandomBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 5000, ' ');
    const unsigned range = round % 2 == 0 ? 256 : 40;  // Half of them: mostly to be escaped.
    for (char& byte : text) byte = static_cast<char>(random() % range);
    ASSERT_EQ(in_quotes(text), slow(text)) << "round " << round;
  }
}

TEST(JsonEscapeTest, AppendsBehindWhatIsThere) {
  std::string out = "{\"a\":";
  append_json_string(out, "b");
  out += ",\"c\":\"";
  append_json_escaped(out, "d\"");
  append_json_escaped(out, "e");
  EXPECT_EQ(out, R"({"a":"b","c":"d\"e)");
}

TEST(JsonEscapeTest, Utf8StaysAsItIs) {
  EXPECT_EQ(in_quotes("grün \xF0\x9F\x98\x80 \x7F"), "\"grün \xF0\x9F\x98\x80 \x7F\"");
}

}  // namespace
}  // namespace pmx::ship
