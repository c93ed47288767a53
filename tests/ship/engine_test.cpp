#include "ship/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <future>

#include "rotate/retention.h"
#include "ship/dead_letter.h"
#include "ship/make_sink.h"
#include "support/instant_store.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

using test::InstantStore;
using test::Received;

// Whole engines with their own thread; the sink is an NDJSON one without compression.
class EngineThreadTest : public ::testing::Test {
 protected:
  std::unique_ptr<ShipEngine> engine() {
    return std::move(*ShipEngine::start(
        {home_.path()},
        {clock_, [](std::string_view) { return Severity::kInfo; }, [](const std::string&) {},
         [](const std::string&) {},
         [this](const std::string& base) {
           if (!std::exchange(has_ended_, true)) ended_.set_value(base);
         },
         [](const auto&, const auto&) {}, [] {},
         [](const SinkSpec& spec) {
           return Json::object({{"url", spec.urls.front()}});
         },
         [this](const Json&) -> Result<SinkSpec> { return shipment().sink.spec; },
         [](const SinkSpec&) { return std::string(); },
         [this](EventLoop& loop, Fs&, const SinkSpec&) -> Result<std::unique_ptr<HttpTransport>> {
           return std::unique_ptr<HttpTransport>(std::make_unique<InstantStore>(loop, received_));
         }}));
  }
  Shipment shipment() const {
    Shipment one;
    one.sink.spec.type = SinkType::kHttp;
    one.sink.spec.name = "here";
    one.sink.spec.urls = {"http://127.0.0.1:1/in"};
    one.sink.spec.compression = "none";
    one.sink.spec.batch.max_age = std::chrono::milliseconds(1);
    one.origin.app = "web";
    one.logs.push_back({dir_.active_path(), std::nullopt});
    return one;
  }
  void print(const std::string& text) {
    segment_->data(out_, text, {.time_ns = clock_.system_ns()});
    segment_->write();
  }
  void begin_log() {
    segment_ = std::make_unique<test::SegmentBuilder>(
        dir_, 1, test::SegmentBuilder::Start{.time_ns = clock_.system_ns()});
    out_ = segment_->stream(10, WorkerId{0}, StreamKind::kOut);
  }
  Json status(ShipEngine& engine) {
    std::promise<Json> answer;
    engine.status({}, [&](const Result<Json>& json) { answer.set_value(*json); });
    return answer.get_future().get()["sinks"].items().at(0);
  }

  // As a daemon before this one left them.
  void refused_before(const std::vector<std::string>& items) {
    RealFs fs;
    const auto letters = std::move(*DeadLetters::open(fs, home_.path(), {"here"}));
    for (const std::string& item : items) {
      DeadLetter letter;
      letter.time_ns = clock_.system_ns();
      letter.item = "{\"line\":\"" + item + "\"}\n";
      ASSERT_TRUE(letters->append({&letter, 1}));
    }
  }
  static void drain(ShipEngine& engine) {
    std::promise<void> drained;
    engine.drain(std::chrono::seconds(20), [&] { drained.set_value(); });
    drained.get_future().get();
  }
  static void pause(ShipEngine& engine, bool on) {
    std::promise<void> answered;
    engine.pause("here", on, [&](const Result<Json>& done) {
      EXPECT_TRUE(done);
      answered.set_value();
    });
    answered.get_future().get();
  }
  using Answered = std::promise<Result<Json>>;
  static void retry(ShipEngine& engine, Answered& answered) {
    engine.retry("here", [&](Result<Json> done) { answered.set_value(std::move(done)); });
  }

  test::TempDir home_;
  RealClock clock_;
  Received received_;
  std::promise<std::string> ended_;  // The first lane that has ended.
  bool has_ended_ = false;
  rotate::LogDir dir_{home_.path() + "/state", home_.path() + "/logs/web-out.log"};
  std::unique_ptr<test::SegmentBuilder> segment_;
  std::uint16_t out_ = 0;
};

TEST_F(EngineThreadTest, ShipsWhatIsRecordedAfterItWasToldTo) {
  begin_log();
  print("{\"n\":\"of yesterday\"}\n");
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  print("{\"n\":\"of today\"}\n");
  engine->recorded(dir_.active_path(), 10);
  EXPECT_TRUE(received_.wait_for("of today"));
  EXPECT_EQ(received_.all.find("yesterday"), std::string::npos);
}

TEST_F(EngineThreadTest, TheNextEngineGoesOnWhereTheLastOneWas) {
  auto first = engine();
  ASSERT_TRUE(first->configure({shipment()}));
  begin_log();
  print("{\"n\":\"one\"}\n");
  first->recorded(dir_.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("one"));
  first.reset();
  print("{\"n\":\"two\"}\n");
  const auto second = engine();
  ASSERT_TRUE(second->configure({shipment()}));
  EXPECT_TRUE(received_.wait_for("two"));
  EXPECT_EQ(received_.all.find("one"), received_.all.rfind("one"));
}

