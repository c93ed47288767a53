#include "config/app_config.h"

#include <gtest/gtest.h>

namespace pmx::config {
namespace {

using namespace std::chrono_literals;

AppSpec unusual_app() {
  AppSpec app;
  app.name = "api";
  app.app_namespace = "shop";
  app.script = "/srv/api.js";
  app.args = {"--port", "80", "a b"};
  app.interpreter = "node";
  app.interpreter_args = {"--enable-source-maps"};
  app.cwd = "/srv";
  app.env = {{"A", "1"}, {"B", "x=y"}};
  app.exec_mode = "cluster_mode";
  app.instances = 4;
  app.instances_given = true;
  app.version = "1.2.3";
  app.username = "www-data";
  app.out_file = "/var/log/api.log";
  app.merge_logs = false;
  app.rotate = {1U << 20U, "day", 0, 7 * 24h, 1U << 30U, Compression::kGzip, 9};
  app.when_full = WhenFull::kBlock;
  app.sync = {SyncPolicy::Mode::kInterval, 5000ms};
  SinkSpec sink;
  sink.name = "central";
  sink.urls = {"http://loki:3100"};
  sink.tenant = "a";
  sink.filter.level = Severity::kWarn;
  app.ship = {sink};
  app.ship_from_home = false;
  app.redact = {true, {"a{2}", "b c,d"}, {"ssn", "pin"}};
  app.autorestart = false;
  app.stop_exit_codes = {0, 143};
  app.kill_timeout = 5s;
  app.own_env = {"A"};
  app.env_file = {"/srv/.env", "/srv/.env.local?"};
  app.config = {"/srv/e.json", "0a1b", "production", "/srv"};
  app.increment_var = "PORT";
  app.source_map_support = true;
  app.cron_restart = "*/5 9-17 * * mon-fri";
  app.max_memory_restart = 300U << 20U;
  app.exp_backoff_max_delay = 1min;
  app.watch = {true, {"/srv/src", "/srv/etc"}, {"tmp", "*.log"}, 2s};
  app.other = Json::object({{"trace", true}});
  return app;
}

TEST(AppConfigTest, TakesAnAppThroughJsonUnchanged) {
  const Json json = app_to_json(unusual_app());
  const Result<AppSpec> again = app_from_json(json);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(app_to_json(*again), json);
  EXPECT_EQ(again->rotate, unusual_app().rotate);
  EXPECT_EQ(again->env, unusual_app().env);
  EXPECT_EQ(again->own_env, unusual_app().own_env);
  EXPECT_EQ(again->env_file, unusual_app().env_file);
  EXPECT_EQ(again->config, unusual_app().config);
  EXPECT_EQ(again->source_map_support, true);
  EXPECT_EQ(again->ship, unusual_app().ship);
  EXPECT_EQ(again->redact, unusual_app().redact);
  EXPECT_EQ(again->merge_logs, false);
  EXPECT_TRUE(again->instances_given);
  EXPECT_EQ(again->watch, unusual_app().watch);
  EXPECT_EQ(again->cron_restart, unusual_app().cron_restart);
  EXPECT_EQ(again->max_memory_restart, unusual_app().max_memory_restart);
  EXPECT_EQ(again->exp_backoff_max_delay, unusual_app().exp_backoff_max_delay);
  EXPECT_EQ(again->other, unusual_app().other);
}

TEST(AppConfigTest, TakesCronPatternsAsTheyAreMeantAndNoOthers) {
  const auto cron = [](const char* value) {
    const auto app = app_from_json(*Json::parse(std::string(R"({"cron_restart":)") + value + "}"));
    return app ? "[" + app->cron_restart + "]" : app.error().message();
  };
  EXPECT_EQ(cron(R"("0 3 * * *")"), "[0 3 * * *]");
  EXPECT_EQ(cron(R"("*/10 * * * * *")"), "[*/10 * * * * *]");
  EXPECT_EQ(cron(R"("@daily")"), "[@daily]");
  EXPECT_EQ(cron("0"), "[]");  // PM2: no more.
  EXPECT_EQ(cron(R"("0")"), "[]");
  for (const char* const wrong : {R"("99 * * * *")", R"("hour")", R"("* * *")", "[1]", "5"})
    EXPECT_NE(cron(wrong).find("cron_restart: "), std::string::npos) << cron(wrong);
}

TEST(AppConfigTest, TakesWatchAsSwitchPathOrList) {
  const auto watch = [](const char* value) {
    const auto app = app_from_json(*Json::parse(std::string(R"({"watch":)") + value + "}"));
    return app ? app->watch : WatchPolicy{true, {"refused"}, {}, {}};
  };
  EXPECT_EQ(watch("true"), (WatchPolicy{true, {}, {}, {}}));
  EXPECT_EQ(watch("false"), WatchPolicy());
  EXPECT_EQ(watch(R"("src")"), (WatchPolicy{true, {"src"}, {}, {}}));
  EXPECT_EQ(watch(R"(["src","etc"])"), (WatchPolicy{true, {"src", "etc"}, {}, {}}));
  for (const char* const wrong : {"{}", "[]", R"([""])"})
    EXPECT_EQ(watch(wrong).paths, std::vector<std::string>{"refused"}) << wrong;
}

TEST(AppConfigTest, TakesMissingKeysFromTheDefaults) {
  AppSpec defaults;
  defaults.rotate.max_size_bytes = 1234;
  const Result<AppSpec> app = app_from_json(Json::object({{"script", "x"}}), defaults);
  ASSERT_TRUE(app);
  EXPECT_EQ(app->rotate.max_size_bytes, 1234U);
  EXPECT_EQ(app->merge_logs, std::nullopt);
}

TEST(AppConfigTest, KnowsWhetherTheAppItselfNamesItsStores) {
  EXPECT_TRUE(app_from_json(Json::object({{"ship", nullptr}}))->ship_from_home);
  EXPECT_FALSE(app_from_json(Json::object({{"ship", "none"}}))->ship_from_home);
  AppSpec defaults;
  defaults.ship = unusual_app().ship;
  const AppSpec app = *app_from_json(Json::object({{"script", "x"}}), defaults);
  EXPECT_EQ(app.ship, defaults.ship);
  EXPECT_TRUE(app_from_json(app_to_json(app))->ship_from_home);
}

TEST(AppConfigTest, TakesDottedKeysOverTheObject) {
  Json json = app_to_json(unusual_app());
  json.set("rotate.max_size", "2M");
  const Result<AppSpec> app = app_from_json(json);
  ASSERT_TRUE(app);
  EXPECT_EQ(app->rotate.max_size_bytes, 2U << 20U);
  EXPECT_EQ(app->rotate.level, 9);
}

TEST(AppConfigTest, NamesAppAndKeyOfABadValue) {
  const Result<AppSpec> app =
      app_from_json(Json::object({{"name", "web"}, {"kill_timeout", "soon"}}));
  ASSERT_FALSE(app);
  EXPECT_EQ(app.error().message(),
            "app web: kill_timeout: \"soon\" is not allowed: a duration from 0ms to 1d");
}

TEST(AppConfigTest, NamesThePatternThatIsNone) {
  const auto app =
      app_from_json(*Json::parse(R"({"name":"web","script":"a","ignore_watch":["tmp","/a(b/"]})"));
  ASSERT_FALSE(app);
  EXPECT_EQ(app.error().message(),
            "app web: ignore_watch: \"/a(b/\" is no name, path, glob or /regular expression/: "
            "missing ): a(b");
}

TEST(AppConfigTest, NamesTheSinkOfABadOptionAndRefusesASecret) {
  const auto refusal = [](const char* ship) {
    return app_from_json(Json::object({{"name", "web"}, {"ship", ship}})).error().message();
  };
  EXPECT_EQ(refusal("loki+http://h?metadata=x"),
            "app web: sink loki+http://h: metadata: \"x\" is not allowed: true or false");
  EXPECT_EQ(refusal("loki+http://u:p@h"),
            "app web: sink loki-h: a secret must not stand here, it goes beside: ship_secrets");
}

TEST(AppConfigTest, RefusesWhatIsNoObject) { EXPECT_FALSE(app_from_json("web")); }

TEST(AppConfigTest, ReadsRedactionAsASinkDoes) {
  const auto rules = [](const char* json) {
    const Result<AppSpec> app = app_from_json(Json::object({{"redact", *Json::parse(json)}}));
    EXPECT_TRUE(app) << json << " " << app.error().message();
    return app ? app->redact : RedactRules();
  };
  EXPECT_EQ(rules("true"), (RedactRules{true, {}, {}}));
  EXPECT_EQ(rules("false"), RedactRules());
  EXPECT_EQ(rules("null"), RedactRules());
  EXPECT_EQ(rules(R"({"patterns":"a,b c","keys":"x,y z"})"),
            (RedactRules{false, {"a,b c"}, {"x", "y", "z"}}));
  EXPECT_EQ(rules(R"({"builtin":true,"patterns":["a","b"],"keys":["x"]})"),
            (RedactRules{true, {"a", "b"}, {"x"}}));
  EXPECT_EQ(app_to_json(AppSpec())["redact"].dump(), R"({"builtin":false})");
}

TEST(AppConfigTest, RefusesRedactionThatWouldNotTakeOutWhatItSays) {
  const auto refusal = [](const char* json) {
    const Result<AppSpec> app =
        app_from_json(Json::object({{"name", "web"}, {"redact", *Json::parse(json)}}));
    return app ? std::string("allowed") : app.error().message();
  };
  EXPECT_EQ(refusal(R"({"patterns":["fine","("]})"),
            "app web: redact.patterns: \"(\" is no pattern of RE2: missing ): (");
  EXPECT_EQ(refusal(R"({"pattern":"x"})"),
            "app web: \"redact.pattern\" is no setting (did you mean \"redact.patterns\"?)");
  EXPECT_EQ(
      refusal(R"(["token"])"),
      "app web: redact: [\"token\"] is not allowed: true, or an object of builtin, patterns and "
      "keys");
  EXPECT_EQ(refusal(R"({"builtin":"yes"})"),
            "app web: redact.builtin: \"yes\" is not allowed: true or false");
}

TEST(AppConfigTest, HealthAndPinnedPathsSurviveTheirWayThroughJson) {
  AppSpec app;
  app.health = {"/up", "ok", 5s, 8080};
  app.pinned = {{"/srv/current", "/srv/1"}};
  const auto again = app_from_json(app_to_json(app));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->health, app.health);
  EXPECT_EQ(again->pinned, app.pinned);
}

}  // namespace
}  // namespace pmx::config
