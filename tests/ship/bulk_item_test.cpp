#include "ship/bulk_item.h"

#include <gtest/gtest.h>

#include <set>

#include "base/json.h"

namespace pmx::ship {
namespace {

constexpr std::int64_t kTime = 1'798'761'600'123'456'789;  // 2027-01-01T00:00:00.123456789Z.
const std::string kAction = R"({"create":{"_id":"GPZ8JSL4zRW2Lx_nAAAAKQ"}})";

class BulkItemTest : public ::testing::Test {
 protected:
  BulkItemTest() {
    spec_.type = SinkType::kElasticsearch;
    origin_.app = "api";
    origin_.host = "web-1";
    origin_.log = {0x1122334455667788};
    event_.time_ns = kTime;
    event_.seq = 41;
    event_.origin = &origin_;
  }
  // The reader says this of every line.
  void line_says(JsonFields fields) {
    says_ = fields;
    says_.is_object = true;
    reader_.read = [this](std::string_view) -> const JsonFields& {
      ++reads_;
      return says_;
    };
  }
  std::string item(std::string_view text) {
    if (!items_) items_ = std::make_unique<BulkItems>(spec_, reader_);
    event_.text = text;
    std::string made;
    items_->append(event_, made);
    return made;
  }
  std::string source(std::string_view text) {
    const std::string made = item(text);
    return made.substr(made.find('\n') + 1);
  }
  std::string id() {
    const std::string made = item("x");
    return made.substr(18, 22);
  }

  SinkSpec spec_;
  Origin origin_;
  Event event_;
  JsonFields says_;
  int reads_ = 0;
  LineFields reader_;
  std::unique_ptr<BulkItems> items_;
};

TEST_F(BulkItemTest, APlainLineIsTheseBytes) {
  EXPECT_EQ(item("hello \"you\"\t\xC3\xA4"),
            kAction + "\n" +
                R"({"@timestamp":"2027-01-01T00:00:00.123456789Z","log":{"level":"info"},)"
                R"("event":{"sequence":41},"stream":"stdout","service":{"name":"api"},)"
                R"("host":{"name":"web-1"},"agent":{"type":"pmx","version":")" PMX_VERSION
                R"("},"ecs":{"version":"8.11.0"},"data_stream":{"type":"logs","dataset":"api",)"
                R"("namespace":"default"},"message":"hello \"you\"\t)"
                "\xC3\xA4\"}\n");
}

TEST_F(BulkItemTest, ALineWithAllThereIsToSayIsTheseBytes) {
  spec_.labels = {{"team", "shop"}, {"cost.center", "4\"2"}};
  origin_.app_namespace = "eu";
  origin_.env = "production";
  origin_.version = "1.2.3";
  event_.kind = StreamKind::kErr;
  event_.severity = Severity::kError;
  event_.run = {4711, 3, 7, true};
  event_.lines = 12;
  JsonFields fields;
  fields.message = "it \"broke\"";
  fields.trace_id = "t1";
  fields.span_id = "s1";
  fields.logger = "db";
  fields.error_type = "TypeError";
  fields.error_message = "no";
  fields.error_stack = "TypeError: no\n  at x";
  line_says(fields);
  EXPECT_EQ(item(R"({"msg":"it"})"),
            kAction + "\n" +
                R"({"@timestamp":"2027-01-01T00:00:00.123456789Z",)"
                R"("log":{"level":"error","logger":"db"},)"
                R"("event":{"sequence":41,"original":"{\"msg\":\"it\"}"},"stream":"stderr",)"
                R"("process":{"pid":4711},"service":{"name":"api","environment":"production",)"
                R"("version":"1.2.3","node":{"name":"3"}},"host":{"name":"web-1"},)"
                R"("agent":{"type":"pmx","version":")" PMX_VERSION
                R"("},"ecs":{"version":"8.11.0"},)"
                R"("data_stream":{"type":"logs","dataset":"api","namespace":"eu"},)"
                R"("labels":{"cost_center":"4\"2","team":"shop"},"pmx":{"lines":12},)"
                R"("trace":{"id":"t1"},"span":{"id":"s1"},"error":{"type":"TypeError",)"
                R"("message":"no","stack_trace":"TypeError: no\n  at x"},)"
                R"("message":"it \"broke\""})"
                "\n");
}

