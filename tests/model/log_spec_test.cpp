#include "model/log_spec.h"

#include <gtest/gtest.h>

namespace pmx {
namespace {

LogSpec unusual_log() {
  LogSpec log;
  log.path = "/home/u/.pmx/logs/web-out.log";
  log.merged = true;
  log.render = {
      RenderSpec::Kind::kJson, "YYYY-MM-DD", "web", {true, {"a \"quoted\" \\d+"}, {"ssn", "pin"}}};
  log.rotate = {.max_size_bytes = 3ULL << 40U,
                .every = "0 3 * * *",
                .retain = 4'000'000'000,
                .max_age = std::chrono::hours(24 * 400),
                .max_total_size_bytes = 7,
                .compress = Compression::kGzip,
                .level = -5};
  log.when_full = WhenFull::kBlock;
  log.sync = {SyncPolicy::Mode::kInterval, std::chrono::milliseconds(250)};
  log.owner = FileOwner{1000, 100};
  return log;
}

RunSpec run() {
  RunSpec spec;
  spec.run = {1'795'428'309'123'456'788};
  spec.worker = {41};
  spec.app_name = "web \"quoted\" \xc3\xa9";
  spec.streams.push_back(
      {stream_of(spec.run, StreamKind::kOut), StreamKind::kOut, {unusual_log(), LogSpec{}}});
  spec.streams.push_back({stream_of(spec.run, StreamKind::kErr), StreamKind::kErr, {}});
  return spec;
}

TEST(LogSpecTest, EveryFieldComesBackAfterARestart) {
  const RunSpec before = run();
  const RunSpec after = run_spec_from_json(Json::parse(to_json(before).dump()).value()).value();
  EXPECT_EQ(after.run, before.run);
  EXPECT_EQ(after.worker, before.worker);
  EXPECT_EQ(after.app_name, before.app_name);
  ASSERT_EQ(after.streams.size(), 2U);
  EXPECT_EQ(after.streams[0].id, before.streams[0].id);
  EXPECT_EQ(after.streams[1].kind, StreamKind::kErr);
  EXPECT_TRUE(after.streams[1].logs.empty());
  ASSERT_EQ(after.streams[0].logs.size(), 2U);
  EXPECT_EQ(after.streams[0].logs[0], unusual_log());
  EXPECT_EQ(after.streams[0].logs[1], LogSpec{});

  const LogSpec& log = after.streams[0].logs[0];
  EXPECT_EQ(log.rotate, unusual_log().rotate);
  EXPECT_EQ(log.render, unusual_log().render);
  EXPECT_EQ(log.sync, unusual_log().sync);
  EXPECT_EQ(log.owner->gid, 100U);
  EXPECT_FALSE(after.streams[0].logs[1].owner);
}

TEST(LogSpecTest, AnyDifferentFieldIsAnotherSpec) {
  LogSpec log = unusual_log();
  EXPECT_EQ(log, unusual_log());
  log.owner->uid = 0;
  EXPECT_FALSE(log == unusual_log());
  log = unusual_log();
  log.rotate.level = 3;
  EXPECT_FALSE(log == unusual_log());
  log = unusual_log();
  log.render.date_format += " ";
  EXPECT_FALSE(log == unusual_log());
  log = unusual_log();
  log.render.redact.keys.pop_back();
  EXPECT_FALSE(log == unusual_log());
}

TEST(LogSpecTest, ADescriptionWithoutARunIsCorrupt) {
  EXPECT_EQ(run_spec_from_json(Json::object()).error().code(), Errc::kCorrupt);
  EXPECT_EQ(run_spec_from_json(Json("text")).error().code(), Errc::kCorrupt);
}

}  // namespace
}  // namespace pmx
