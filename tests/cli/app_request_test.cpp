#include "cli/app_request.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fs.h"
#include "cli/option_table.h"

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

TEST_F(AppRequestTest, StartsNothingOfAFileWithABadApp) {
  write(
      "e.json",
      R"({"apps":[{"name":"a","script":"job"},{"name":"b","script":"job","kill_timeout":"soon"}]})");
  Session line = session({});
  const Result<std::vector<AppSpec>> apps = ecosystem_apps(line, "e.json");
  ASSERT_FALSE(apps);
  EXPECT_EQ(apps.error().message(),
            "e.json: app b: kill_timeout: \"soon\" is not allowed: a duration from 0ms to 1d");
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

TEST_F(AppRequestTest, RefusesEnvWithoutAFile) {
  Session line = session({"--env", "prod"});
  EXPECT_FALSE(script_app(line, "job"));
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
