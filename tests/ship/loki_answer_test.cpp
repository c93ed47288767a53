// Table 1.4 of what Loki answers, row by row, in the store's own words.
#include "ship/internal/loki_answer.h"

#include <gtest/gtest.h>

namespace pmx::ship::internal {
namespace {

using Kind = Verdict::Kind;
using Of = ItemVerdict::Kind;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNoon = 1'789'646'400 * kSecond;  // 2026-09-17T12:00:00Z.

class LokiAnswerTest : public ::testing::Test {
 protected:
  void entry(std::int64_t time_ns, std::string_view line = "x") {
    const std::size_t before = bytes_.size();
    append_entry(bytes_, LokiEncoding::kProtobuf, time_ns, line, {}, {});
    items_.push_back({.size_bytes = static_cast<std::uint32_t>(bytes_.size() - before),
                      .seq = items_.size(),
                      .time_ns = time_ns});
  }
  void entries(int count) {
    for (int i = 0; i < count; ++i) entry(kNoon + i);
  }
  Verdict judge(int status, std::string body) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = std::move(body);
    LokiVerdict judged = judge_loki(answer, items_, bytes_, LokiEncoding::kProtobuf);
    metadata_disallowed_ = judged.metadata_disallowed;
    return std::move(judged.verdict);
  }
  static std::vector<Of> kinds(const Verdict& verdict) {
    std::vector<Of> kinds;
    for (const ItemVerdict& item : verdict.items) kinds.push_back(item.kind);
    return kinds;
  }

