#include "ship/jsonline_sink.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "ship/compress.h"

namespace pmx::ship {
namespace {

using Kind = Verdict::Kind;
using Pairs = std::vector<std::pair<std::string, std::string>>;

class JsonlineSinkTest : public ::testing::Test {
 protected:
  JsonlineSinkTest() {
    context_.spec.type = SinkType::kHttp;
    context_.spec.urls = {"http://127.0.0.1:9428/"};
    origin_.app = "api";
    origin_.host = "web-1";
    origin_.log = {0xABC};
  }
  Sink& sink() {
    if (!sink_) sink_ = make_jsonline_sink(context_);
    return *sink_;
  }
  void become(SinkType type) {
    context_.spec.type = type;
    sink_.reset();
  }
  Event event(std::string_view text) {
    Event event;
    event.text = text;
    event.time_ns = 1'795'428'000'000'000'042;
    event.seq = 9;
    event.origin = &origin_;
    return event;
  }
  std::string encoded(const Event& event) {
    std::string item;
    sink().encode(event, item);
    return item;
  }
  Kind judge(int status, std::size_t count, std::string body = "") {
    HttpAnswer answer;
    answer.status = status;
    answer.body = std::move(body);
    return sink().judge(answer, std::vector<Item>(count), {}).kind;
  }