TEST_F(BulkItemTest, EveryLineIsOneValidObject) {
  spec_.data_stream = false;
  spec_.index = "logs";
  spec_.label_fields = {"a.b", "user", "team", "a_b"};
  spec_.labels = {{"team", "shop"}};
  reader_.value = [](std::string_view key) -> std::optional<std::string_view> {
    if (key == "user") return std::nullopt;
    return key;
  };
  line_says({});
  event_.part = 2;
  event_.parts = 3;
  event_.notice = true;
  for (const std::string text : {"", "x", "{", "{}", "a\nb\x01\x7F\\"}) {
    const auto read = Json::parse(source(text));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ((*read)["message"].as_string(), text);
    EXPECT_EQ((*read)["labels"]["team"].as_string(), "shop");
    EXPECT_EQ((*read)["pmx"].dump(), R"({"part":2,"parts":3,"notice":true})");
    EXPECT_EQ(read->find("data_stream"), nullptr);
  }
  EXPECT_EQ(reads_, 0);  // A piece of a line is no object, whatever it begins with.
  event_.parts = event_.part = 0;
  const auto read = Json::parse(source(R"({"user":1})"));
  ASSERT_TRUE(read);
  EXPECT_EQ((*read)["labels"].dump(), R"({"team":"shop","a_b":"a.b"})");
  EXPECT_EQ((*read)["event"].find("original"), nullptr);  // Nothing was taken out of the line.
}

TEST_F(BulkItemTest, OnlyWhatBeginsAsAnObjectIsLookedInto) {
  line_says({});
  item("plain");
  item("[1]");
  EXPECT_EQ(reads_, 0);
  item("{\"a\":1}");
  EXPECT_EQ(reads_, 1);
}

TEST_F(BulkItemTest, ARecordThatIsEcsKeepsItsBytesAndGetsWhatItLacks) {
  JsonFields ecs;
  ecs.ecs = true;
  ecs.message = "hi";
  line_says(ecs);
  event_.run = {4711, 0, 0, true};
  spec_.labels = {{"team", "shop"}};
  const std::string record =
      R"({"@timestamp":"2026-01-01T00:00:00Z","message":"hi","log.level":"WARN",)"
      R"("ecs":{"version":"1.6.0"},"service":{"name":"mine","node":{}},"labels":{"a":"b"} )";
  EXPECT_EQ(source(record + "} "),
            record + "\t" +
                R"(,"event.sequence":41,"stream":"stdout","process.pid":4711,)"
                R"("service.node.name":"0","host.name":"web-1","agent.type":"pmx",)"
                R"("agent.version":")" PMX_VERSION
                R"(","data_stream.type":"logs","data_stream.dataset":"api",)"
                R"("data_stream.namespace":"default","labels.team":"shop"})"
                "\n");
}

TEST_F(BulkItemTest, ARecordThatCannotTakeOurFieldsIsSentAsAnyJsonLine) {
  JsonFields ecs;
  ecs.ecs = true;
  ecs.message = "hi";
  line_says(ecs);
  const std::string rows[] = {
      "{\"@timestamp\":1,\n\"ecs\":{}}",                          // Two lines of the request.
      R"({"@timestamp":1,"ecs":{},"m\u0065ssage":"hi"})",         // A key that hides.
      R"({"@timestamp":1,"ecs":{},"data_stream":{"type":"x"}})",  // Another stream's.
      R"({"@timestamp":1,"ecs":{},"data_stream.dataset":"x"})",
      R"({"@timestamp":1,"ecs":{},"data_stream":"x"})",
  };
  for (const std::string& row : rows) {
    const std::string made = source(row);
    const auto read = Json::parse(made);
    ASSERT_TRUE(read) << made;
    EXPECT_EQ((*read)["message"].as_string(), "hi");
    EXPECT_EQ((*read)["event"]["original"].as_string(), row);
    EXPECT_EQ(made.find('\n'), made.size() - 1);
  }
}