TEST_F(EngineThreadTest, WhatADeletedAppHadPrintedStillGoes) {
  received_.status = 503;
  auto first = engine();
  ASSERT_TRUE(first->configure({shipment()}));
  begin_log();
  print("{\"n\":\"last words\"}\n");
  first->recorded(dir_.active_path(), 10);
  first.reset();
  received_.status = 204;
  const auto second = engine();
  ASSERT_TRUE(second->configure({}));
  EXPECT_TRUE(received_.wait_for("last words"));
}

TEST_F(EngineThreadTest, KeepsTheSegmentsThatASinkStillNeeds) {
  begin_log();
  print("{}\n");
  received_.status = 503;
  {
    const auto engine = this->engine();
    EXPECT_EQ(engine->floor_segment(dir_.active_path()), rotate::kNoFloor);
    ASSERT_TRUE(engine->configure({shipment()}));
    EXPECT_EQ(engine->floor_segment(dir_.active_path()), 1U);
    EXPECT_EQ(engine->floor_segment("/other.log"), rotate::kNoFloor);
  }
  const auto next = engine();  // Before it is told anything.
  EXPECT_EQ(next->floor_segment(dir_.active_path()), 1U);
}

TEST_F(EngineThreadTest, APausedSinkSendsNothingUntilItGoesOn) {
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  pause(*engine, true);
  begin_log();
  print("{\"n\":\"one\"}\n");
  engine->recorded(dir_.active_path(), 10);
  EXPECT_EQ(status(*engine)["state"].as_string(), "paused");
  engine->pause("here", false, [](const Result<Json>&) {});
  EXPECT_TRUE(received_.wait_for("one"));
}

TEST_F(EngineThreadTest, APauseOutlivesTheEngineAndAChangeOfTheSink) {
  const std::string path =
      home_.path() + "/state/ship/" + sink_id(shipment().sink.spec) + "/paused";
  begin_log();
  {
    const auto engine = this->engine();
    ASSERT_TRUE(engine->configure({shipment()}));
    pause(*engine, true);
    EXPECT_EQ(RealFs().info(path)->permissions, 0600U);
  }
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  EXPECT_EQ(status(*engine)["state"].as_string(), "paused");
  Shipment other = shipment();
  other.sink.spec.batch.max_age = std::chrono::milliseconds(2);
  ASSERT_TRUE(engine->configure({other}));
  EXPECT_EQ(status(*engine)["state"].as_string(), "paused");
  print("one\n");
  engine->recorded(dir_.active_path(), 10);
  EXPECT_EQ(status(*engine)["requests"].as_int(), 0);
  pause(*engine, false);
  EXPECT_TRUE(received_.wait_for("one"));
  EXPECT_FALSE(RealFs().info(path));
}

TEST_F(EngineThreadTest, APauseThatCannotBeKeptIsNone) {
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  const std::string path =
      home_.path() + "/state/ship/" + sink_id(shipment().sink.spec) + "/paused";
  std::filesystem::create_directories(path + ".tmp/in_its_way");
  std::promise<bool> answered;
  engine->pause("here", true, [&](const Result<Json>& done) { answered.set_value(bool(done)); });
  EXPECT_FALSE(answered.get_future().get());
  EXPECT_EQ(status(*engine)["state"].as_string(), "ok");
}

TEST_F(EngineThreadTest, APauseEndsWithItsSink) {
  begin_log();
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  drain(*engine);
  pause(*engine, true);
  ASSERT_TRUE(engine->configure({}));  // Nothing waits: the lane ends by the next sync.
  const std::string directory = home_.path() + "/state/ship/" + sink_id(shipment().sink.spec);
  engine->forget_lane(ended_.get_future().get());
  EXPECT_EQ(RealFs().list(directory)->size(), 0U);
  ASSERT_TRUE(engine->configure({shipment()}));
  EXPECT_EQ(status(*engine)["state"].as_string(), "ok");
}

TEST_F(EngineThreadTest, NamesTheSinksThatThereAre) {
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  std::promise<std::string> answer;
  engine->pause("there", true,
                [&](const Result<Json>& done) { answer.set_value(done.error().message()); });
  EXPECT_EQ(answer.get_future().get(), "no sink \"there\"; there are: here");
}

TEST_F(EngineThreadTest, AnswersWhetherAStoreTakesALine) {
  const auto engine = this->engine();
  for (const int code : {204, 401}) {
    received_.status = code;
    std::promise<Json> answer;
    engine->test(shipment().sink, "h", [&](const Result<Json>& done) { answer.set_value(*done); });
    const Json json = answer.get_future().get();
    EXPECT_EQ(json["delivered"].as_bool(), code == 204) << json.dump();
  }
}

TEST_F(EngineThreadTest, DrainsBeforeItsDeadline) {
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  begin_log();
  print("last words\n");
  drain(*engine);
  EXPECT_NE(received_.all.find("last words"), std::string::npos);
}

