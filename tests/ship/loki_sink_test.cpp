#include "ship/loki_sink.h"

#include <gtest/gtest.h>

#include <map>
#include <protozero/pbf_reader.hpp>

#include "base/json.h"
#include "ship/compress.h"
#include "ship/internal/label_rules.h"
#include "support/fake_clock.h"

namespace pmx::ship {
namespace {

constexpr std::int64_t kTime = 1'795'428'000'123'456'789;
using Pairs = std::vector<std::pair<std::string, std::string>>;
struct Entry {
  std::int64_t time_ns;
  std::string line;
  Pairs metadata;
  bool operator==(const Entry&) const = default;
};
struct Push {
  std::string labels;
  std::vector<Entry> entries;
};

Push read_protobuf(const std::string& body) {
  const std::string bytes = *decompress(Codec::kSnappy, body, 64U << 20U);
  Push push;
  protozero::pbf_reader request(bytes);
  while (request.next(1)) {
    protozero::pbf_reader stream = request.get_message();
    while (stream.next()) {
      if (stream.tag() == 1) {
        push.labels = stream.get_string();
        continue;
      }
      protozero::pbf_reader fields = stream.get_message();
      Entry entry{};
      while (fields.next()) {
        if (fields.tag() == 1) {
          protozero::pbf_reader time = fields.get_message();
          while (time.next())
            entry.time_ns += time.tag() == 1 ? time.get_int64() * 1'000'000'000 : time.get_int32();
        } else if (fields.tag() == 2) {
          entry.line = fields.get_string();
        } else if (fields.tag() == 3) {
          protozero::pbf_reader pair = fields.get_message();
          std::string name, value;
          while (pair.next()) {
            std::string& into = pair.tag() == 1 ? name : value;
            into = pair.get_string();
          }
          entry.metadata.emplace_back(name, value);
        } else {
          fields.skip();  // As the store does.
        }
      }
      push.entries.push_back(entry);
    }
  }
  return push;
}

Push read_json(const std::string& body, Codec codec = Codec::kGzip) {
  const auto read = Json::parse(*decompress(codec, body, 64U << 20U));
  EXPECT_TRUE(read);
  if (!read) return {};
  const Json& stream = (*read)["streams"].items()[0];
  Push push{stream["stream"].dump(), {}};
  for (const Json& value : stream["values"].items()) {
    Entry entry{std::stoll(value.items()[0].as_string()), value.items()[1].as_string(), {}};
    if (value.items().size() > 2)
      for (const auto& [name, text] : value.items()[2].members())
        entry.metadata.emplace_back(name, text.as_string());
    push.entries.push_back(entry);
  }
  return push;
}

class LokiSinkTest : public ::testing::Test {
 protected:
  LokiSinkTest() {
    context_.spec.urls = {"http://127.0.0.1:3100"};
    origin_.app = "api";
    origin_.host = "web-1";
  }
  Sink& sink() {
    if (!sink_) sink_ = make_loki_sink(context_);
    return *sink_;
  }
  Event event(std::string_view text, std::uint64_t seq = 7) {
    Event event;
    event.text = text;
    event.time_ns = kTime + static_cast<std::int64_t>(seq) - 7;
    event.seq = seq;
    event.origin = &origin_;
    return event;
  }
  std::string encoded(const Event& event) {
    std::string item;
    sink().encode(event, item);
    return item;
  }
  std::string labels(const Event& event) { return sink().name_of(sink().group_of(event)); }

