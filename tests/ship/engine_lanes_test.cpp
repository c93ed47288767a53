// Lanes that come, end and come back, and files that cannot be read: whole engines.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "rotate/retention.h"
#include "ship/engine.h"
#include "ship/lane_file.h"
#include "ship/sink_names.h"
#include "support/instant_store.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

using std::chrono::milliseconds;
using test::InstantStore;
using test::Received;

class EngineLanesThreadTest : public ::testing::Test {
 protected:
  std::unique_ptr<ShipEngine> engine() {
    return std::move(*ShipEngine::start(
        {home_.path()},
        {clock_, [](std::string_view) { return Severity::kInfo; }, [](const std::string&) {},
         [](const std::string&) {}, [](const std::string&) {},
         [this](const std::string& base, const std::string& path) {
           if (!std::exchange(has_ended_, true)) ended_.set_value({base, path});
         },
         [] {},
         [](const SinkSpec& spec) {
           return Json::object({{"name", spec.name}});
         },
         [this](const Json& json) -> Result<SinkSpec> {
           return shipment(json["name"].as_string()).sink.spec;
         },
         [](const SinkSpec&) { return std::string(); },
         [this](EventLoop& loop, Fs&,
                const SinkSpec& spec) -> Result<std::unique_ptr<HttpTransport>> {
           if (spec.name == "broken") return Error(Errc::kNotFound, "ca.pem: not found");
           return std::unique_ptr<HttpTransport>(std::make_unique<InstantStore>(loop, received_));
         }}));
  }
  Shipment shipment(const std::string& name) const {
    Shipment one;
    one.sink.spec.type = SinkType::kHttp;
    one.sink.spec.name = name;
    one.sink.spec.urls = {"http://" + name};
    one.sink.spec.compression = "none";
    one.sink.spec.batch.max_age = milliseconds(1);
    one.origin.app = "web";
    one.logs.push_back({dir_.active_path(), std::nullopt});
    return one;
  }
  void begin_log(std::uint64_t number, test::SegmentBuilder::Start start) {
    segment_ = std::make_unique<test::SegmentBuilder>(dir_, number, start);
    out_ = segment_->stream(10, WorkerId{0}, StreamKind::kOut);
    segment_->write();
  }
  void print(const std::string& text) {
    segment_->data(out_, text, {.time_ns = clock_.system_ns()});
    segment_->write();
  }
  Json status(ShipEngine& engine) {
    std::promise<Json> answer;
    engine.status({}, [&](const Result<Json>& json) { answer.set_value(*json); });
    return answer.get_future().get()["sinks"].items().at(0);
  }
  // After the engine's own sync, which comes 500 ms after a batch.
  std::uint64_t floor_after_sync(ShipEngine& engine, std::uint64_t wanted) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    std::uint64_t floor = 0;
    while ((floor = engine.floor_segment(dir_.active_path())) != wanted &&
           std::chrono::steady_clock::now() < until) {
      std::promise<void> turn;
      engine.status({}, [&](const Result<Json>&) { turn.set_value(); });
      turn.get_future().get();
    }
    return floor;
  }

  test::TempDir home_;
  RealFs fs_;
  RealClock clock_;
  Received received_;
  std::promise<std::pair<std::string, std::string>> ended_;  // The first log.
  bool has_ended_ = false;
  rotate::LogDir dir_{home_.path() + "/state", home_.path() + "/logs/web-out.log"};
  std::unique_ptr<test::SegmentBuilder> segment_;
  std::uint16_t out_ = 0;
};

TEST_F(EngineLanesThreadTest, OneLaneFileThatAPowerLossEmptiedDoesNotStopAllShipping) {
  const std::string directory = home_.path() + "/state/ship/0123456789abcdef";
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/0123456789abcdef.lane.json").flush();
  const auto engine = this->engine();
  EXPECT_TRUE(engine->configure({shipment("here")}));
}

TEST_F(EngineLanesThreadTest, OneLaneFileThatAPowerLossEmptiedDoesNotFreeTheOthersSegments) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  { ASSERT_TRUE(engine()->configure({shipment("here")})); }
  const std::string directory = home_.path() + "/state/ship/0000000000000000";
  std::filesystem::create_directories(directory);
  std::ofstream(directory + "/0123456789abcdef.lane.json").flush();
  EXPECT_EQ(engine()->floor_segment(dir_.active_path()), 1U);
}

