#include "config/resolve_ship.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fs.h"
#include "config/app_config.h"

namespace pmx::config {
namespace {

class ResolveShipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pmx-ship-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    context_.cwd = root_;
    context_.env = {{"HOME", "/home/u"}, {"ES_PW", "s3cret"}};
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  ResolvedShip sinks(std::string_view written) {
    const auto resolved = resolve_sinks(*Json::parse(written), context_);
    EXPECT_TRUE(resolved) << resolved.error().message();
    return resolved ? *resolved : ResolvedShip();
  }
  std::string refusal(std::string_view written) {
    const auto resolved = resolve_sinks(*Json::parse(written), context_);
    return resolved ? "resolved" : resolved.error().message();
  }
  std::string root_;
  ResolveContext context_;
};

TEST_F(ResolveShipTest, MakesEveryPathAbsolute) {
  const ResolvedShip ship =
      sinks(R"(["file://out.ndjson", {"url":"es+https://h","tls":{"ca_file":"~/ca.pem",)"
            R"("certificate_file":"c.pem","key_file":"/k.pem"}}])");
  EXPECT_EQ(ship.specs[0].urls.front(), root_ + "/out.ndjson");
  EXPECT_EQ(ship.specs[1].tls.ca_file, "/home/u/ca.pem");
  EXPECT_EQ(ship.specs[1].tls.certificate_file, root_ + "/c.pem");
  EXPECT_EQ(ship.specs[1].tls.key_file, "/k.pem");
  EXPECT_TRUE(ship.secrets.empty());
  EXPECT_TRUE(ship.warnings.empty());
}

TEST_F(ResolveShipTest, ReadsASecretFromTheEnvironment) {
  const ResolvedShip ship = sinks(R"("es+https://u@h?password_env=ES_PW")");
  EXPECT_EQ(ship.secrets, (SinkSecrets{{sink_id(ship.specs[0]), "s3cret"}}));
  EXPECT_EQ(sinks_to_json(ship.specs).dump().find("s3cret"), std::string::npos);
  EXPECT_EQ(refusal(R"("es+https://u@h?password_env=NONE")"),
            "sink elasticsearch-h: the environment has no NONE, which holds its secret");
}

TEST_F(ResolveShipTest, ReadsASecretFromAFile) {
  ASSERT_TRUE(RealFs().replace_file(root_ + "/token", "t0ken\n"));
  const ResolvedShip ship = sinks(R"({"url":"loki+http://h","auth":{"token_file":"token"}})");
  EXPECT_EQ(ship.secrets.at(sink_id(ship.specs[0])), "t0ken");
  EXPECT_EQ(ship.specs[0].auth.secret_file, root_ + "/token");
  EXPECT_NE(
      refusal(R"({"url":"loki+http://h","auth":{"token_file":"none"}})").find("/none: No such"),
      std::string::npos);
}

TEST_F(ResolveShipTest, TakesThePasswordOfAUserFromPmxsOwnVariable) {
  EXPECT_EQ(sinks(R"("es+https://u@h")").warnings.size(), 1U);
  context_.env["PMX_SHIP_PASSWORD"] = "pw";
  const ResolvedShip ship = sinks(R"("es+https://u@h")");
  EXPECT_EQ(ship.secrets.at(sink_id(ship.specs[0])), "pw");
  EXPECT_EQ(ship.specs[0].auth.secret_env, "PMX_SHIP_PASSWORD");
  EXPECT_TRUE(ship.warnings.empty());
}

TEST_F(ResolveShipTest, LeavesNoSecretInTheApp) {
  Json app = *Json::parse(R"({"name":"web","script":"x","ship":"loki+http://u:s3cret@h"})");
  const auto ship = resolve_ship(app, context_);
  ASSERT_TRUE(ship) << ship.error().message();
  EXPECT_EQ(app.dump().find("s3cret"), std::string::npos) << app.dump();
  const Result<AppSpec> spec = app_from_json(app);
  ASSERT_TRUE(spec) << spec.error().message();
  ASSERT_EQ(spec->ship.size(), 1U);
  EXPECT_EQ(ship->secrets, (SinkSecrets{{sink_id(spec->ship.front()), "s3cret"}}));
  EXPECT_EQ(app_from_json(app_to_json(*spec))->ship, spec->ship);
}

TEST_F(ResolveShipTest, TakesTheVariableWhereTheAppSaysNothing) {
  context_.env["PMX_SHIP"] = "loki+http://a,vl+http://b";
  Json silent = Json::object({{"script", "x"}});
  ASSERT_TRUE(resolve_ship(silent, context_));
  EXPECT_EQ(silent["ship"].items().size(), 2U);
  for (const Json& off : {Json(false), Json("none"), Json::array()}) {
    Json app = Json::object({{"script", "x"}, {"ship", off}});
    ASSERT_TRUE(resolve_ship(app, context_));
    EXPECT_EQ(app["ship"], Json::array());
  }
  Json own = Json::object({{"script", "x"}, {"ship", "loki+http://c"}});
  ASSERT_TRUE(resolve_ship(own, context_));
  EXPECT_EQ(own["ship"].items().front()["url"], Json("http://c:3100"));
}

TEST_F(ResolveShipTest, NamesTheAppAndWhereTheWrongUrlIsFrom) {
  Json app = Json::object({{"name", "web"}});
  context_.env["PMX_SHIP"] = "lok://h";
  EXPECT_EQ(resolve_ship(app, context_).error().message(),
            "app web: PMX_SHIP: sink lok://h: a URL begins with <store>+http://, <store>+https:// "
            "or file://");
  app.set("ship", "loki+http://");
  EXPECT_EQ(resolve_ship(app, context_).error().message(),
            "app web: sink loki+http://: the URL has no host");
}

}  // namespace
}  // namespace pmx::config
