#include "cli/app_request.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fs.h"
#include "cli/option_table.h"
#include "config/app_config.h"
#include "config/ecosystem.h"

namespace pmx::cli {
namespace {

class AppRequestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pmx-request-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    write("job", "#!/bin/sh\n", 0755);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& name, std::string_view text, mode_t mode = 0600) {
    std::filesystem::create_directories(std::filesystem::path(root_ + "/" + name).parent_path());
    ASSERT_TRUE(RealFs().replace_file(root_ + "/" + name, text, mode));
  }
  Session session(std::vector<std::string> words) {
    CommandLine line = *parse_command_line(all_options(), std::move(words));
    return Session{std::move(line),
                   "start",
                   Console({true, false, 80, 1, 2}),
                   {{"HOME", root_}, {"PATH", "/bin"}},
                   root_,
                   "pmx",
                   root_,
                   ApiClient(root_, {}),
                   RealClock()};
  }
  std::string root_;
};

TEST_F(AppRequestTest, TurnsOptionsIntoCanonicalKeys) {
  const Session line = session({"-n", "web", "-i", "max", "--rotate-max-size", "1M",
                                "--no-autorestart", "-l", "--stop-exit-codes", "0,1", "--time"});
  EXPECT_EQ(app_of_options(line.line).dump(),
            R"({"name":"web","instances":"max","log_file":true,"time":true,"rotate.max_size":"1M",)"
            R"("autorestart":false,"stop_exit_codes":"0 1"})");
}

TEST_F(AppRequestTest, ResolvesAScriptWithOptionsAndArguments) {
  Session line = session({"--kill-timeout", "5s", "--", "--port", "80"});
  const Result<AppSpec> app = script_app(line, "./job");
  ASSERT_TRUE(app) << app.error().message();
  EXPECT_EQ(app->script, root_ + "/job");
  EXPECT_EQ(app->args, (std::vector<std::string>{"--port", "80"}));
  EXPECT_EQ(app->kill_timeout.count(), 5000);
}

TEST_F(AppRequestTest, TakesWhatWasSetAsTheDefault) {
  write("state/settings.json", R"({"rotate.max_size":"2M","rotate.retain":"5"})");
  Session line = session({"--rotate-retain", "7"});
  const Result<AppSpec> app = script_app(line, "job");
  ASSERT_TRUE(app) << app.error().message();
  EXPECT_EQ(app->rotate.max_size_bytes, 2U << 20U);
  EXPECT_EQ(app->rotate.retain, 7U);
}

TEST_F(AppRequestTest, RedactsWhatTheOptionsSayAlsoOfAFilesApps) {
  write("state/settings.json", R"({"redact.builtin":"true"})");
  Session line =
      session({"--redact-patterns", "a b", "--redact-patterns", "c", "--redact-keys", "x,y"});
  const Result<AppSpec> app = script_app(line, "job");
  ASSERT_TRUE(app) << app.error().message();
  EXPECT_EQ(app->redact, (RedactRules{true, {"a b", "c"}, {"x", "y"}}));
  write("e.json", R"({"apps":[{"script":"job","redact":{"builtin":false,"keys":["z"]}}]})");
  Session of_file = session({"--redact"});
  const Result<std::vector<AppSpec>> apps = ecosystem_apps(of_file, "e.json");
  ASSERT_TRUE(apps) << apps.error().message();
  EXPECT_EQ(apps->at(0).redact, (RedactRules{true, {}, {"z"}}));
}

TEST_F(AppRequestTest, StartsNothingOfAFileWithABadApp) {
  write(
      "e.json",
      R"({"apps":[{"name":"a","script":"job"},{"name":"b","script":"job","kill_timeout":"soon"}]})");
  Session line = session({});
  const Result<std::vector<AppSpec>> apps = ecosystem_apps(line, "e.json");
  ASSERT_FALSE(apps);
  EXPECT_EQ(apps.error().message(),
            "e.json: app b: kill_timeout: \"soon\" is not allowed: a duration from 0ms to 1d; "
            "no app of it was touched");
}

