#include "rotate/render.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <random>
#include <vector>

#include "base/json.h"

namespace pmx::rotate {
namespace {

constexpr std::int64_t kTime = 1'795'428'000'123'456'789;  // 2026-11-23T10:00:00.123Z

class RenderTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
  }
  static RenderSpec raw() { return {}; }
  static RenderSpec date(std::string pattern = "YYYY-MM-DDTHH:mm:ss") {
    return {RenderSpec::Kind::kDate, std::move(pattern), "web"};
  }
  static RenderSpec json(std::string pattern = "") {
    return {RenderSpec::Kind::kJson, std::move(pattern), "web"};
  }
  static std::shared_ptr<redact::Redactor> redactor() {
    return redact::Redactor::create({true, {"pin \\d+"}, {}}).value();
  }
  static RenderInput record(std::string_view bytes, std::int64_t time_ns = kTime) {
    RenderInput input;
    input.raw = bytes;
    input.time_ns = time_ns;
    input.partial = !bytes.empty() && bytes.back() != '\n';
    input.worker = WorkerId{3};
    return input;
  }
  static RenderInput continued(std::string_view bytes) {
    RenderInput input = record(bytes);
    input.continues = true;
    return input;
  }
  static RenderInput final_piece(std::string_view bytes) {
    RenderInput input = continued(bytes);
    input.last = true;
    return input;
  }
  static std::string text(const RenderSpec& spec, bool merged,
                          const std::vector<RenderInput>& inputs) {
    const Renderer renderer(spec, merged);
    return text(renderer, inputs);
  }
  static std::string text(const Renderer& renderer, const std::vector<RenderInput>& inputs) {
    std::string out;
    for (const RenderInput& input : inputs) renderer.append(input, out);
    return out;
  }
  static std::string object(std::string_view message) {
    return "{\"message\":\"" + std::string(message) +
           "\",\"timestamp\":\"2026-11-23T10:00:00.123Z\",\"type\":\"out\",\"process_id\":3,"
           "\"app_name\":\"web\"}\n";
  }
  static std::string random_bytes(std::mt19937& random, std::size_t size) {
    constexpr std::string_view kLikely =
        "\n\"\\a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\xA0\x80\r\t\x01";
    std::string bytes;
    while (bytes.size() < size)
      bytes += random() % 4 == 0 ? static_cast<char>(random()) : kLikely[random() % kLikely.size()];
    return bytes;
  }
};

TEST_F(RenderTest, KeepsRawBytesAsTheyAre) {
  const std::string bytes("a\0b\r\n\xFF\n\nlast", 12);
  EXPECT_EQ(text(raw(), false, {record(bytes)}), bytes);
  EXPECT_TRUE(Renderer(raw(), true).is_raw());
  EXPECT_FALSE(Renderer(date(), false).is_raw());
}

TEST_F(RenderTest, EndsAPartialLineInAMergedRawLog) {
  EXPECT_EQ(text(raw(), true, {record("a\nlong"), continued("er\n")}), "a\nlong\ner\n");
}

TEST_F(RenderTest, TakesSecretsOutOfEachLineAndLeavesItsEndAsItWas) {
  const Renderer renderer(raw(), false, redactor());
  EXPECT_TRUE(renderer.is_raw());
  EXPECT_EQ(text(renderer, {record("a\n\npin 1234\r\n{\"token\":\"x\"}\nlast pin 5")}),
            "a\n\n[redacted]\r\n{\"token\":\"[redacted]\"}\nlast [redacted]");
  EXPECT_EQ(renderer.take_redactions(), 3U);
  EXPECT_EQ(renderer.take_redactions(), 0U);
  EXPECT_EQ(text(Renderer(raw(), true, redactor()), {record("pin 1"), continued("2\n")}),
            "[redacted]\n2\n");
}

TEST_F(RenderTest, NoRuleSeesMoreThanALine) {
  const std::shared_ptr<redact::Redactor> greedy =
      redact::Redactor::create({false, {"(?s)from.*to", "\\s+$"}, {}}).value();
  EXPECT_EQ(text(Renderer(raw(), false, greedy), {record("from a\nto b\n\nfrom to\n")}),
            "from a\nto b\n\n[redacted]\n");
}

TEST_F(RenderTest, TakesSecretsOutBeforeALineIsWrapped) {
  EXPECT_EQ(text(Renderer(date("HH:mm"), false, redactor()), {record("pin 1234\n")}),
            "10:00: [redacted]\n");
  const std::string line = R"({"password":"\"p\"","n":1})";
  EXPECT_EQ(text(Renderer(json(), false, redactor()), {record(line + "\n")}),
            object(R"({\"password\":\"[redacted]\",\"n\":1})"));
}

TEST_F(RenderTest, PutsTheDateBeforeEachLineAndNotBeforeContinuations) {
  EXPECT_EQ(text(date(), false, {record("a\n\nb"), continued("c\nd\n")}),
            "2026-11-23T10:00:00: a\n2026-11-23T10:00:00: \n2026-11-23T10:00:00: bc\n"
            "2026-11-23T10:00:00: d\n");
}

TEST_F(RenderTest, PutsTheDateBeforeEachPieceInAMergedLog) {
  EXPECT_EQ(text(date("ss"), true, {record("a"), continued("b\n")}), "00: a\n00: b\n");
}