// Else it would begin with the oldest line, or end before the last.
TEST_F(EngineLanesThreadTest, ALaneNeitherBeginsNorEndsWhereTheLogCannotBeRead) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  print("of yesterday\n");
  const std::string index = dir_.index_directory();
  const auto engine = this->engine();
  std::filesystem::rename(index, index + ".away");
  std::ofstream(index).flush();  // No directory: listing it is an error.
  EXPECT_FALSE(engine->configure({shipment("here")}));
  std::filesystem::remove(index);
  std::filesystem::rename(index + ".away", index);
  ASSERT_TRUE(engine->configure({shipment("here")}));
  std::filesystem::rename(index, index + ".away");
  std::ofstream(index).flush();
  EXPECT_FALSE(engine->configure({}, {"web"}));
  std::filesystem::remove(index);
  std::filesystem::rename(index + ".away", index);
  print("of today\n");
  engine->recorded(dir_.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("of today"));
  const std::lock_guard lock(received_.mutex);
  EXPECT_EQ(received_.all.find("yesterday"), std::string::npos);
}

TEST_F(EngineLanesThreadTest, EverythingIsKeptWhileTheLanesCannotBeRead) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  const std::string lane =
      home_.path() + "/state/ship/" + sink_id(shipment("here").sink.spec) + "/" + lane_name("web");
  { ASSERT_TRUE(engine()->configure({shipment("here")})); }
  std::filesystem::remove(lane + ".lane.json");
  std::filesystem::create_directories(lane + ".lane.json");  // Reading it is an error.
  std::filesystem::remove(lane + ".cursor");
  std::filesystem::create_directories(lane + ".cursor");
  const auto engine = this->engine();
  EXPECT_EQ(engine->floor_segment("/any.log"), 0U);
  ASSERT_TRUE(engine->configure({}));  // Of others it keeps nobody.
  EXPECT_EQ(engine->floor_segment("/any.log"), 0U);
  std::filesystem::remove(lane + ".cursor");
  ASSERT_TRUE(engine->configure({}));
  EXPECT_EQ(engine->floor_segment("/any.log"), rotate::kNoFloor);
}

TEST_F(EngineLanesThreadTest, ASinkThatCannotBeMadeKeepsItsSegments) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment("here"), shipment("broken")}));
  print("one\n");
  segment_->seal("2026-11-23T10-00-00Z");
  begin_log(2, segment_->next());
  print("two\n");
  engine->recorded(dir_.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("two"));
  EXPECT_EQ(floor_after_sync(*engine, 2), 1U);
}

TEST_F(EngineLanesThreadTest, WhatIsPrintedAfterASinkWasTakenAwayDoesNotGoThere) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment("old")}));
  print("before\n");
  engine->recorded(dir_.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("before"));
  ASSERT_TRUE(engine->configure({shipment("new")}, {"web"}));
  print("after\n");
  engine->recorded(dir_.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("\"after\""));
  std::promise<void> drained;
  engine->drain(std::chrono::seconds(5), [&] { drained.set_value(); });
  drained.get_future().get();
  const std::lock_guard lock(received_.mutex);
  const auto first = received_.all.find("\"after\"");
  EXPECT_EQ(received_.all.find("\"after\"", first + 1), std::string::npos) << received_.all;
}

// One store's host, two tenants: the default name is the same.
TEST_F(EngineLanesThreadTest, SinksOfOneNameAreToldApart) {
  Shipment one = shipment("here"), two = shipment("here");
  two.sink.spec.tenant = "b";
  two.origin.app = "api";
  const auto engine = this->engine();
  const auto paused = [&](const std::string& name) {
    std::promise<std::string> answer;
    engine->pause(name, true, [&](const Result<Json>& done) {
      answer.set_value(done ? (*done)["sink"].as_string() : done.error().message());
    });
    return answer.get_future().get();
  };
  const auto names = [&] {
    std::promise<std::set<std::string>> answer;
    engine->status({}, [&](const Result<Json>& json) {
      std::set<std::string> all;
      for (const Json& sink : (*json)["sinks"].items()) all.insert(sink["name"].as_string());
      answer.set_value(all);
    });
    return answer.get_future().get();
  };
  const auto full = [](const Shipment& of) { return full_name("here", sink_id(of.sink.spec)); };
  ASSERT_TRUE(engine->configure({one}));
  EXPECT_EQ(names(), std::set<std::string>{"here"});
  ASSERT_TRUE(engine->configure({two, one}));
  EXPECT_EQ(names(), (std::set{full(one), full(two)}));
  const std::string said = paused("here");
  EXPECT_NE(said.find("more than one sink"), std::string::npos) << said;
  EXPECT_NE(said.find(full(two) + " (http://here, tenant b)"), std::string::npos) << said;
  EXPECT_EQ(paused(full(two)), full(two));
  EXPECT_EQ(paused(sink_id(one.sink.spec)), full(one));
}