TEST_F(AppRequestTest, SaysEveryMistakeOfAFile) {
  write("e.json", R"({"apps":[{"name":"a","script":"job","kill_timeout":"soon","port":"x"},
                              {"name":"b","script":"none"},{"name":"c","script":"job"}]})");
  Session line = session({});
  ::testing::internal::CaptureStderr();
  const Result<std::vector<AppSpec>> apps = ecosystem_apps(line, "e.json");
  EXPECT_EQ(
      ::testing::internal::GetCapturedStderr(),
      "[PM2][ERROR] e.json: app a: kill_timeout: \"soon\" is not allowed: a duration from 0ms to "
      "1d\n[PM2][ERROR] e.json: app a: port: \"x\" is not allowed: a number from 0 to 65535\n");
  ASSERT_FALSE(apps);
  EXPECT_EQ(apps.error().message(),
            "e.json: app b: Script not found: " + root_ + "/none; no app of it was touched");
}

TEST_F(AppRequestTest, RemembersTheFileOfAnApp) {
  write("e.json", R"({"apps":[{"name":"a","script":"job","env_prod":{}}]})");
  Session line = session({"--env", "prod"});
  const Result<std::vector<AppSpec>> apps = ecosystem_apps(line, "e.json");
  ASSERT_TRUE(apps) << apps.error().message();
  EXPECT_EQ(
      apps->front().config,
      (ConfigSource{root_ + "/e.json", *config::config_hash(root_ + "/e.json"), "prod", root_}));
}

TEST_F(AppRequestTest, AppliesOnlyAndEnvToAFile) {
  write("e.json", R"({"apps":[{"name":"a","script":"job"},
                              {"name":"b","script":"job","env":{"X":"1"},"env_prod":{"X":"2"}}]})");
  Session line = session({"--only", "b", "--env", "prod"});
  const Result<std::vector<AppSpec>> apps = ecosystem_apps(line, "e.json");
  ASSERT_TRUE(apps) << apps.error().message();
  ASSERT_EQ(apps->size(), 1U);
  EXPECT_EQ(apps->front().env.at("X"), "2");
}

TEST_F(AppRequestTest, ChangesWhatTheLineSaysOfAListedApp) {
  const Session line = session({"-o", "new.log", "--node-args", "null", "-i", "3", "--", "-v"});
  const Result<Json> body = changes_of_line(line, "web");
  ASSERT_TRUE(body) << body.error().message();
  EXPECT_EQ(body->dump(), R"({"changes":{"node_args":null,"out_file":")" + root_ +
                              R"(/new.log","args":["-v"]}})");
  EXPECT_EQ(changes_of_line(session({}), "web")->dump(), "{}");
  EXPECT_EQ((*changes_of_line(session({"-a"}), "web"))["update_env"]["PATH"], Json("/bin"));
  EXPECT_FALSE(changes_of_line(session({"-k", "soon"}), "web"));
}

TEST_F(AppRequestTest, MakesWatchedPathsOfTheLineAbsolute) {
  const auto watch = [this](std::vector<std::string> arguments) {
    const Result<Json> body = changes_of_line(session(std::move(arguments)), "web");
    return body ? (*body)["changes"]["watch"].dump() : body.error().message();
  };
  EXPECT_EQ(watch({"--watch"}), "true");
  EXPECT_EQ(watch({"--watch", "false"}), "\"false\"");
  EXPECT_EQ(watch({"--watch", "src", "--watch", "/x/y"}),
            Json(Json::Array{root_ + "/src", "/x/y"}).dump());
  Session line = session({"--watch", "src", "--watch", "lib", "--watch-delay", "2"});
  const Result<AppSpec> app = script_app(line, "job");
  ASSERT_TRUE(app) << app.error().message();
  EXPECT_EQ(app->watch.paths, (std::vector<std::string>{root_ + "/src", root_ + "/lib"}));
  EXPECT_EQ(app->watch.delay, std::chrono::seconds(2));
}

TEST_F(AppRequestTest, TakesSeveralSinksAndSendsTheirSecretsBesideTheApp) {
  Session line = session({"--ship", "loki+http://u:s3cret@h", "--ship", "file://out.ndjson"});
  const Result<AppSpec> app = script_app(line, "job");
  ASSERT_TRUE(app) << app.error().message();
  ASSERT_EQ(app->ship.size(), 2U);
  EXPECT_EQ(app->ship[1].urls.front(), root_ + "/out.ndjson");
  Json body = Json::object();
  add_ship_secrets(line, body);
  EXPECT_EQ(body["ship_secrets"], Json::object({{sink_id(app->ship[0]), "s3cret"}}));
  EXPECT_EQ(config::app_to_json(*app).dump().find("s3cret"), std::string::npos);
}