TEST_F(BulkItemTest, APlainIndexTakesARecordsOwnDataStream) {
  JsonFields ecs;
  ecs.ecs = true;
  line_says(ecs);
  spec_.data_stream = false;
  const std::string made = source(R"({"@timestamp":1,"ecs":{},"data_stream":{"type":"x"}})");
  EXPECT_TRUE(made.starts_with(R"({"@timestamp":1,"ecs":{},"data_stream":{"type":"x"})")) << made;
  EXPECT_TRUE(Json::parse(made));
}

TEST_F(BulkItemTest, TheTextIsTheLineAsItWas) {
  const std::string plain = "a \"b\"\t{";
  EXPECT_EQ(BulkItems::text_of(item(plain)), plain);
  items_.reset();
  JsonFields fields;
  fields.message = "m";
  line_says(fields);
  EXPECT_EQ(BulkItems::text_of(item("{\"msg\":\"m\"}")), "{\"msg\":\"m\"}");
  says_.ecs = true;
  const std::string record = "{\t\"@timestamp\":1,\t\"ecs\":{}\t}";
  EXPECT_EQ(BulkItems::text_of(item(record)), record);
  EXPECT_EQ(BulkItems::text_of(""), "");
  EXPECT_EQ(BulkItems::text_of("x\nnot json\n"), "not json");
}

TEST_F(BulkItemTest, TheIdFollowsFromTheEventAlone) {
  const std::string first = item("x");
  EXPECT_EQ(first.substr(18, 22), "GPZ8JSL4zRW2Lx_nAAAAKQ");
  items_.reset();
  spec_.index = "other";
  spec_.labels = {{"a", "b"}};
  EXPECT_EQ(id(), first.substr(18, 22));
  EXPECT_EQ(item("x"), item("x"));
}

TEST_F(BulkItemTest, NoTwoEventsShareAnId) {
  std::set<std::string> ids;
  std::size_t made = 0;
  const auto take = [&] {
    ++made;
    const std::string one = id();
    EXPECT_EQ(one.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789-_"),
              one.npos);
    ids.insert(one);
  };
  for (const char* host : {"web-1", "web-2", ""})
    for (std::uint64_t log = 1; log <= 4; ++log) {
      origin_.host = host;
      origin_.log = {log << 40U | log};
      for (std::int64_t at = 0; at < 10; ++at) {
        event_.time_ns = kTime + at;
        event_.seq = 41 + static_cast<std::uint64_t>(at);
        take();
      }
      // All of one time: pieces, neighbours, notices.
      event_.time_ns = kTime - 1;
      for (event_.seq = 1; event_.seq < 50; ++event_.seq) {
        take();
        event_.notice = true;
        take();
        event_.notice = false;
        event_.parts = 20;
        for (event_.part = 1; event_.part <= 20; ++event_.part) take();
        event_.parts = event_.part = 0;
      }
    }
  EXPECT_EQ(ids.size(), made);
}

TEST_F(BulkItemTest, IdsOfOneLogGrowWithTime) {
  // As bytes; base64url does not keep their order, but their common beginning.
  const std::string first = id();
  event_.time_ns += 1'000'000;
  ++event_.seq;
  const std::string second = id();
  EXPECT_EQ(first.substr(0, 6), second.substr(0, 6));
}

TEST_F(BulkItemTest, TimesHaveNineDigitsAlways) {
  struct Row {
    std::int64_t time_ns;
    std::string text;
  };
  const Row rows[] = {
      {0, "1970-01-01T00:00:00.000000000Z"},
      {1, "1970-01-01T00:00:00.000000001Z"},
      {-1, "1969-12-31T23:59:59.999999999Z"},
      {1'709'210'096'000'000'000, "2024-02-29T12:34:56.000000000Z"},
      {kTime - 123'456'790, "2026-12-31T23:59:59.999999999Z"},
      {kTime, "2027-01-01T00:00:00.123456789Z"},
  };
  for (const Row& row : rows) {
    event_.time_ns = row.time_ns;
    EXPECT_EQ((*Json::parse(source("x")))["@timestamp"].as_string(), row.text);
  }
}

}  // namespace
}  // namespace pmx::ship
