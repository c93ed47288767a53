#include "ship/item_reader.h"

#include <gtest/gtest.h>

#include "ship/make_sink.h"

namespace pmx::ship {
namespace {

class ItemReaderTest : public ::testing::TestWithParam<SinkType> {
 protected:
  ItemReaderTest() {
    origin_.app = "api";
    origin_.host = "web-1";
    origin_.env = "production";
    origin_.log = {0xABCDEF0123456789ULL};
    context_.spec.type = GetParam();
    context_.spec.urls = {"http://127.0.0.1:1"};
    context_.spec.index = "logs-api-default";
  }
  Event event(const std::string& text) {
    text_ = text;
    const std::size_t size = text_.size();
    text_.append(64, '\0');
    Event event;
    event.text = std::string_view(text_).substr(0, size);
    event.time_ns = 1'795'428'000'123'456'789;
    event.seq = 7;
    event.kind = StreamKind::kErr;
    event.run = {.pid = 4711, .instance = 3, .run = 2, .known = true};
    event.part = 2;
    event.parts = 3;
    event.origin = &origin_;
    return event;
  }
  // What the sink makes of it, and the sink.
  std::string encoded(const Event& event) {
    sink_ = make_sink(context_);
    group_ = sink_->name_of(sink_->group_of(event));
    std::string item;
    sink_->encode(event, item);
    return item;
  }

  Origin origin_;
  SinkContext context_;
  std::unique_ptr<Sink> sink_;
  std::string group_, text_;
};

TEST_P(ItemReaderTest, TellsTheEventThatTheItemWasMadeOf) {
  const std::string line = "caf\xc3\xa9 \"no\"\n    at x (a.js:1)";
  const std::string item = encoded(event(line));
  const auto facts = read_item(sink_->coding(), group_, item);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->text, line);
  EXPECT_EQ(facts->kind, StreamKind::kErr);
  EXPECT_EQ(facts->run.pid, 4711);
  EXPECT_EQ(facts->run.instance, 3);
  EXPECT_EQ(facts->origin.host, "web-1");
  EXPECT_EQ(facts->origin.env, "production");
  EXPECT_EQ(facts->part, 2U);
  EXPECT_EQ(facts->parts, 3U);
}

TEST_P(ItemReaderTest, EncodedAgainItIsTheSameItem) {
  for (const std::string line :
       {"plain", "{\"msg\":\"m\",\"level\":50}", "{\"ecs.version\":\"8\",\"message\":\"m\"}"}) {
    Event before = event(line);
    before.part = before.parts = 0;
    const std::string item = encoded(before);
    const auto facts = read_item(sink_->coding(), group_, item);
    ASSERT_TRUE(facts) << item;
    Event after = event(facts->text);
    after.kind = facts->kind;
    after.run = {facts->run.pid, facts->run.instance, before.run.run, true};
    after.part = after.parts = 0;
    EXPECT_EQ(encoded(after), item);
  }
}

TEST_P(ItemReaderTest, KnowsTheCodingOfAnItemOfWhichNobodyHasSaidIt) {
  const std::string item = encoded(event("a"));
  const std::string known(coding_of_item(item));
  const bool same = known == sink_->coding() ||
                    (GetParam() == SinkType::kFile && known == "jsonline/http");  // Alike.
  EXPECT_TRUE(same) << known;
}

TEST_P(ItemReaderTest, AnItemCutAnywhereIsNoneOrALine) {
  const std::string item = encoded(event("a line"));
  for (std::size_t cut = 0; cut < item.size(); ++cut) {
    const auto facts = read_item(sink_->coding(), group_, item.substr(0, cut));
    EXPECT_TRUE(!facts || facts->text == "a line" || facts->text.empty()) << "cut at byte " << cut;
  }
  EXPECT_FALSE(read_item(sink_->coding(), group_, "garbage"));
  EXPECT_FALSE(read_item("another", group_, item));
  EXPECT_EQ(coding_of_item("garbage"), "");
}

INSTANTIATE_TEST_SUITE_P(OfEachStore, ItemReaderTest,
                         ::testing::Values(SinkType::kLoki, SinkType::kElasticsearch,
                                           SinkType::kVictoriaLogs, SinkType::kHttp,
                                           SinkType::kFile),
                         [](const auto& store) { return std::string(name_of(store.param)); });

class LokiJsonItemTest : public ::testing::Test {};

TEST_F(LokiJsonItemTest, TheFirstItemOfABodyHasASpaceForItsComma) {
  for (const std::string first : {",", " "}) {
    const std::string item = first + R"(["1795428000123456789","a",{"pid":"7","run":"1"}])";
    EXPECT_EQ(coding_of_item(item), "loki/json");
    const auto facts = read_item("loki/json", R"({app="api", stream="stderr"})", item);
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->text, "a");
    EXPECT_EQ(facts->run.pid, 7);
    EXPECT_EQ(facts->run.run, 1U);
    EXPECT_EQ(facts->kind, StreamKind::kErr);
  }
}

}  // namespace
}  // namespace pmx::ship