TEST_F(EngineThreadTest, ARetriedLetterThatIsStillRefusedDoesNotHoldTheOthers) {
  refused_before({"one", "two", "bad", "three"});
  received_.script = [](const HttpRequest& request) {
    return request.body.find("bad") == std::string::npos ? 204 : 400;
  };
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  Answered answered;
  retry(*engine, answered);
  const Result<Json> done = answered.get_future().get();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ((*done)["lines"].as_int(), 3);
  EXPECT_EQ(status(*engine)["dead_letters"].as_int(), 1);
  EXPECT_NE(received_.all.find("three"), std::string::npos);
}

TEST_F(EngineThreadTest, ARetryThatTheStoreStillRefusesEndsSoonAndKeepsTheLetters) {
  refused_before(std::vector<std::string>(300, "bad"));
  std::atomic<int> requests = 0;
  received_.script = [&](const HttpRequest&) {
    ++requests;
    return 400;
  };
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  Answered answered;
  retry(*engine, answered);
  const Result<Json> done = answered.get_future().get();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("still refused: 400"), std::string::npos)
      << done.error().message();
  EXPECT_LT(requests, 100);
  EXPECT_EQ(status(*engine)["dead_letters"].as_int(), 300);
}

// Refused while the sink spoke protobuf; it was told to speak JSON since. Older files say nothing.
TEST_F(EngineThreadTest, ARetriedLetterIsSentAsTheSinkSpeaksToday) {
  Shipment loki = shipment();
  loki.sink.spec.type = SinkType::kLoki;
  const auto then = make_sink(loki.sink);
  loki.sink.spec.encoding = "json";
  Event event;
  const std::string text = "a line" + std::string(64, '\0');
  event.text = std::string_view(text).substr(0, 6);
  event.kind = StreamKind::kErr;
  event.run.pid = 4711;
  event.origin = &loki.origin;
  RealFs fs;
  const auto letters = std::move(*DeadLetters::open(fs, home_.path(), {"here"}));
  for (const std::string coding : {"loki/protobuf", "", "bulk"}) {  // The last one lies.
    DeadLetter letter;
    event.time_ns = letter.time_ns = clock_.system_ns();
    then->encode(event, letter.item);
    letter.app = "web";
    letter.group = then->name_of(then->group_of(event));
    letter.coding = coding;
    ASSERT_TRUE(letters->append({&letter, 1}));
  }
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({loki}));
  Answered answered;
  retry(*engine, answered);
  const Result<Json> done = answered.get_future().get();
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ((*done)["lines"].as_int(), 2);
  EXPECT_EQ(status(*engine)["dead_letters"].as_int(), 1);
  const Json sent = *Json::parse(received_.all);
  const Json& stream = sent["streams"].items().at(0);
  EXPECT_EQ(stream["stream"]["stream"].as_string(), "stderr");
  ASSERT_EQ(stream["values"].items().size(), 2U);
  EXPECT_EQ(stream["values"].items()[0].items()[1].as_string(), "a line");
  EXPECT_EQ(stream["values"].items()[0].items()[2]["pid"].as_string(), "4711");
}

TEST_F(EngineThreadTest, OneRetryAtATime) {
  refused_before({"one"});
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  // Both are posted before the store's answer is.
  std::promise<void> posted;
  engine->pause("here", false, [&](const Result<Json>&) { posted.get_future().get(); });
  Answered first, second;
  retry(*engine, first);
  retry(*engine, second);
  posted.set_value();
  EXPECT_TRUE(first.get_future().get());
  EXPECT_FALSE(second.get_future().get());
  EXPECT_EQ(received_.all, "{\"line\":\"one\"}\n");
}

TEST_F(EngineThreadTest, ARetryOfASinkThatIsStoppedIsAnswered) {
  refused_before({"one"});
  received_.script = [](const HttpRequest&) { return 400; };
  auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  std::promise<void> posted;
  engine->pause("here", false, [&](const Result<Json>&) { posted.get_future().get(); });
  Answered answered;
  retry(*engine, answered);
  Shipment other = shipment();  // Takes the place of the runner at work.
  other.sink.spec.batch.max_age = std::chrono::milliseconds(2);
  ASSERT_TRUE(engine->configure({other}));
  posted.set_value();
  const auto future_answer = answered.get_future().get();
  ASSERT_FALSE(future_answer);
  EXPECT_NE(future_answer.error().message().find("stopped"), std::string::npos);
}

// The batch on its way was made with gzip; the next daemon is told to use none.
TEST_F(EngineThreadTest, AFlightIsSentInTheCodingThatTheStoreIsToldOf) {
  begin_log();
  received_.status = 503;
  Shipment before = shipment();
  before.sink.spec.compression = "gzip";
  {
    const auto engine = this->engine();
    ASSERT_TRUE(engine->configure({before}));
    print("one\n");
    std::promise<void> tried;  // Ends at its deadline: the store takes nothing.
    engine->drain(std::chrono::milliseconds(300), [&] { tried.set_value(); });
    tried.get_future().get();
  }
  received_.status = 204;
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment()}));
  EXPECT_TRUE(received_.wait_for("\"one\""));
}

}  // namespace
}  // namespace pmx::ship
