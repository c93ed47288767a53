#include "api/ship_routes.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "api/api_fixture.h"

namespace pmx::test {
namespace {

// Knows one sink, "loki-h", which takes every line.
class FakeShip final : public api::ShipControl {
 public:
  void status(Done done) override { done(sinks()); }
  static Json sinks() {
    return Json::object({{"sinks", Json::Array{Json::object({{"name", "loki-h"}})}}});
  }
  void test(SinkSpec sink, std::string secret, Done done) override {
    tested = std::move(sink);
    tested_secret = std::move(secret);
    test_done = std::move(done);
  }
  void pause(const std::string& sink, Done done) override { act("pause", sink, done, {}); }
  void resume(const std::string& sink, Done done) override { act("resume", sink, done, {}); }
  void retry(const std::string& sink, Done done) override {
    act("retry", sink, done, {{"lines", 3}});
  }
  void act(const std::string& verb, const std::string& sink, const Done& done,
           std::initializer_list<Json::Member> answer) {
    if (sink != "loki-h") return done(Error(Errc::kNotFound, "no sink " + sink));
    acts.push_back(verb);
    done(Json::object(answer));
  }
  std::vector<std::string> acts;
  SinkSpec tested;
  std::string tested_secret;
  std::function<void(Result<Json>)> test_done;
};

class ShipRoutesTest : public ApiFixture {
 protected:
  ShipRoutesTest()
      : ship_routes_({operations_, list_, settings_, api::DumpFile(home_, files_),
                      [] { return Json(); }, [] {},
                      [this](config::SinkSecrets secrets) { secrets_ = std::move(secrets); },
                      &ship_}) {}
  std::optional<api::Response> ask(const std::string& method, const std::string& path,
                                   const Json& body = {}) {
    late_.reset();
    ship_routes_.handle({method, path, body.is_null() ? "" : body.dump()},
                        [this](api::Response response) { late_ = response; });
    return late_;
  }
  FakeShip ship_;
  config::SinkSecrets secrets_;
  api::Routes ship_routes_;
};

TEST_F(ShipRoutesTest, StatusIsTheEnginesOwn) {
  EXPECT_EQ(ask("GET", "/v1/ship")->body, FakeShip::sinks());
}

TEST_F(ShipRoutesTest, PausesResumesAndRetriesANamedSink) {
  const Json loki = Json::object({{"sink", "loki-h"}});
  EXPECT_EQ(ask("POST", "/v1/ship/pause", loki)->status, 200);
  EXPECT_EQ(ask("POST", "/v1/ship/resume", loki)->body, Json::object());
  EXPECT_EQ(ask("POST", "/v1/ship/retry", loki)->body.dump(), R"({"lines":3})");
  EXPECT_EQ(ship_.acts, (std::vector<std::string>{"pause", "resume", "retry"}));
}

TEST_F(ShipRoutesTest, SaysWhichSinkNobodyKnows) {
  for (const char* verb : {"pause", "resume", "retry"}) {
    const std::string path = "/v1/ship/" + std::string(verb);
    const auto unknown = ask("POST", path, Json::object({{"sink", "x"}}));
    EXPECT_EQ(unknown->status, 404) << verb;
    EXPECT_EQ(error_of(unknown), "no sink x");
    EXPECT_EQ(ask("POST", path, Json::object())->status, 400) << verb;
  }
  EXPECT_TRUE(ship_.acts.empty());
}

TEST_F(ShipRoutesTest, TestAnswersWhenTheStoreHas) {
  const Json body = Json::object({{"sink", "loki+http://u@h?tenant=a"}, {"secret", "pw"}});
  EXPECT_FALSE(ask("POST", "/v1/ship/test", body));
  EXPECT_EQ(ship_.tested.tenant, "a");
  EXPECT_EQ(ship_.tested_secret, "pw");
  ship_.test_done(Json::object({{"delivered", true}}));
  ASSERT_TRUE(late_);
  EXPECT_EQ(late_->status, 200);
  EXPECT_EQ(late_->body["delivered"], Json(true));
}

TEST_F(ShipRoutesTest, TestRefusesAWrongSinkBeforeAnyIsAsked) {
  const auto refused = ask("POST", "/v1/ship/test", Json::object({{"sink", "lok://u:s3cret@h"}}));
  EXPECT_EQ(refused->status, 400);
  EXPECT_EQ(error_of(refused).find("s3cret"), std::string::npos);
  EXPECT_FALSE(ship_.test_done);
}

TEST_F(ShipRoutesTest, ADaemonWithoutShippingSaysSo) {
  EXPECT_EQ(request("GET", "/v1/ship")->body.dump(), R"({"sinks":[]})");
  EXPECT_EQ(post("/v1/ship/pause", Json::object({{"sink", "x"}}))->status, 404);
  EXPECT_EQ(post("/v1/ship/test", Json::object({{"sink", "loki+http://h"}}))->status, 404);
}

TEST_F(ShipRoutesTest, SecretsAreHandedOnBeforeAppsAreStarted) {
  const std::string id = sink_id(SinkSpec());
  Json apps = Json::array();
  apps.push_back(app_json("web"));
  EXPECT_FALSE(ask("POST", "/v1/start",
                   Json::object({{"apps", apps}, {"ship_secrets", Json::object({{id, "pw"}})}})));
  EXPECT_EQ(secrets_, (config::SinkSecrets{{id, "pw"}}));
  secrets_.clear();
  (void)ask("POST", "/v1/act",
            Json::object({{"action", "restart"},
                          {"target", "web"},
                          {"ship_secrets", Json::object({{id, "new"}})}}));
  EXPECT_EQ(secrets_, (config::SinkSecrets{{id, "new"}}));
}

TEST_F(ShipRoutesTest, NothingIsStartedWithSecretsThatAreNone) {
  for (const Json& wrong :
       {Json("x"), Json::object({{"../x", "pw"}}), Json::object({{sink_id(SinkSpec()), 7}})}) {
    Json apps = Json::array();
    apps.push_back(app_json("web"));
    const auto answer =
        ask("POST", "/v1/start", Json::object({{"apps", apps}, {"ship_secrets", wrong}}));
    ASSERT_TRUE(answer) << wrong.dump();
    EXPECT_EQ(answer->status, 400);
    EXPECT_EQ(error_of(answer).find("pw"), std::string::npos);
  }
  EXPECT_TRUE(supervisor_->workers().empty());
}

}  // namespace
}  // namespace pmx::test