  SinkContext context_;
  Origin origin_;
  std::unique_ptr<Sink> sink_;
};

TEST_F(LokiSinkTest, AnEntryHasTheBytesOfTheProtocol) {
  context_.spec.metadata = false;
  Event one = event("hi");
  one.time_ns = 2'000'000'003;
  EXPECT_EQ(encoded(one), std::string("\x12\x0A\x0A\x04\x08\x02\x10\x03\x12\x02hi", 12));
  const Framed framed = sink().frame(sink().group_of(one), encoded(one));
  const std::string head = "{app=\"api\", host=\"web-1\", stream=\"stdout\"}";
  EXPECT_EQ(*decompress(Codec::kSnappy, framed.body, 1000),
            "\x0A" + std::string(1, static_cast<char>(2 + head.size() + 12)) + "\x0A" +
                std::string(1, static_cast<char>(head.size())) + head + encoded(one));
  EXPECT_EQ(framed.prefix_bytes, 4 + head.size());
  EXPECT_EQ(framed.suffix_bytes, 0U);
}

TEST_F(LokiSinkTest, WhatIsKnownOfALineIsItsMetadata) {
  Event one = event("no error at all");
  one.severity = Severity::kWarn;
  one.run = {.pid = 4711, .instance = 0, .run = 3, .known = true};
  one.part = 1;
  one.parts = 3;
  const Pairs expected{{"detected_level", "warn"},
                       {"pid", "4711"},
                       {"instance", "0"},
                       {"run", "3"},
                       {"part", "1/3"}};
  const Push push = read_protobuf(sink().frame(sink().group_of(one), encoded(one)).body);
  EXPECT_EQ(push.entries, (std::vector<Entry>{{kTime, "no error at all", expected}}));
}

TEST_F(LokiSinkTest, WhatIsNotKnownIsLeftOut) {
  const Event one = event("x");
  const Push push = read_protobuf(sink().frame(sink().group_of(one), encoded(one)).body);
  EXPECT_EQ(push.entries[0].metadata, (Pairs{{"detected_level", "info"}}));
}

TEST_F(LokiSinkTest, TheSameEventGivesTheSameBytesWhateverCameBetween) {
  Event one = event("x");
  one.run = {.pid = 1, .instance = 0, .run = 1, .known = true};
  Event other = one;
  other.run.pid = 2;
  other.run.run = 2;
  const std::string first = encoded(one), second = encoded(other);
  EXPECT_NE(first, second);
  EXPECT_EQ(encoded(one), first);
  sink_.reset();
  EXPECT_EQ(encoded(other), second);
}

TEST_F(LokiSinkTest, AnySubsetIsFramedLikeItsOwnEncoding) {
  for (const char* encoding : {"protobuf", "json"}) {
    context_.spec.encoding = encoding;
    sink_.reset();
    const bool json = context_.spec.encoding == "json";
    std::vector<std::string> items;
    for (std::uint64_t seq = 0; seq < 4; ++seq)
      items.push_back(encoded(event("line " + std::to_string(seq) + " \"]},\\", seq)));
    const auto group = sink().group_of(event("x"));
    for (unsigned subset = 1; subset < 16; ++subset) {
      std::string bytes;
      for (unsigned at = 0; at < 4; ++at)
        if ((subset >> at & 1U) != 0) bytes += items[at];
      const Framed framed = sink().frame(group, bytes);
      const Push push = json ? read_json(framed.body) : read_protobuf(framed.body);
      std::size_t found = 0;
      for (unsigned at = 0; at < 4; ++at) {
        if ((subset >> at & 1U) == 0) continue;
        EXPECT_EQ(push.entries.at(found++).line, "line " + std::to_string(at) + " \"]},\\");
      }
      EXPECT_EQ(push.entries.size(), found);
      // And cut out of the body again, they can be framed again.
      const std::string body = *decompress(framed.codec, framed.body, 10'000);
      ASSERT_EQ(body.size(), framed.prefix_bytes + bytes.size() + framed.suffix_bytes);
      EXPECT_EQ(sink().frame(group, body.substr(framed.prefix_bytes, bytes.size())).body,
                framed.body);
    }
  }
}

TEST_F(LokiSinkTest, JsonSaysTheSameAsProtobuf) {
  origin_.env = "prod \"eu\"";
  Event one = event("tab\t and \"quotes\" \xC3\xBC");
  one.run = {.pid = 5, .instance = 2, .run = 0, .known = true};
  const Push protobuf = read_protobuf(sink().frame(sink().group_of(one), encoded(one)).body);
  context_.spec.encoding = "json";
  sink_.reset();
  const Push json = read_json(sink().frame(sink().group_of(one), encoded(one)).body);
  EXPECT_EQ(json.entries, protobuf.entries);
  EXPECT_EQ(json.labels, R"({"app":"api","env":"prod \"eu\"","host":"web-1","stream":"stdout"})");
  EXPECT_EQ(protobuf.labels, R"({app="api", env="prod \"eu\"", host="web-1", stream="stdout"})");
}

TEST_F(LokiSinkTest, LabelsAreSortedAndTheSinksOwnReplaceTheBuiltIn) {
  origin_.app_namespace = "shop";
  context_.spec.labels = {{"team", "blue"}, {"k8s.pod", "p"}, {"host", "edge"}, {"empty", ""}};
  Event one = event("x");
  one.kind = StreamKind::kErr;
  EXPECT_EQ(
      labels(one),
      R"({app="api", host="edge", k8s_pod="p", namespace="shop", stream="stderr", team="blue"})");
}

TEST_F(LokiSinkTest, FieldsOfALineBecomeLabelsAndTraceIdsMetadata) {
  context_.spec.label_fields = {"region", "traceId", "app"};
  context_.field_of = [](std::string_view line,
                         std::string_view key) -> std::optional<std::string_view> {
    if (key == "region") return line.substr(2, 2);
    if (key == "traceId") return "abc";
    return "other";
  };
  EXPECT_EQ(labels(event("{\"eu\"}")),
            R"({app="api", host="web-1", region="eu", stream="stdout"})");
  EXPECT_EQ(labels(event("{\"us\"}")),
            R"({app="api", host="web-1", region="us", stream="stdout"})");
  EXPECT_EQ(labels(event("eu: no JSON")), R"({app="api", host="web-1", stream="stdout"})");
  const Push push = read_protobuf(sink().frame(0, encoded(event("{}"))).body);
  EXPECT_EQ(push.entries[0].metadata, (Pairs{{"detected_level", "info"}, {"trace_id", "abc"}}));
}

TEST_F(LokiSinkTest, MoreThanFifteenLabelsAreNeverSent) {
  for (int i = 0; i < 30; ++i) context_.spec.labels["label" + std::to_string(i)] = "x";
  const auto read = internal::parse_labels(labels(event("x")));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), 14U);  // One is kept for `shard`.
  EXPECT_EQ(read->count("app") + read->count("host") + read->count("stream"), 3U);
}

