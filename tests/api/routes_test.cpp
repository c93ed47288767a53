#include "api/routes.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "api/api_fixture.h"

namespace pmx::test {
namespace {

class RoutesTest : public ApiFixture {};

TEST_F(RoutesTest, UnknownPathsMethodsAndBodiesAreOneLine) {
  EXPECT_EQ(request("GET", "/v2/x")->status, 404);
  EXPECT_EQ(request("GET", "/v1/kill")->status, 405);
  EXPECT_EQ(request("POST", "/v1/act", "{nope")->status, 400);
  EXPECT_EQ(request("POST", "/v1/act", "[1]")->status, 400);
  EXPECT_NE(error_of(request("POST", "/v1/act", "{nope")).find("no JSON"), std::string::npos);
}

TEST_F(RoutesTest, PingAnswers) {
  EXPECT_EQ(request("GET", "/v1/ping")->body["version"].as_string(), "x");
}

TEST_F(RoutesTest, StartAnswersWhenEverythingRuns) {
  EXPECT_FALSE(start(app_json("web", 2)));
  all_run();
  ASSERT_TRUE(late_);
  EXPECT_EQ(late_->status, 200);
  EXPECT_EQ(late_->body.dump(), "{\"ids\":[0,1],\"names\":[\"web\",\"web\"],\"messages\":[]}");
}

TEST_F(RoutesTest, ATargetMayBeANumber) {
  (void)start(app_json("web"));
  all_run();
  EXPECT_EQ(post("/v1/act", Json::object({{"action", "reset"}, {"target", 0}}))->status, 200);
}

TEST_F(RoutesTest, UnknownTargetsAndActionsAreErrors) {
  EXPECT_EQ(act("stop", "nope")->status, 404);
  EXPECT_EQ(error_of(act("stop", "nope")), "Process or Namespace nope not found");
  EXPECT_EQ(act("explode", "all")->status, 400);
}

TEST_F(RoutesTest, KillDeletesAllThenAnswersThenQuits) {
  (void)start(app_json("web"));
  all_run();
  EXPECT_FALSE(post("/v1/kill", Json::object()));
  exits(WorkerId{0}, SIGINT);
  ASSERT_TRUE(late_);
  EXPECT_EQ(late_->status, 200);
  EXPECT_FALSE(quits_);
  late_->when_sent();
  EXPECT_TRUE(quits_);
  settle();
  EXPECT_TRUE(supervisor_->workers().empty());
}

TEST_F(RoutesTest, ASettingsSecretsAreKeptBesideItOnceItHolds) {
  std::string said;
  api::Routes routes({operations_, list_, settings_, api::DumpFile(home_, files_),
                      [] { return Json(); }, [] {},
                      [&](const config::SinkSecrets& secrets) { said += secrets.begin()->second; },
                      nullptr, [&] { said += ", changed"; }});
  const auto set = [&](const char* key, const char* secret) {
    const Json body = Json::object({{"set", Json::object({{key, "x"}})},
                                    {"ship_secrets", Json::object({{secret, "s3cret"}})}});
    int status = 0;
    routes.handle({"POST", "/v1/settings", body.dump()},
                  [&](const api::Response& response) { status = response.status; });
    return status;
  };
  EXPECT_EQ(set("ship", "no id"), 400);
  EXPECT_EQ(set("no.such.key", "0123456789abcdef"), 400);
  EXPECT_EQ(said, "");
  EXPECT_EQ(set("ship", "0123456789abcdef"), 200);
  EXPECT_EQ(said, "s3cret, changed");
  EXPECT_EQ(settings_.read()->dump(), R"({"ship":"x"})");
}

TEST_F(RoutesTest, SettingsAreKept) {
  EXPECT_EQ(request("GET", "/v1/settings")->body, Json::object());
  const auto set = post("/v1/settings", Json::object({{"rotate.max_size", "20M"}}));
  EXPECT_EQ(set->status, 200);
  EXPECT_EQ(request("GET", "/v1/settings")->body["rotate.max_size"].as_string(), "20M");
  EXPECT_EQ(post("/v1/settings", Json::object({{"no.such.key", 1}}))->status, 400);
}

}  // namespace
}  // namespace pmx::test