  std::vector<Item> items_;
  std::string bytes_;
  bool metadata_disallowed_ = false;
};

struct Row {
  int status;
  const char* body;
  Kind many, alone;  // With three entries, with one.
  bool backpressure = false;
};
constexpr Row kRows[] = {
    {204, "", Kind::kDelivered, Kind::kDelivered},
    {200, "", Kind::kDelivered, Kind::kDelivered},
    {260, "ingestion blocked for user 'fake' until '2026-09-18T12:00:00Z' with status code '260'",
     Kind::kBlocked, Kind::kBlocked},
    {200, "ingestion blocked for user 'fake' until '2026-09-18T12:00:00Z' with status code '200'",
     Kind::kBlocked, Kind::kBlocked},
    {400, "error parsing labels '{a=}' with error: 1:4: parse error", Kind::kItems, Kind::kItems},
    {400, "couldn't parse labels: 1:4: parse error", Kind::kItems, Kind::kItems},
    {400, "error at least one label pair is required per stream", Kind::kItems, Kind::kItems},
    {400, "entry for stream '{a=\"b\"}' has 16 label names; limit 15", Kind::kItems, Kind::kItems},
    {400, "stream '{a=\"b\"}' has label name too long: 'aaaa'", Kind::kItems, Kind::kItems},
    {400, "stream '{a=\"b\"}' has label value too long: 'bbbb'", Kind::kItems, Kind::kItems},
    {400, "stream '{a=\"b\"}' has duplicate label name: 'a'", Kind::kItems, Kind::kItems},
    {400, "missing required labels 'team' for stream '{a=\"b\"}'", Kind::kItems, Kind::kItems},
    {400, "stream '{a=\"b\"}' has structured metadata too large: '70000' bytes, limit: '65536'",
     Kind::kSplit, Kind::kItems},
    {400, "stream '{a=\"b\"}' has too many structured metadata labels: '130', limit: '128'",
     Kind::kSplit, Kind::kItems},
    {400, "snappy: corrupt input", Kind::kSplit, Kind::kItems},
    {400, "tenant ID 'a/b' contains unsupported character '/'", Kind::kBlocked, Kind::kBlocked},
    {401, "no org id", Kind::kBlocked, Kind::kBlocked},
    {403, "", Kind::kBlocked, Kind::kBlocked},
    {404, "page not found", Kind::kBlocked, Kind::kBlocked},
    {413, "request body too large: 2000000", Kind::kSplit, Kind::kItems},
    {422, "error at least one valid stream is required for ingestion", Kind::kSplit, Kind::kItems},
    {429,
     "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to "
     "ingest '3' lines totaling '300' bytes, reduce log volume or contact your Loki "
     "administrator",
     Kind::kRetry, Kind::kRetry, true},
    {429,
     "ingestion rate limit exceeded for user fake (limit: 100 bytes/sec) while attempting to "
     "ingest '3' lines totaling '300' bytes, reduce log volume or contact your Loki "
     "administrator",
     Kind::kSplit, Kind::kRetry, true},
    {429,
     "Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream "
     "'{a=\"b\"}' totaling 1.2MB, consider splitting a stream via additional labels",
     Kind::kRetry, Kind::kRetry, true},
    {429,
     "maximum active stream limit exceeded when trying to create stream {a=\"b\"}, reduce the "
     "number of active streams",
     Kind::kRetry, Kind::kRetry, false},
    {500, "at least 2 live replicas required, could only find 1", Kind::kRetry, Kind::kRetry, true},
    {500,
     "rpc error: code = ResourceExhausted desc = grpc: received message larger than max "
     "(5000000 vs. 4194304)",
     Kind::kSplit, Kind::kRetry},
    {502, "", Kind::kRetry, Kind::kRetry, true},
    {503, "circuit breaker open, request denied", Kind::kRetry, Kind::kRetry, true},
    {504, "", Kind::kRetry, Kind::kRetry, true},
    {301, "", Kind::kBlocked, Kind::kBlocked},
    {501, "", Kind::kBlocked, Kind::kBlocked},
};

TEST_F(LokiAnswerTest, EveryRowOfTheTableHasItsReaction) {
  entries(3);
  for (const Row& row : kRows) {
    const Verdict verdict = judge(row.status, row.body);
    EXPECT_EQ(verdict.kind, row.many) << row.status << " " << row.body;
    if (row.many != Kind::kSplit || row.status == 429) {
      EXPECT_EQ(verdict.backpressure, row.backpressure) << row.status << " " << row.body;
    }
    if (row.many == Kind::kItems) {
      EXPECT_EQ(kinds(verdict), std::vector(3, Of::kRefused)) << row.body;
    }
  }
  items_.clear();
  bytes_.clear();
  entries(1);
  for (const Row& row : kRows) {
    const Verdict verdict = judge(row.status, row.body);
    EXPECT_EQ(verdict.kind, row.alone) << row.status << " " << row.body;
    if (row.alone == Kind::kItems) {
      ASSERT_EQ(kinds(verdict), std::vector(1, Of::kRefused)) << row.body;
      EXPECT_EQ(verdict.items[0].status, row.status);
      EXPECT_EQ(verdict.items[0].reason, std::to_string(row.status) + ": " + row.body);
    }
  }
}

TEST_F(LokiAnswerTest, NoAnswerIsTriedAgainWithTheWordsOfWhatWentWrong) {
  entries(2);
  HttpAnswer answer;
  answer.error = "connect 127.0.0.1:3100: refused";
  auto verdict = judge_loki(answer, items_, bytes_, LokiEncoding::kProtobuf).verdict;
  EXPECT_EQ(verdict.kind, Kind::kRetry);
  EXPECT_EQ(verdict.why, "connect 127.0.0.1:3100: refused");
  EXPECT_FALSE(verdict.backpressure);  // Nobody is there to be spared.
  answer.error = "timeout after 30 s";
  answer.sent = true;
  verdict = judge_loki(answer, items_, bytes_, LokiEncoding::kProtobuf).verdict;
  EXPECT_EQ(verdict.kind, Kind::kRetry);
  EXPECT_TRUE(verdict.backpressure);
}

TEST_F(LokiAnswerTest, TheStoresPatienceIsHandedOn) {
  entries(2);
  HttpAnswer answer;
  answer.status = 503;
  answer.retry_after = std::chrono::seconds(7);
  EXPECT_EQ(judge_loki(answer, items_, bytes_, LokiEncoding::kProtobuf).verdict.retry_after,
            std::chrono::seconds(7));
}

TEST_F(LokiAnswerTest, TooManyStreamsAreAskedForOnceAMinute) {
  entries(1);
  const auto verdict = judge(429,
                             "maximum active stream limit exceeded when trying to create stream "
                             "{app=\"api\"}, reduce the number of active streams");
  EXPECT_EQ(verdict.retry_after, std::chrono::minutes(1));
}

TEST_F(LokiAnswerTest, OnlyTheNamedEntriesAreRefusedAndTheRestIsStored) {
  entry(kNoon - 7200 * kSecond + 120'000'000);
  entry(kNoon);
  entry(kNoon + 1);
  const auto verdict = judge(
      400,
      "entry with timestamp 2026-09-17 10:00:00.12 +0000 UTC ignored, reason: 'entry too far "
      "behind, entry timestamp is: 2026-09-17T10:00:00Z, oldest acceptable timestamp is: "
      "2026-09-17T11:00:00Z',\nuser 'fake', total ignored: 1 out of 3 for stream: {app=\"api\"}");
  ASSERT_EQ(verdict.kind, Kind::kItems);
  EXPECT_EQ(kinds(verdict), (std::vector{Of::kRefused, Of::kDelivered, Of::kDelivered}));
  EXPECT_EQ(verdict.items[0].reason,
            "entry too far behind, entry timestamp is: 2026-09-17T10:00:00Z, oldest acceptable "
            "timestamp is: 2026-09-17T11:00:00Z");
}

TEST_F(LokiAnswerTest, WhatIsOlderThanTheNamedBoundIsRefusedThoughItIsNotNamed) {
  for (int i = 0; i < 12; ++i) entry(kNoon - 7200 * kSecond + i);
  entry(kNoon + kSecond / 2);  // In the bound's own second.
  entry(kNoon + kSecond);
  std::string body;
  for (int i = 0; i < 10; ++i)
    body += "entry with timestamp 2026-09-17 10:00:00.00000000" + std::to_string(i) +
            " +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: "
            "2026-09-17T10:00:00Z, oldest acceptable timestamp is: 2026-09-17T12:00:00Z',\n";
  const auto verdict =
      judge(400, body + "user 'fake', total ignored: 12 out of 14 for stream: {app=\"api\"}");
  ASSERT_EQ(verdict.kind, Kind::kItems);
  std::vector<Of> expected(12, Of::kRefused);
  expected.push_back(Of::kRetry);
  expected.push_back(Of::kDelivered);
  EXPECT_EQ(kinds(verdict), expected);
}

TEST_F(LokiAnswerTest, MoreRefusedThanNamedWithoutABoundIsSplit) {
  entries(20);
  const std::string body =
      "entry with timestamp 2026-09-17 12:00:00.000000001 +0000 UTC ignored, reason: 'duplicate "
      "entry',\nuser 'fake', total ignored: 5 out of 20 for stream: {app=\"api\"}";
  EXPECT_EQ(judge(400, body).kind, Kind::kSplit);
  items_.resize(1);
  EXPECT_EQ(kinds(judge(400, body)), std::vector{Of::kRefused});
}

TEST_F(LokiAnswerTest, TimesThatAreNotOursAreNotGuessedAt) {
  entries(2);
  EXPECT_EQ(judge(400,
                  "entry with timestamp 2020-01-01 00:00:00 +0000 UTC ignored, reason: 'x',\n"
                  "user 'fake', total ignored: 1 out of 2 for stream: {}")
                .kind,
            Kind::kSplit);
}

TEST_F(LokiAnswerTest, ANamedTimeThatTwoEntriesHaveIsAskedForAgain) {
  entry(kNoon);
  entry(kNoon);
  entry(kNoon + 1);
  const auto verdict = judge(400,
                             "entry with timestamp 2026-09-17 12:00:00 +0000 UTC ignored, reason: "
                             "'x',\nuser 'fake', total ignored: 1 out of 3 for stream: {}");
  EXPECT_EQ(kinds(verdict), (std::vector{Of::kRetry, Of::kRetry, Of::kDelivered}));
}

TEST_F(LokiAnswerTest, APerStreamRateLimitThatNamesEntriesKeepsTheRest) {
  entries(3);
  const auto verdict = judge(
      429,
      "entry with timestamp 2026-09-17 12:00:00.000000001 +0000 UTC ignored, reason: 'Per stream "
      "rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream '{app=\"api\"}' "
      "totaling 100B, consider splitting a stream',\nuser 'fake', total ignored: 1 out of 3 for "
      "stream: {app=\"api\"}");
  ASSERT_EQ(verdict.kind, Kind::kItems);
  EXPECT_TRUE(verdict.backpressure);
  EXPECT_EQ(kinds(verdict), (std::vector{Of::kDelivered, Of::kRetry, Of::kDelivered}));
}

TEST_F(LokiAnswerTest, LinesAWeekOldAreRefusedAndTheOthersKept) {
  entry(kNoon - kSecond);
  entry(kNoon + kSecond / 2);
  entry(kNoon + kSecond);
  const auto verdict = judge(400,
                             "entry for stream '{app=\"api\"}' has timestamp too old: "
                             "2026-09-17T11:59:59Z, oldest acceptable timestamp is: "
                             "2026-09-17T12:00:00Z");
  ASSERT_EQ(verdict.kind, Kind::kItems);
  EXPECT_EQ(kinds(verdict), (std::vector{Of::kRefused, Of::kRetry, Of::kDelivered}));
}

TEST_F(LokiAnswerTest, ALineFromTheFutureIsFoundBySplitting) {
  entries(2);
  const std::string body = "entry for stream '{}' has timestamp too new: 2026-09-17T12:00:00Z";
  EXPECT_EQ(judge(400, body).kind, Kind::kSplit);
  items_.resize(1);
  EXPECT_EQ(kinds(judge(400, body)), std::vector{Of::kRefused});
}

TEST_F(LokiAnswerTest, OnlyLinesAboveTheStoresLimitAreRefused) {
  entry(kNoon, "short");
  entry(kNoon + 1, std::string(500, 'x'));
  entry(kNoon + 2, std::string(100, 'x'));  // At the limit.
  const auto verdict = judge(400,
                             "max entry size '100' bytes exceeded for stream '{app=\"api\"}' while "
                             "adding an entry with length '500' bytes");
  ASSERT_EQ(verdict.kind, Kind::kItems);
  EXPECT_EQ(kinds(verdict), (std::vector{Of::kDelivered, Of::kRefused, Of::kDelivered}));
}

TEST_F(LokiAnswerTest, SeveralReasonsAtOnceAreSplit) {
  entries(4);
  EXPECT_EQ(judge(400,
                  "1 errors like: max entry size '100' bytes exceeded for stream '{}' while adding "
                  "an entry with length '500' bytes; 1 errors like: entry for stream '{}' has "
                  "timestamp too new: 2026-09-17T12:00:00Z")
                .kind,
            Kind::kSplit);
}

TEST_F(LokiAnswerTest, DisallowedMetadataMeansOnceMoreWithoutIt) {
  entries(2);
  const auto verdict = judge(400,
                             "stream '{app=\"api\"}' includes structured metadata, but this "
                             "feature is disallowed. Please see `limits_config`");
  EXPECT_TRUE(metadata_disallowed_);
  ASSERT_EQ(verdict.kind, Kind::kItems);
  EXPECT_EQ(kinds(verdict), std::vector(2, Of::kRetry));
}

TEST(GoTimeTest, ReadsWhatGoWrites) {
  EXPECT_EQ(parse_go_time("2026-09-17 12:00:00.123456789 +0000 UTC"), kNoon + 123'456'789);
  EXPECT_EQ(parse_go_time("2026-09-17 12:00:00.1234 +0000 UTC ignored"), kNoon + 123'400'000);
  EXPECT_EQ(parse_go_time("2026-09-17 14:00:00 +0200 CEST"), kNoon);
  EXPECT_EQ(parse_go_time("2026-09-17T12:00:00Z"), kNoon);
  EXPECT_EQ(parse_go_time("2026-09-17T06:30:00-05:30'"), kNoon);
  EXPECT_EQ(parse_go_time("1969-12-31T23:59:59.5Z"), -kSecond / 2);
  for (const char* bad : {"", "2026-13-17T12:00:00Z", "2026-09-17T12:00", "2026-09-17T12:00:00",
                          "soon", "2026-09-17T12:00:00+1"})
    EXPECT_FALSE(parse_go_time(bad)) << bad;
}

TEST(LokiReadinessTest, WhatItSaysOfItselfIsUnderstood) {
  const auto readiness = [](int status, const std::string& body) {
    HttpAnswer answer;
    answer.status = status;
    answer.body = body;
    return loki_readiness(answer);
  };
  EXPECT_EQ(readiness(200, "ready\n"), Readiness::kReady);
  EXPECT_EQ(readiness(503, "Ingester not ready: waiting for 15s after being ready\n"),
            Readiness::kStarting);
  EXPECT_EQ(readiness(503, "Some services are not Running:\nStarting: 1\n"), Readiness::kAway);
  EXPECT_EQ(readiness(502, "<html>"), Readiness::kAway);
  EXPECT_EQ(readiness(0, ""), Readiness::kAway);
  EXPECT_EQ(readiness(404, "page not found"), Readiness::kUnknown);
  EXPECT_EQ(readiness(200, "OK"), Readiness::kUnknown);
}

}  // namespace
}  // namespace pmx::ship::internal