TEST_F(EngineLanesThreadTest, ALogThatNobodyShipsAnyMoreHasNoFloor) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment("here")}));
  print("one\n");
  engine->recorded(dir_.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("one"));
  ASSERT_TRUE(engine->configure({}, {"web"}));
  EXPECT_EQ(floor_after_sync(*engine, rotate::kNoFloor), rotate::kNoFloor);
}

TEST_F(EngineLanesThreadTest, OfAnInstanceThatIsNoMoreNothingIsLeftButItsCount) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  rotate::LogDir other(home_.path() + "/state", home_.path() + "/logs/web-1-out.log");
  test::SegmentBuilder others(other, 1, {.time_ns = clock_.system_ns()});
  const auto out = others.stream(20, WorkerId{1}, StreamKind::kOut);
  others.write();
  Shipment both = shipment("here");
  both.logs.push_back({other.active_path(), std::nullopt});
  {
    const auto engine = this->engine();
    ASSERT_TRUE(engine->configure({both}));
    print("one\n");
    engine->recorded(dir_.active_path(), 10);
    ASSERT_TRUE(received_.wait_for("one"));
    ASSERT_TRUE(engine->configure({shipment("here")}, {"web"}));
    others.data(out, "last words\n", {.time_ns = clock_.system_ns()});
    others.end(out);
    others.write();
    engine->recorded(other.active_path(), 10);
    const auto [base, path] = ended_.get_future().get();
    EXPECT_EQ(path, other.active_path());
    engine->forget_log(base, path);
    engine->forget_log(base, dir_.active_path());  // Is wanted.
    const Json sink = status(*engine);
    EXPECT_EQ(sink["delivered_lines"].as_int(), 2);
    EXPECT_EQ(sink["captured_lines"].as_int(), 2);
    EXPECT_EQ(engine->floor_segment(path), rotate::kNoFloor);
    EXPECT_EQ(engine->floor_segment(dir_.active_path()), 1U);
    const auto lane = read_lane(fs_, base + ".lane.json");
    ASSERT_TRUE(lane);
    EXPECT_EQ(lane->logs.size(), 1U);
  }
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({both}));  // It comes again, and what it has is not sent again.
  others.data(out, "new words\n", {.time_ns = clock_.system_ns()});
  others.write();
  engine->recorded(other.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("new words"));
  std::promise<void> drained;
  engine->drain(std::chrono::seconds(20), [&] { drained.set_value(); });
  drained.get_future().get();
  EXPECT_EQ(status(*engine)["delivered_lines"].as_int(), 3);
  const std::lock_guard lock(received_.mutex);
  EXPECT_EQ(received_.all.find("last words"), received_.all.rfind("last words"));
}

// A daemon was killed while it removed a lane that had ended: its lane file was gone, its cursor
// was not.
TEST_F(EngineLanesThreadTest, AnEndedLanesCursorIsNotTakenForANewLanes) {
  begin_log(1, {.time_ns = clock_.system_ns()});
  const std::string base =
      home_.path() + "/state/ship/" + sink_id(shipment("here").sink.spec) + "/" + lane_name("web");
  {
    const auto engine = this->engine();
    ASSERT_TRUE(engine->configure({shipment("here")}));
    print("one\n");
    engine->recorded(dir_.active_path(), 10);
    ASSERT_TRUE(received_.wait_for("one"));
  }
  ASSERT_TRUE(std::filesystem::remove(base + ".lane.json"));
  print("nobody shipped this\n");
  const auto engine = this->engine();
  ASSERT_TRUE(engine->configure({shipment("here")}));
  print("three\n");
  engine->recorded(dir_.active_path(), 10);
  ASSERT_TRUE(received_.wait_for("three"));
  const std::lock_guard lock(received_.mutex);
  EXPECT_EQ(received_.all.find("nobody"), std::string::npos) << received_.all;
}

}  // namespace
}  // namespace pmx::ship
