#include "capture/fields.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "capture/internal/level_word.h"
#include "fuzz/reference.h"

namespace pmx::capture {
namespace {

std::string_view level(std::string_view line) { return name_of(read_fields_copy(line).severity); }
bool unreadable(std::string_view line) { return read_fields_copy(line).unreadable; }

struct Case {
  std::string_view line;
  std::string_view level;
};

void expect_levels(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(level(c.line), c.level) << c.line;
    EXPECT_FALSE(unreadable(c.line)) << c.line;
  }
}

TEST(FieldsTest, ReadsPinoAndBunyanNumbers) {
  expect_levels({
      {R"({"level":10,"time":1,"msg":"x"})", "trace"},
      {R"({"level":20,"time":1,"msg":"x"})", "debug"},
      {R"({"level":30,"time":1,"msg":"x"})", "info"},
      {R"({"level":35,"time":1,"msg":"custom"})", "info"},
      {R"({"level":40,"time":1,"msg":"x"})", "warn"},
      {R"({"level":50,"time":1,"msg":"x"})", "error"},
      {R"({"level":60,"time":1,"msg":"x"})", "fatal"},
      {R"({"name":"app","hostname":"h","pid":1,"level":50,"msg":"x","v":0})", "error"},
  });
}

TEST(FieldsTest, ReadsTheKeysOfTheUsualLoggers) {
  expect_levels({
      {R"({"level":"error","message":"winston"})", "error"},
      {R"({"message":"winston","level":"warn"})", "warn"},
      {R"({"level":"dpanic","ts":1.5,"caller":"a.go:1","msg":"zap"})", "fatal"},
      {R"({"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"slog"})", "error"},
      {R"({"time":"2026-01-01T00:00:00Z","level":"DEBUG-4","msg":"slog"})", "debug"},
      {R"({"asctime":"2026-01-01","levelname":"CRITICAL","message":"python"})", "fatal"},
      {R"({"@timestamp":"2026","log.level":"WARN","message":"log4j2 as ECS"})", "warn"},
      {R"({"@t":"2026","@mt":"serilog","@l":"Error"})", "error"},
      {R"({"Timestamp":"2026","Level":"Warning","MessageTemplate":"serilog"})", "warn"},
      {R"({"t":"2026","lvl":"eror","msg":"log15"})", "error"},
      {R"({"severity":"CRITICAL","message":"google cloud"})", "fatal"},
      {R"({"severity":3,"message":"syslog"})", "error"},
      {R"({"message":"monolog","context":{},"level":300,"level_name":"WARNING"})", "warn"},
      {R"({"body":"otel","severityNumber":17})", "error"},
  });
}

TEST(FieldsTest, OnlyTheTopLevelCounts) {
  expect_levels({
      {R"({"req":{"level":50},"msg":"x"})", "info"},
      {R"({"a":[{"level":"error"},[]],"level":40})", "warn"},
      {R"({"msg":"say \"level\":50 or {\"level\":60}"})", "info"},
      {R"({"msg":"\\","level":50})", "error"},
      {R"({"a":"}{][","level":50})", "error"},
      {R"({"levels":50,"sublevel":60,"LEVEL":60})", "info"},
  });
}

TEST(FieldsTest, AKeyWithoutALevelLeavesTheWordToTheNext) {
  expect_levels({
      {R"({"level":7,"severity":"error"})", "error"},
      {R"({"level":"gold","msg":"a game"})", "info"},
      {R"({"level":null,"lvl":"warn"})", "warn"},
      {R"({"level":{"value":50},"severity":"debug"})", "debug"},
      {R"({"level":50.5})", "info"},
      {R"({"level":-50})", "info"},
      {R"({"level":50,"severity":"debug"})", "error"},
  });
}

TEST(FieldsTest, BlanksAreOfNoMatterInJson) {
  expect_levels(
      {{"  { \"level\" : 50 , \"a\" : 1 } \r", "error"}, {"{}", "info"}, {"{ }", "info"}});
}

TEST(FieldsTest, AnOpeningBraceThatBeginsNoJsonIsUnreadable) {
  for (const std::string_view line :
       {"{ a: 1, b: 'two' }", "{", "{]}", R"({"level":50,"msg":"cut o)", R"({"a" 1})",
        R"({"a":1,})", R"({"a":{"b":1})", R"({"a":1}})", R"({"a":1} and more)", R"({"a":oops})",
        R"({"a":})"}) {
    EXPECT_TRUE(unreadable(line)) << line;
    EXPECT_EQ(level(line), "info") << line;
  }
}

TEST(FieldsTest, AFirstPieceIsNotBlamedForItsMissingEnd) {
  const std::string_view cut = R"({"level":50,"msg":"cut o)";
  EXPECT_EQ(read_fields_copy(cut, Piece::kFirst), (LineFields{Severity::kError, false}));
  EXPECT_EQ(read_fields_copy(R"({"msg":"cut o)", Piece::kFirst), LineFields{});
  EXPECT_EQ(read_fields_copy(R"({"a":[1,2)", Piece::kFirst), LineFields{});
  EXPECT_TRUE(read_fields_copy("{ a: 1, b", Piece::kFirst).unreadable);
}

