#include "ship/bulk_sink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "ship/compress.h"

namespace pmx::ship {
namespace {

constexpr std::int64_t kMidnight = 1'798'761'600'000'000'000;  // 2027-01-01T00:00:00Z.

std::string gunzip(const std::string& bytes) {
  Result<std::string> read = decompress(Codec::kGzip, bytes, 1U << 20U);
  return read ? *read : read.error().message();
}

class BulkSinkTest : public ::testing::Test {
 protected:
  BulkSinkTest() {
    context_.spec.type = SinkType::kElasticsearch;
    context_.spec.urls = {"http://es:9200"};
    origin_.app = "api";
    origin_.host = "web-1";
    origin_.log = {7};
    event_.origin = &origin_;
    event_.text = "hello";
    event_.time_ns = kMidnight;
  }
  Sink& sink() {
    if (!sink_) sink_ = make_bulk_sink(context_, LineFields{});
    return *sink_;
  }
  std::string header(std::string_view name) {
    const HttpRequest request = sink().request(sink().group_of(event_), "", 0);
    for (const auto& [key, value] : request.headers)
      if (key == name) return value;
    return "none";
  }
  std::string url(unsigned attempt) {
    return sink().request(sink().group_of(event_), "", attempt).url;
  }
  SinkContext context_;
  Origin origin_;
  Event event_;
  std::unique_ptr<Sink> sink_;
};

TEST_F(BulkSinkTest, ARequestIsACreateIntoTheEventsIndex) {
  context_.spec.pipeline = "my pipe";
  context_.spec.urls = {"https://es:9200/base/"};
  context_.spec.headers = {{"X-Opaque-Id", "7"}};
  context_.spec.timeout = std::chrono::seconds(5);
  const HttpRequest request = sink().request(sink().group_of(event_), "body", 0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url,
            "https://es:9200/base/logs-api-default/_bulk?filter_path=errors,items.*.status,"
            "items.*.error.type,items.*.error.reason,items.*.failure_store&pipeline=my%20pipe");
  EXPECT_EQ(request.body, "body");
  EXPECT_EQ(request.timeout, std::chrono::seconds(5));
  EXPECT_EQ(header("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(header("Content-Encoding"), "gzip");
  EXPECT_EQ(header("X-Opaque-Id"), "7");
  EXPECT_EQ(header("Authorization"), "none");
}

TEST_F(BulkSinkTest, AuthorizesInEachWay) {
  struct Row {
    SinkAuth::Kind kind;
    std::string user, secret, header;
  };
  const Row rows[] = {
      {SinkAuth::Kind::kNone, "", "s", "none"},
      {SinkAuth::Kind::kBasic, "Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
      {SinkAuth::Kind::kBasic, "a", "b", "Basic YTpi"},
      {SinkAuth::Kind::kBearer, "", "token", "Bearer token"},
      {SinkAuth::Kind::kApiKey, "", "aWQ6a2V5", "ApiKey aWQ6a2V5"},
      {SinkAuth::Kind::kApiKey, "", "id:key", "ApiKey aWQ6a2V5"},
  };
  for (const Row& row : rows) {
    sink_.reset();
    context_.spec.auth.kind = row.kind;
    context_.spec.auth.user = row.user;
    context_.secret = row.secret;
    EXPECT_EQ(header("Authorization"), row.header);
  }
  sink_.reset();
  context_.spec.headers = {{"authorization", "Own x"}};
  EXPECT_EQ(header("authorization"), "Own x");
  EXPECT_EQ(header("Authorization"), "none");
}

TEST_F(BulkSinkTest, TheNextHostIsAskedAndKeptWhereOneDoesNotAnswer) {
  context_.spec.urls = {"http://a:9200", "http://b:9200", "http://c:9200"};
  const auto host = [this](unsigned attempt) { return url(attempt).substr(7, 1); };
  EXPECT_EQ(host(0), "a");
  EXPECT_EQ(host(1), "b");
  EXPECT_EQ(host(0), "b");  // The next request does not go back to the one that was down.
  EXPECT_EQ(host(1), "c");
  EXPECT_EQ(host(2), "a");
  origin_.app = "web";  // Another group begins at another host.
  EXPECT_EQ(host(0), "b");
}

TEST_F(BulkSinkTest, GroupsAreIndicesByTheEventsOwnTime) {
  context_.spec.index = "logs-{app}-%Y.%m.%d";
  context_.spec.data_stream = false;
  const Sink::Group today = sink().group_of(event_);
  event_.time_ns = kMidnight - 1;
  const Sink::Group yesterday = sink().group_of(event_);
  EXPECT_EQ(sink().name_of(today), "logs-api-2027.01.01");
  EXPECT_EQ(sink().name_of(yesterday), "logs-api-2026.12.31");
  EXPECT_EQ(sink().group_named("logs-api-2027.01.01"), today);
  Origin instance = origin_;
  instance.log = {8};
  event_.origin = &instance;
  EXPECT_EQ(sink().group_of(event_), yesterday);  // Logs of one app share it.
  EXPECT_EQ(sink().name_of(99), "");
}

TEST_F(BulkSinkTest, AfterARestartAGroupIsFoundByItsName) {
  const Sink::Group found = sink().group_named("logs-api-default");
  EXPECT_EQ(sink().group_of(event_), found);
  EXPECT_TRUE(sink().request(found, "", 0).url.starts_with("http://es:9200/logs-api-default/"));
}

TEST_F(BulkSinkTest, ANameIsCodedInThePath) {
  context_.spec.index = "a+b%%&{app}";
  context_.spec.data_stream = false;
  EXPECT_TRUE(url(0).starts_with("http://es:9200/a%2Bb%25%26api/_bulk?")) << url(0);
}

TEST_F(BulkSinkTest, AnySubsetOfItemsIsABody) {
  std::string bytes;
  std::vector<std::string> items;
  for (std::uint64_t i = 0; i < 5; ++i) {
    event_.seq = i;
    event_.time_ns = kMidnight + static_cast<std::int64_t>(i);
    const std::size_t begin = bytes.size();
    sink().encode(event_, bytes);
    items.push_back(bytes.substr(begin));
  }
  const Sink::Group group = sink().group_of(event_);
  EXPECT_EQ(gunzip(sink().frame(group, bytes).body), bytes);
  for (unsigned subset = 1; subset < 32; ++subset) {
    std::string some;
    for (unsigned i = 0; i < 5; ++i)
      if ((subset >> i & 1U) != 0) some += items[i];
    const Framed framed = sink().frame(group, some);
    EXPECT_EQ(framed.codec, Codec::kGzip);
    EXPECT_EQ(framed.prefix_bytes, 0U);
    EXPECT_EQ(gunzip(framed.body), some);
    EXPECT_EQ(sink().frame(group, some).body, framed.body);  // The same bytes, for ever.
    EXPECT_EQ(std::count(some.begin(), some.end(), '\n'), 2 * std::popcount(subset));
  }
  EXPECT_EQ(sink().text_of(items[3]), "hello");
}

TEST_F(BulkSinkTest, AnotherSinkMakesTheSameBytes) {
  std::string first, second;
  sink().encode(event_, first);
  sink_.reset();
  sink().group_named("something-else-first");
  sink().encode(event_, second);
  EXPECT_EQ(first, second);
}

TEST_F(BulkSinkTest, SendsUncompressedWhereAskedTo) {
  context_.spec.compression = "none";
  const Framed framed = sink().frame(sink().group_of(event_), "x\ny\n");
  EXPECT_EQ(framed.codec, Codec::kNone);
  EXPECT_EQ(framed.body, "x\ny\n");
  EXPECT_EQ(header("Content-Encoding"), "none");
}

TEST_F(BulkSinkTest, JudgesByTheNumberOfItems) {
  const std::vector<Item> items(2);
  HttpAnswer answer;
  answer.status = 200;
  answer.body = R"({"errors":false,"items":[{"create":{"status":201}},{"create":{"status":201}}]})";
  EXPECT_EQ(sink().judge(answer, items, "").kind, Verdict::Kind::kDelivered);
  EXPECT_EQ(sink().judge(answer, std::span(items).first(1), "").kind, Verdict::Kind::kRetry);
}

}  // namespace
}  // namespace pmx::ship
