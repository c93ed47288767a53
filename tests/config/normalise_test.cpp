#include "config/normalise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pmx::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Normalised normalise(const char* json, const std::string& env_name = "", const Json& deploy = {}) {
  return normalise_app(*Json::parse(json), env_name, deploy);
}

TEST(NormaliseTest, TurnsAliasesIntoCanonicalKeys) {
  const Normalised out =
      normalise(R"({"exec":"a.js","interpreterArgs":"-x","combine_logs":true,"user":"www"})");
  EXPECT_EQ(out.app.dump(), R"({"script":"a.js","node_args":"-x","merge_logs":true,"uid":"www"})");
  EXPECT_THAT(out.warnings, IsEmpty());
}

TEST(NormaliseTest, LetsTheCanonicalKeyWin) {
  EXPECT_EQ(normalise(R"({"out":"b","out_file":"a"})").app["out_file"], Json("a"));
  EXPECT_EQ(normalise(R"({"out_file":"a","out":"b"})").app["out_file"], Json("a"));
  EXPECT_EQ(normalise(R"({"outFile":"b","out_file":"a"})").app["out_file"], Json("a"));
  EXPECT_EQ(normalise(R"({"out":"b","out_file":null})").app["out_file"], Json("b"));
}

TEST(NormaliseTest, TakesTheFirstAliasThatSaysAnythingInTheTablesOrder) {
  EXPECT_EQ(normalise(R"({"out":"","output":"b"})").app["out_file"], Json("b"));
  EXPECT_EQ(normalise(R"({"output":"b","out":"a"})").app["out_file"], Json("a"));
  EXPECT_EQ(normalise(R"({"command":"c","cmd":"b"})").app["script"], Json("b"));
  EXPECT_EQ(normalise(R"({"combine_logs":false})").app["merge_logs"], Json(false));
}

TEST(NormaliseTest, LeavesOutUnknownKeysWithASuggestion) {
  const Normalised out = normalise(R"({"name":"web","script":"a.js","autorestrat":true})");
  EXPECT_EQ(out.app.find("autorestrat"), nullptr);
  EXPECT_THAT(out.warnings, ElementsAre("app web: unknown key \"autorestrat\" is ignored "
                                        "(did you mean \"autorestart\"?)"));
}

TEST(NormaliseTest, NamesKeysWithoutEffectInOneLine) {
  const Normalised out = normalise(
      R"({"name":"web","script":"a","trace":true,"deep_monitoring":true,"wait_ready":false})");
  EXPECT_EQ(out.app["trace"], Json(true));
  EXPECT_THAT(out.warnings, ElementsAre("app web: without effect here: trace, deep_monitoring"));
}

TEST(NormaliseTest, SaysNothingOfKeysThatNeedNothingDone) {
  const Normalised out =
      normalise(R"({"script":"a","pmx":false,"vizion":false,"automation":false,"windowsHide":true,)"
                R"("kill_retry_time":100,"trace":false,"v8":0})");
  EXPECT_THAT(out.warnings, IsEmpty());
  EXPECT_EQ(out.app["pmx"], Json(false));
  EXPECT_THAT(normalise(R"({"name":"a","script":"a","trace":true})").warnings,
              ElementsAre("app a: without effect here: trace"));
}

TEST(NormaliseTest, ReadsRotateAsObjectOrOff) {
  const Normalised out = normalise(R"({"script":"a","rotate":{"maxSize":"1M","retian":3}})");
  EXPECT_EQ(out.app["rotate.max_size"], Json("1M"));
  EXPECT_EQ(out.warnings.size(), 1U);
  EXPECT_EQ(normalise(R"({"script":"a","rotate":false})").app["rotate.max_size"], Json(0));
}

TEST(NormaliseTest, PutsTheChosenEnvironmentOnTop) {
  const char* app =
      R"({"script":"a","env":{"A":"1","B":"1","C":"1"},"env_prod":{"C":"3"},"env_dev":{"A":"9"}})";
  EXPECT_EQ(normalise(app).app["env"].dump(), R"({"A":"1","B":"1","C":"1"})");
  EXPECT_EQ(normalise(app, "prod", Json::object({{"B", "2"}, {"C", "2"}})).app["env"].dump(),
            R"({"A":"1","B":"2","C":"3"})");
  EXPECT_THAT(normalise(app, "test").warnings,
              ElementsAre("app a: Environment [test] is not defined in process file"));
}

TEST(NormaliseTest, LeavesRedactionToWhoRefusesWhatIsWrongInIt) {
  const Normalised out = normalise(R"({"script":"a","redact":{"pattern":"x"}})");
  EXPECT_EQ(out.app["redact"].dump(), R"({"pattern":"x"})");
  EXPECT_THAT(out.warnings, IsEmpty());
}

TEST(NormaliseTest, HealthIsAPathOrAnObject) {
  EXPECT_EQ(normalise(R"({"script":"a","health":"/up"})").app["health.path"], Json("/up"));
  const Normalised out = normalise(R"({"script":"a","health":{"path":"/up","expct":200}})");
  EXPECT_EQ(out.app["health.path"], Json("/up"));
  ASSERT_EQ(out.warnings.size(), 1U);
  EXPECT_NE(out.warnings[0].find("\"health.expct\""), std::string::npos);
}

}  // namespace
}  // namespace pmx::config