TEST_F(LokiSinkTest, AGroupIsFoundByItsNameAfterARestart) {
  context_.spec.labels = {{"note", "a\"b\\c\n\x01, d=\"e\""}};
  context_.spec.encoding = "json";
  const std::string name = labels(event("x"));
  const std::string before = sink().frame(0, encoded(event("x"))).body;
  sink_.reset();
  const auto group = sink().group_named(name);
  EXPECT_EQ(sink().name_of(group), name);
  EXPECT_EQ(sink().frame(group, encoded(event("x"))).body, before);
  EXPECT_EQ(sink().group_of(event("x")), group);
}

TEST_F(LokiSinkTest, TwoOriginsAtOneAddressAreNotMistaken) {
  const auto first = sink().group_of(event("x"));
  origin_.env = "prod";  // The app was started again with another NODE_ENV.
  EXPECT_NE(sink().group_of(event("x")), first);
  origin_.env = "";
  EXPECT_EQ(sink().group_of(event("x")), first);
}

TEST_F(LokiSinkTest, AFastStreamIsDividedByItsSequenceNumbers) {
  const std::string text(1000, 'x');
  std::map<std::string, int> seen;
  std::uint64_t seq = 0;
  for (; seq < 30'000; ++seq) {  // 10 MB/s by the lines' own times.
    Event one = event(text, seq);
    one.time_ns = kTime + static_cast<std::int64_t>(seq) * 100'000;
    const auto group = sink().group_of(one);
    if (seq >= 20'000) ++seen[sink().name_of(group)];
  }
  EXPECT_EQ(seen.size(), 11U);  // Eleven rows of 1024 lines, each in the next of sixteen.
  EXPECT_TRUE(seen.contains(R"({app="api", host="web-1", shard="20", stream="stdout"})"));
  Event again = event(text, 25'000);
  again.time_ns = kTime + 3'000'000'000;
  EXPECT_EQ(labels(again), R"({app="api", host="web-1", shard="24", stream="stdout"})");
}

TEST_F(LokiSinkTest, TheClockDecidesWhereOldLinesAreCaughtUp) {
  test::FakeClock clock;
  context_.clock = &clock;
  const std::string text(1000, 'x');
  for (std::uint64_t seq = 0; seq < 10'000; ++seq) {  // Written in hours, read in a second.
    Event one = event(text, seq);
    one.time_ns = kTime + static_cast<std::int64_t>(seq) * 1'000'000'000;
    (void)sink().group_of(one);
    clock.advance(std::chrono::microseconds(100));
  }
  EXPECT_NE(labels(event(text, 10'000)).find("shard="), std::string::npos);
}

TEST_F(LokiSinkTest, AnotherProcessDividesAsTheLastOneDid) {
  test::FakeClock clock;
  context_.clock = &clock;
  EXPECT_FALSE(sink().take_rates());
  const std::string text(1000, 'x');
  for (std::uint64_t seq = 0; seq < 5'000; ++seq) (void)sink().group_of(event(text, seq));
  const auto rates = sink().take_rates();
  ASSERT_TRUE(rates);
  EXPECT_FALSE(sink().take_rates());  // Nothing new.
  const std::string before = labels(event(text, 5'000));
  EXPECT_NE(before.find("shard="), std::string::npos);
  sink_.reset();
  sink().restore_rates("nonsense");
  sink().restore_rates(*rates);
  EXPECT_EQ(labels(event(text, 5'000)), before);
  origin_.app = "quiet";
  EXPECT_EQ(labels(event(text, 5'000)).find("shard="), std::string::npos);
}

TEST_F(LokiSinkTest, ARequestSaysWhoAndWhatItIs) {
  context_.spec.tenant = "team-a";
  context_.spec.auth.kind = SinkAuth::Kind::kBasic;
  context_.spec.auth.user = "Aladdin";
  context_.secret = "open sesame";
  context_.spec.headers = {{"X-Extra", "1"}, {"user-agent", "mine"}};
  const HttpRequest request = sink().request(0, "body", 0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "http://127.0.0.1:3100/loki/api/v1/push");
  EXPECT_EQ(request.body, "body");
  EXPECT_EQ(request.headers,
            (Pairs{{"User-Agent", "mine"},
                   {"Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},  // RFC 7617, section 2.
                   {"X-Extra", "1"},
                   {"X-Scope-OrgID", "team-a"},
                   {"Content-Type", "application/x-protobuf"}}));
  context_.spec = {};
  context_.spec.urls = {"https://gate/base/"};
  context_.spec.encoding = "json";
  context_.spec.auth.kind = SinkAuth::Kind::kBearer;
  sink_.reset();
  EXPECT_EQ(sink().request(0, "", 0).url, "https://gate/base/loki/api/v1/push");
  EXPECT_EQ(sink().request(0, "", 0).headers, (Pairs{{"User-Agent", "pmx/" PMX_VERSION},
                                                     {"Authorization", "Bearer open sesame"},
                                                     {"Content-Type", "application/json"},
                                                     {"Content-Encoding", "gzip"}}));
  context_.spec.urls = {"https://gate/insert/loki/api/v1/push"};
  sink_.reset();
  EXPECT_EQ(sink().request(0, "", 0).url, "https://gate/insert/loki/api/v1/push");
}

TEST_F(LokiSinkTest, IsAskedWhetherItIsReadyWhereItsUrlSaysThatItIs) {
  context_.spec.tenant = "team-a";
  const std::map<std::string, std::string> urls{
      {"http://127.0.0.1:3100", "http://127.0.0.1:3100/ready"},
      {"https://gate/base/", "https://gate/base/ready"},
      {"https://gate/insert/loki/api/v1/push", "https://gate/insert/ready"},
      {"https://gate/own/push", "https://gate/own/ready"}};
  for (const auto& [url, ready] : urls) {
    context_.spec.urls = {url};
    sink_.reset();
    const auto request = sink().readiness_request(0);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->url, ready);
    EXPECT_EQ(request->method, "GET");
    EXPECT_EQ(request->body, "");
  }
}

TEST_F(LokiSinkTest, AStoreThatAllowsNoMetadataGetsTheSameItemsWithoutIt) {
  for (const char* encoding : {"protobuf", "json"}) {
    context_.spec.encoding = encoding;
    sink_.reset();
    const bool json = context_.spec.encoding == "json";
    const std::string items = encoded(event("a [\"]", 1)) + encoded(event("b", 2));
    const Framed before = sink().frame(sink().group_of(event("x")), items);
    HttpAnswer answer;
    answer.status = 400;
    answer.body = "stream '{}' includes structured metadata, but this feature is disallowed";
    const std::vector<Item> two(2);
    EXPECT_EQ(sink().judge(answer, two, items).kind, Verdict::Kind::kItems);
    const Framed after = sink().frame(0, items);
    const Push push = json ? read_json(after.body) : read_protobuf(after.body);
    EXPECT_EQ(push.entries, (std::vector<Entry>{{kTime - 6, "a [\"]", {}}, {kTime - 5, "b", {}}}));
    // The sizes hold, so that what is cut out of the body is an item.
    EXPECT_EQ(decompress(after.codec, after.body, 10'000)->size(),
              decompress(before.codec, before.body, 10'000)->size());
  }
}

TEST_F(LokiSinkTest, DeadLettersGetTheLineBack) {
  const std::string line = "stack:\n  at \"x\" \\ \xE2\x82\xAC";
  for (const char* encoding : {"protobuf", "json"}) {
    context_.spec.encoding = encoding;
    sink_.reset();
    EXPECT_EQ(sink().text_of(encoded(event(line))), line);
    EXPECT_EQ(sink().text_of("garbage"), "");
  }
}

TEST(LabelRulesTest, NamesAreMadeFit) {
  const std::map<std::string, std::string> cases{
      {"app", "app"},        {"k8s.pod-name", "k8s_pod_name"},
      {"9lives", "_9lives"}, {"__meta", "_meta"},
      {"_own", "_own"},      {"", ""},
      {"___", ""},           {"gr\xC3\xBC", "gr__"},
      {"a b", "a_b"},
  };
  for (const auto& [name, fit] : cases) EXPECT_EQ(internal::label_name(name), fit) << name;
  EXPECT_EQ(internal::label_name(std::string(2000, 'a')).size(), internal::kMaxLabelNameBytes);
}

TEST(LabelRulesTest, ValuesAreCutBetweenLettersAndAreUtf8) {
  EXPECT_EQ(internal::label_value("a\xFFz\xC3"), "a\xEF\xBF\xBDz\xEF\xBF\xBD");
  const std::string long_value = std::string(2047, 'a') + "\xC3\xBC";
  EXPECT_EQ(internal::label_value(long_value), std::string(2047, 'a'));
  EXPECT_EQ(internal::label_value("\xED\xA0\x80").substr(0, 3), "\xEF\xBF\xBD");  // A surrogate.
}

TEST(LabelRulesTest, TextIsReadBackAndWhatIsNoneIsNot) {
  const internal::LabelMap labels{{"a", "x\"y\\z\n\x01\x7F"}, {"b", ""}, {"c", "1, d=\"2\""}};
  const std::string text = internal::labels_text(labels);
  EXPECT_EQ(text, R"({a="x\"y\\z\n\x01\x7f", b="", c="1, d=\"2\""})");
  EXPECT_EQ(internal::parse_labels(text), labels);
  for (std::size_t cut = 0; cut < text.size(); ++cut)
    EXPECT_FALSE(internal::parse_labels(text.substr(0, cut))) << cut;
}

}  // namespace
}  // namespace pmx::ship