TEST_F(RenderTest, EndsTheLastLineOfADatedStream) {
  EXPECT_EQ(text(date("ss"), false, {record("a"), final_piece("")}), "00: a\n");
  EXPECT_EQ(text(date("ss"), false, {record("a"), final_piece("b")}), "00: ab\n");
  EXPECT_EQ(text(raw(), false, {record("a"), final_piece("b")}), "ab");
}

TEST_F(RenderTest, FormatsEachLineOfARecordWithItsOwnTime) {
  // The second line is one nanosecond later: in the next second, in the next millisecond.
  const std::int64_t end_of_second = kTime - kTime % 1'000'000'000 + 999'999'999;
  EXPECT_EQ(text(date("ss"), false, {record("a\nb\n", end_of_second)}), "00: a\n01: b\n");
  const std::int64_t end_of_ms = kTime - kTime % 1'000'000 + 999'999;
  EXPECT_EQ(text(date("SSS"), false, {record("a\nb\n", end_of_ms)}), "123: a\n124: b\n");
}

TEST_F(RenderTest, WrapsEachLineInOneJsonObject) {
  EXPECT_EQ(text(json(), false, {record("a\n\"q\" \\ \t\x01\r\n")}),
            object("a") + object("\\\"q\\\" \\\\ \\t\\u0001\\r"));
}

TEST_F(RenderTest, UsesTheDateFormatInJsonAndEscapesIt) {
  const std::string out = text(json("[\"]ss"), false, {record("a\n")});
  EXPECT_NE(out.find("\"timestamp\":\"\\\"00\""), std::string::npos) << out;
}

TEST_F(RenderTest, StreamsALongJsonLineOverSeveralRecords) {
  EXPECT_EQ(text(json(), false, {record("x\nab"), continued("cd"), continued("ef\ny\n")}),
            object("x") + object("abcdef") + object("y"));
}

TEST_F(RenderTest, ClosesAJsonLineThatTheStreamsEndLeftOpen) {
  EXPECT_EQ(text(json(), false, {record("ab"), final_piece("")}), object("ab"));
  EXPECT_EQ(text(json(), false, {record("ab"), final_piece("c")}), object("abc"));
}

TEST_F(RenderTest, MakesAnObjectOfEachPieceInAMergedJsonLog) {
  EXPECT_EQ(text(json(), true, {record("ab"), continued("c\n"), final_piece("")}),
            object("ab") + object("c"));
}

TEST_F(RenderTest, ReplacesBytesThatAreNotUtf8) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(text(json(), false,
                 {record("a\xFF"
                         "b\n")}),
            object("a" + mark + "b"));
  EXPECT_EQ(text(json(), false, {record("\xE2\x82\n")}), object(mark));         // Cut short: one.
  EXPECT_EQ(text(json(), false, {record("\xC0\x80\n")}), object(mark + mark));  // Overlong.
  EXPECT_EQ(text(json(), false, {record("\xED\xA0\x80\n")}),
            object(mark + mark + mark));  // Surrogate.
  EXPECT_EQ(text(json(), false, {record("\xF0\x9F\x98\x80\n")}), object("\xF0\x9F\x98\x80"));
  EXPECT_EQ(text(json(), false, {record("\xE2"), continued("\x82\xAC\n")}),
            object(mark + mark + mark));
}

TEST_F(RenderTest, WritesOnlyJsonForRandomBytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::string bytes = random_bytes(random, 1 + random() % 200) + "\n";
    std::string_view rest;
    const std::string out = text(json(), round % 2 == 0, {record(bytes)});
    std::size_t lines = 0;
    for (rest = out; !rest.empty(); ++lines) {
      const std::size_t newline = rest.find('\n');
      ASSERT_NE(newline, std::string_view::npos);
      const auto parsed = Json::parse(rest.substr(0, newline));
      ASSERT_TRUE(parsed) << rest.substr(0, newline);
      ASSERT_TRUE((*parsed)["message"].is_string());
      rest.remove_prefix(newline + 1);
    }
    EXPECT_EQ(lines, static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n')));
  }
}

TEST_F(RenderTest, GivesTheSameTextForPiecesAsForTheWholeLine) {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> letters;  // Whole UTF-8 sequences.
    for (std::size_t i = 0; i < 1 + random() % 40; ++i)
      letters.push_back(std::vector<std::string>{"a", "\xC3\xA9", "\xE2\x82\xAC", "\"", "\n",
                                                 "\t"}[random() % 6]);
    letters.emplace_back("\n");
    std::string whole;
    std::vector<std::string> pieces(1);
    for (const std::string& letter : letters) {
      if (random() % 3 == 0 && !pieces.back().empty()) pieces.emplace_back();
      whole += letter;
      pieces.back() += letter;
    }
    std::vector<RenderInput> inputs;
    for (const std::string& piece : pieces) {
      inputs.push_back(record(piece));
      inputs.back().continues = inputs.size() > 1 && inputs[inputs.size() - 2].partial;
    }
    for (const RenderSpec& spec : {raw(), date(), json("ss")})
      EXPECT_EQ(text(spec, false, inputs), text(spec, false, {record(whole)}));
  }
}

}  // namespace
}  // namespace pmx::rotate