TEST(FieldsTest, ReadsUpperCaseWordsInText) {
  expect_levels({
      {"2026-01-01 10:00:00,123 ERROR [main] com.example.App - log4j", "error"},
      {"2026-01-01 10:00:00.123  WARN 1 --- [main] o.s.b.App : spring", "warn"},
      {"ERROR:root:python", "error"},
      {"2026-01-01 10:00:00 UTC [12] FATAL:  postgres", "fatal"},
      {"npm ERR! code ELIFECYCLE", "error"},
      {"[10:00:00 WRN] serilog", "warn"},
      {"[2026-01-01T00:00:00Z DEBUG app] rust", "debug"},
      {"[2026-01-01 00:00:00,000: ERROR/MainProcess] celery", "error"},
      {"E, [2026-01-01T00:00:00 #1] ERROR -- : ruby", "error"},
      {"[2026-01-01 00:00:00] app.ERROR: monolog", "error"},
      {"INFO the ERROR comes later", "info"},
  });
}

TEST(FieldsTest, ReadsBracketsAndLogfmt) {
  expect_levels({
      {"2026/01/01 00:00:00 [error] 123#0: *1 nginx", "error"},
      {"2026/01/01 00:00:00 [crit] 123#0: nginx", "fatal"},
      {"[Mon Jan 01 00:00:00.000 2026] [core:error] [pid 1] apache", "error"},
      {"[2026-01-01 00:00:00 +0000] [1] [WARNING] gunicorn", "warn"},
      {"[main] [warn ] padded", "warn"},
      {"time=2026-01-01 level=error msg=\"logrus\"", "error"},
      {"level=\"warn\" msg=x", "warn"},
      {"t=2026 lvl=dbug msg=log15", "debug"},
      {"time=2026 level=info msg=\"got status=ERROR\"", "info"},
  });
}

TEST(FieldsTest, ReadsWhatStandsAtTheStart) {
  expect_levels({
      {"<3>sd-daemon", "error"},
      {"<134>local0.info", "info"},
      {"E1123 10:00:00.123456    7 klog.go:1] x", "error"},
      {"W1123 10:00:00.123456    7 klog.go:1] x", "warn"},
      {"error: winston's simple format", "error"},
      {"Error: Cannot find module 'x'", "error"},
      {"TypeError: Cannot read properties of undefined", "error"},
      {"TypeError [ERR_INVALID_ARG_TYPE]: The \"path\" argument", "error"},
      {"java.lang.NullPointerException", "error"},
      {"Exception in thread \"main\" java.io.IOException: no", "error"},
      {"Traceback (most recent call last):", "error"},
      {"KeyError: 'x'", "error"},
      {"TypeErrors were counted", "info"},
      {"Exception handling is on", "info"},
      {"warn: Microsoft.Hosting.Lifetime[0]", "warn"},
      {"fail: Microsoft.Hosting.Lifetime[0]", "error"},
      {"panic: runtime error: index out of range", "fatal"},
      {"  fatal: not a git repository", "fatal"},
  });
}

TEST(FieldsTest, LooksThroughColours) {
  expect_levels({
      {"\x1b[31merror\x1b[39m: winston", "error"},
      {"[10:00:00.000] \x1b[33mWARN\x1b[39m (1): pino-pretty", "warn"},
      {"\x1b[1;31mERROR\x1b[0m text", "error"},
      {"alarmERROR", "info"},
  });
}

TEST(FieldsTest, OrdinaryTextIsInfo) {
  expect_levels({
      {"", "info"},
      {"\r", "info"},
      {"x", "info"},
      {"GET /error 200 3 ms - 12", "info"},
      {"GET /ERROR HTTP/1.1", "info"},
      {"a NON-FATAL thing that is ERROR-FREE", "info"},
      {"ERRORS are not ERROR2 nor MY_ERROR", "info"},
      {"no error here, [an error] neither", "info"},
      {"water_level=error fuel-level= level=", "info"},
      {"<999999>x <3", "info"},
      {"E1123 is no klog line", "info"},
  });
}

TEST(FieldsTest, ATextLineNamesItsLevelWithinItsFirstBytesOrNotAtAll) {
  for (std::size_t at = 0; at < 130; ++at) {
    const std::string line = std::string(at, ' ') + "ERROR x";
    EXPECT_EQ(level(line), at < kTextBytes ? "error" : "info") << at;
    EXPECT_EQ(level(std::string(at, '.') + "[error] x"), at + 6 < kTextBytes ? "error" : "info")
        << at;
  }
}

TEST(FieldsTest, WhatFollowsTheLineDoesNotMatter) {
  for (const std::string_view line :
       {"ERRO", "level=erro", "[erro", R"({"level":5)", R"({"level":50)", "<3", "erro"}) {
    std::string padded(line);
    padded += "R]0,}\">: ERROR";
    padded.resize(line.size() + kReadableBehindBytes);
    EXPECT_EQ(severity_of(std::string_view(padded).substr(0, line.size())), Severity::kInfo)
        << line;
  }
}