  SinkContext context_;
  Origin origin_;
  std::unique_ptr<Sink> sink_;
};

TEST_F(JsonlineSinkTest, ALineSaysAllThatIsKnownOfIt) {
  origin_.app_namespace = "shop";
  origin_.env = "prod";
  context_.spec.labels = {{"team", "blue"}, {"host", "edge"}, {"seq", "mine"}};
  Event one = event("say \"hi\"\n  at x");
  one.kind = StreamKind::kErr;
  one.severity = Severity::kError;
  one.run = {.pid = 4711, .instance = 1, .run = 2, .known = true};
  one.lines = 2;
  one.part = 1;
  one.parts = 3;
  EXPECT_EQ(encoded(one),
            R"({"time":"2026-11-23T10:00:00.000000042Z","line":"say \"hi\"\n  at x","app":"api",)"
            R"("host":"edge","namespace":"shop","env":"prod","stream":"stderr","team":"blue",)"
            R"("level":"error","pid":4711,"instance":1,"run":2,"log":"0000000000000abc","seq":9,)"
            R"("lines":2,"part":"1/3"})"
            "\n");
  EXPECT_EQ(sink().text_of(encoded(one)), one.text);
}

TEST_F(JsonlineSinkTest, WhatIsNotKnownIsLeftOut) {
  EXPECT_EQ(encoded(event("x")),
            R"({"time":"2026-11-23T10:00:00.000000042Z","line":"x","app":"api","host":"web-1",)"
            R"("stream":"stdout","level":"info","log":"0000000000000abc","seq":9})"
            "\n");
}

TEST_F(JsonlineSinkTest, TheSameEventGivesTheSameBytesWhateverCameBetween) {
  const Event one = event("x");
  Event other = one;
  other.time_ns -= 3'000'000'000;
  other.run.instance = 3;
  const std::string first = encoded(one), second = encoded(other);
  EXPECT_NE(first, second);
  EXPECT_EQ(encoded(one), first);
  origin_.env = "prod";
  EXPECT_NE(encoded(one), first);
  origin_.env = "";
  sink_.reset();
  EXPECT_EQ(encoded(other), second);
  EXPECT_EQ(encoded(one), first);
}

TEST_F(JsonlineSinkTest, FieldsOfALineAreAddedAndReplaceNothing) {
  context_.spec.label_fields = {"user.id", "level", "app"};
  context_.field_of = [](std::string_view, std::string_view key) {
    return std::optional<std::string_view>(key == "user.id" ? "u1" : "other");
  };
  EXPECT_NE(encoded(event("{}")).find(R"("seq":9,"user_id":"u1"})"), std::string::npos);
  EXPECT_EQ(encoded(event("no JSON")).find("user_id"), std::string::npos);
}

TEST_F(JsonlineSinkTest, ItemsAreTheBodyWhateverTheCodec) {
  const std::string items = encoded(event("a")) + encoded(event("b"));
  for (const auto& [name, codec] :
       std::vector<std::pair<std::string, Codec>>{{"", Codec::kNone},
                                                  {"none", Codec::kNone},
                                                  {"gzip", Codec::kGzip},
                                                  {"zstd", Codec::kZstd}}) {
    context_.spec.compression = name;
    sink_.reset();
    const Framed framed = sink().frame(0, items);
    EXPECT_EQ(framed.codec, codec);
    EXPECT_EQ(framed.prefix_bytes + framed.suffix_bytes, 0U);
    EXPECT_EQ(*decompress(codec, framed.body, 10'000), items);
  }
}

TEST_F(JsonlineSinkTest, AnHttpRequestGoesToTheUrlAsItIs) {
  context_.spec.compression = "gzip";
  context_.spec.auth.kind = SinkAuth::Kind::kBearer;
  context_.secret = "token";
  const HttpRequest request = sink().request(0, "body", 0);
  EXPECT_EQ(request.url, "http://127.0.0.1:9428/");
  EXPECT_EQ(request.headers, (Pairs{{"User-Agent", "pmx/" PMX_VERSION},
                                    {"Authorization", "Bearer token"},
                                    {"Content-Type", "application/x-ndjson"},
                                    {"Content-Encoding", "gzip"}}));
}

TEST_F(JsonlineSinkTest, VictoriaLogsIsToldWhatTheFieldsAre) {
  become(SinkType::kVictoriaLogs);
  context_.spec.labels = {{"team", "blue"}, {"app", "x"}};
  context_.spec.tenant = "12:34";
  const HttpRequest request = sink().request(0, "", 0);
  EXPECT_EQ(request.url,
            "http://127.0.0.1:9428/insert/jsonline?_stream_fields=app,host,stream,namespace,env,"
            "team&_time_field=_time&_msg_field=_msg");
  EXPECT_EQ(request.headers, (Pairs{{"User-Agent", "pmx/" PMX_VERSION},
                                    {"Content-Type", "application/stream+json"},
                                    {"Content-Encoding", "zstd"},
                                    {"AccountID", "12"},
                                    {"ProjectID", "34"}}));
  EXPECT_TRUE(
      encoded(event("x"))
          .starts_with(R"({"_time":"2026-11-23T10:00:00.000000042Z","_msg":"x","app":"x",)"));
}

TEST_F(JsonlineSinkTest, NoLineIsLongerThanWhatVictoriaLogsDropsWithoutAWord) {
  become(SinkType::kVictoriaLogs);
  std::string euros;
  while (euros.size() < 262'143) euros += "\xE2\x82\xAC";
  for (const std::string& text : {std::string(262'144, 'x'), std::string(262'144, '\x01'),
                                  std::string(262'144, '"'), euros, std::string(50'000, '\x01')}) {
    const std::string item = encoded(event(text));
    std::size_t lines = 0;
    for (std::size_t at = 0; at < item.size(); ++lines) {
      const auto end = item.find('\n', at);
      ASSERT_LE(end + 1 - at, 262'144U);
      const auto read = Json::parse(std::string_view(item).substr(at, end - at));
      ASSERT_TRUE(read) << read.error().message();
      at = end + 1;
      EXPECT_EQ((*read)["piece"].as_string(),
                std::to_string(lines + 1) + "/" + (*read)["piece"].as_string().substr(2));
    }
    EXPECT_GT(lines, 1U);
    EXPECT_LE(lines, 8U);
    EXPECT_TRUE(sink().text_of(item) == text);
  }
  EXPECT_EQ(encoded(event(std::string(200'000, 'x'))).find("piece"), std::string::npos);
}

TEST_F(JsonlineSinkTest, EveryStatusHasItsReaction) {
  struct Row {
    int status;
    Kind many, alone;
  };
  const Row rows[] = {
      {200, Kind::kDelivered, Kind::kDelivered}, {204, Kind::kDelivered, Kind::kDelivered},
      {302, Kind::kBlocked, Kind::kBlocked},     {400, Kind::kSplit, Kind::kItems},
      {401, Kind::kBlocked, Kind::kBlocked},     {403, Kind::kBlocked, Kind::kBlocked},
      {404, Kind::kBlocked, Kind::kBlocked},     {408, Kind::kRetry, Kind::kRetry},
      {413, Kind::kSplit, Kind::kItems},         {415, Kind::kBlocked, Kind::kBlocked},
      {422, Kind::kSplit, Kind::kItems},         {429, Kind::kRetry, Kind::kRetry},
      {500, Kind::kRetry, Kind::kRetry},         {502, Kind::kRetry, Kind::kRetry},
      {503, Kind::kRetry, Kind::kRetry},         {0, Kind::kRetry, Kind::kRetry},
  };
  for (const SinkType type : {SinkType::kHttp, SinkType::kVictoriaLogs}) {
    become(type);
    for (const Row& row : rows) {
      EXPECT_EQ(judge(row.status, 3), row.many) << row.status;
      EXPECT_EQ(judge(row.status, 1), row.alone) << row.status;
    }
  }
}

TEST_F(JsonlineSinkTest, ATenantThatVictoriaLogsCannotReadIsNoLinesFault) {
  become(SinkType::kVictoriaLogs);
  EXPECT_EQ(judge(400, 3, "cannot obtain tenantID: cannot parse AccountID"), Kind::kBlocked);
}

}  // namespace
}  // namespace pmx::ship