TEST_F(AppRequestTest, LetsTheLineWinOverTheFileAndTheFileOverTheVariable) {
  write("e.json", R"({"ship":"loki+http://file","apps":[{"name":"a","script":"job"},
                      {"name":"b","script":"job","ship":"none"}]})");
  const auto sinks = [&](Session line, const char* file) {
    line.env["PMX_SHIP"] = "vl+http://shell";
    const auto apps = ecosystem_apps(line, file);
    EXPECT_TRUE(apps) << apps.error().message();
    std::string names;
    for (const AppSpec& app : *apps) {
      for (const SinkSpec& sink : app.ship) names += sink.name;
      names += ";";
    }
    return names;
  };
  EXPECT_EQ(sinks(session({}), "e.json"), "loki-file;;");
  EXPECT_EQ(sinks(session({"--ship", "loki+http://line"}), "e.json"), "loki-line;loki-line;");
  write("f.json", R"({"apps":[{"name":"a","script":"job"}]})");
  EXPECT_EQ(sinks(session({}), "f.json"), "victorialogs-shell;");
}

TEST_F(AppRequestTest, ChangesTheSinksOfAListedApp) {
  const Result<Json> body = changes_of_line(session({"--ship", "loki+http://u:s3cret@h"}), "web");
  ASSERT_TRUE(body) << body.error().message();
  EXPECT_EQ((*body)["changes"]["ship"].items().front()["url"], Json("http://h:3100"));
  EXPECT_EQ((*body)["changes"].dump().find("s3cret"), std::string::npos);
  EXPECT_EQ((*body)["ship_secrets"].members().front().second, Json("s3cret"));
  EXPECT_EQ((*changes_of_line(session({"--ship", "none"}), "web"))["changes"].dump(),
            R"({"ship":[]})");
}

TEST_F(AppRequestTest, AnEnvWithoutAFileIsNoMistakeOfAStart) {
  Session line = session({"--env", "prod"});
  EXPECT_TRUE(script_app(line, "job"));
}

TEST_F(AppRequestTest, TakesBackWhatAnAppNoLongerSays) {
  AppSpec app;
  app.other.set("vizion", false);
  Json body = Json::object();
  set_changes(body, app);
  EXPECT_EQ(body["changes"]["vizion"], Json(false));
  ASSERT_NE(body["changes"].find("trace"), nullptr);
  EXPECT_TRUE(body["changes"]["trace"].is_null());
  EXPECT_TRUE(body["keep_shell_env"].as_bool());
  app.other.set("filter_env", true);
  set_changes(body, app);
  EXPECT_FALSE(body["keep_shell_env"].as_bool());
}

TEST_F(AppRequestTest, MakesEnvFilesOfALineAbsolute) {
  const Result<Json> body = changes_of_line(session({"--env-file", "a", "--env-file", "/b?"}), "w");
  ASSERT_TRUE(body) << body.error().message();
  EXPECT_EQ((*body)["changes"]["env_file"].dump(), "[\"" + root_ + "/a\",\"/b?\"]");
}

TEST_F(AppRequestTest, SaysHowManyWorkersAReloadMayHaveInWork) {
  const auto body_of = [&](std::vector<std::string> words) -> Result<std::string> {
    Json body = Json::object();
    PMX_TRY(add_parallel(session(std::move(words)), body));
    return body.dump();
  };
  EXPECT_EQ(body_of({"--parallel", "3"}).value(), R"({"parallel":3})");
  EXPECT_EQ(body_of({}).value(), "{}");
  for (const char* const wrong : {"0", "-1", "many"}) {
    const auto refused = body_of({"--parallel=" + std::string(wrong)});
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().message(),
              "--parallel " + std::string(wrong) + ": a number from 1 on");
  }
}

TEST_F(AppRequestTest, KeepsTheNumberOfInstancesOverARestart) {
  AppSpec app;
  app.name = "web";
  const Json changes = changes_of(app);
  EXPECT_EQ(changes.find("instances"), nullptr);
  EXPECT_EQ(changes.find("exec_mode"), nullptr);
  EXPECT_EQ(changes["name"], Json("web"));
}

}  // namespace
}  // namespace pmx::cli