// A batch with its padding, as a ring would give it.
class CountTest : public testing::Test {
 protected:
  SeverityCounts count(std::string_view bytes, bool continues = false) {
    padded_ = std::string(bytes) + std::string(kReadableBehindBytes, 'E');
    LineBatch batch;
    batch.bytes = std::string_view(padded_).substr(0, bytes.size());
    batch.continues = continues;
    count_severities(batch);
    EXPECT_TRUE(batch.parsed);
    return batch.severities;
  }
  std::string padded_;
};

TEST_F(CountTest, CountsEachLineOnce) {
  const SeverityCounts counts = count(
      "ERROR a\n{\"level\":40}\n\nplain\r\nDEBUG x\nTRACE x\nFATAL\n{broken\n{\"level\":50}\n");
  EXPECT_EQ(counts,
            (SeverityCounts{.debug = 2, .warn = 1, .error = 2, .fatal = 1, .unreadable = 1}));
  EXPECT_EQ(count(""), SeverityCounts{});
}

TEST_F(CountTest, ALineInPiecesCountsByItsFirst) {
  EXPECT_EQ(count(R"({"level":50,"msg":"begin)"), (SeverityCounts{.error = 1}));
  EXPECT_EQ(count("ERROR in the middle", true), SeverityCounts{});
  EXPECT_EQ(count("{ the end\nWARN next\n", true), (SeverityCounts{.warn = 1}));
}

TEST_F(CountTest, CountsAsManyLinesAsABatchHas) {
  std::string lines;
  for (std::uint32_t i = 0; i < kMaxBatchLines; ++i) lines += "ERR\n";
  EXPECT_EQ(count(lines).error, kMaxBatchLines);
}

TEST(LevelWordTest, KnowsEveryWordThatParseSeverityKnows) {
  for (const std::string_view word :
       {"trace", "silly", "verbose",   "debug", "dbg",   "info",     "information",
        "inf",   "log",   "notice",    "http",  "warn",  "warning",  "wrn",
        "error", "err",   "severe",    "fatal", "ftl",   "critical", "crit",
        "alert", "emerg", "emergency", "panic", "dpanic"}) {
    std::string padded(word);
    padded.resize(word.size() + 8);
    EXPECT_EQ(internal::level_word(std::string_view(padded).substr(0, word.size())),
              parse_severity(word))
        << word;
  }
}

TEST(FieldsTest, AgreesWithSimdjsonOnRandomJson) {
  std::mt19937_64 random(20260102);
  const auto pick = [&random](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  const std::vector<std::string> keys{"level",     "severity", "lvl", "a",          "msg",
                                      "levelname", "log",      "@l",  "x\\\"level", ""};
  const std::vector<std::string> scalars{"50",       "40",
                                         "7",        "3",
                                         "-1",       "60.5",
                                         "1e2",      "true",
                                         "null",     "\"error\"",
                                         "\"warn\"", "\"gold\"",
                                         "\"\"",     "\"{\\\"level\\\":50}\"",
                                         "\"\\\\\"", "\"long text, 20 bytes\""};
  const auto blank = [&] { return std::string(random() % 3, ' '); };
  const auto value = [&](auto&& self, int depth) -> std::string {
    const std::uint64_t kind = random() % 8;
    if (depth > 3 || kind < 6) return pick(scalars);
    std::string text = kind == 6 ? "{" : "[";
    const std::uint64_t n = random() % 4;
    for (std::uint64_t i = 0; i < n; ++i) {
      if (i > 0) text += "," + blank();
      if (kind == 6) text += "\"" + pick(keys) + "\":" + blank();
      text += self(self, depth + 1);
    }
    return text + (kind == 6 ? "}" : "]");
  };
  int judged = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string line = "{" + blank();
    const std::uint64_t n = random() % 6;
    for (std::uint64_t i = 0; i < n; ++i)
      line += std::string(i > 0 ? "," : "") + blank() + "\"" + pick(keys) + "\"" + blank() + ":" +
              blank() + value(value, 0);
    line += blank() + "}";
    judged += reference_json_fields(line).has_value();
    ASSERT_EQ(disagreement_of_fields(line), "") << line;
  }
  EXPECT_EQ(judged, 30'000);
}

TEST(FieldsTest, AMemberSaysWhatItsLineSays) {
  EXPECT_EQ(level_of_member("level", "40", false), Severity::kWarn);
  EXPECT_EQ(level_of_member("level", "Critical", true), Severity::kFatal);
  EXPECT_EQ(level_of_member("PRIORITY", "3", false), Severity::kError);
  EXPECT_EQ(level_of_member("severityNumber", "9", false), Severity::kInfo);
  for (const char* const number : {"3", "40.5", "-40", "40000", ""})
    EXPECT_EQ(level_of_member("level", number, false), std::nullopt) << number;
  EXPECT_EQ(level_of_member("level", "gold", true), std::nullopt);
  EXPECT_EQ(level_of_member("a", "error", true), std::nullopt);
}

}  // namespace
}  // namespace pmx::capture
