#include "api/jlist.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "api/api_fixture.h"

namespace pmx::test {
namespace {

class JlistTest : public ApiFixture {
 protected:
  Json only() {
    const Json list = list_.jlist();
    return list.items().empty() ? Json() : list.items()[0];
  }
  void running(Json app) {
    (void)start(std::move(app));
    all_run();
    settle();
  }
};

TEST_F(JlistTest, ARunIsOpenUntilAllItsOutputIsRecorded) {
  Json app = app_json("web");
  app.set("autorestart", false);
  running(app);
  const RunId run = record(WorkerId{0}).run;
  EXPECT_EQ(only()["pmx"]["open_runs"].as_int(), 1);
  exits(WorkerId{0}, 0);
  EXPECT_EQ(only()["pm2_env"]["status"].as_string(), "stopped");
  EXPECT_EQ(only()["pmx"]["open_runs"].as_int(), 1);
  supervisor_->streams_done(run);
  EXPECT_EQ(only()["pmx"]["open_runs"].as_int(), 0);
}

TEST_F(JlistTest, HasPm2sKeysInPm2sOrder) {
  running(app_json("web"));
  std::vector<std::string> keys;
  const Json element = only();
  for (const auto& [key, value] : element.members()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"pid", "name", "pm2_env", "pm_id", "monit", "pmx"}));
  for (const char* const key : {"name",
                                "namespace",
                                "status",
                                "pm_id",
                                "pm_uptime",
                                "created_at",
                                "restart_time",
                                "unstable_restarts",
                                "pm_exec_path",
                                "pm_cwd",
                                "exec_interpreter",
                                "exec_mode",
                                "instances",
                                "args",
                                "node_args",
                                "watch",
                                "autorestart",
                                "pm_out_log_path",
                                "pm_err_log_path",
                                "pm_pid_path",
                                "merge_logs",
                                "version",
                                "node_version",
                                "username",
                                "uid",
                                "unique_id",
                                "NODE_APP_INSTANCE",
                                "env",
                                "axm_actions",
                                "axm_monitor",
                                "versioning",
                                "km_link"})
    EXPECT_NE(element["pm2_env"].find(key), nullptr) << key;
  EXPECT_EQ(element["pm2_env"].find("exit_code"), nullptr);  // Only after an exit.
}

TEST_F(JlistTest, AVariableCalledStatusDoesNotHideTheStatus) {
  Json app = app_json("web");
  app.set("env", Json::object({{"status", "mine"}, {"HOME", "/root"}}));
  running(app);
  const Json element = only();
  EXPECT_EQ(element["pm2_env"]["status"].as_string(), "online");
  EXPECT_EQ(element["pm2_env"]["HOME"].as_string(), "/root");
  EXPECT_EQ(element["pm2_env"]["env"]["status"].as_string(), "mine");
}

TEST_F(JlistTest, TellsTheTrueExit) {
  running(app_json("web"));
  exits(WorkerId{0}, SIGKILL);
  const Json element = only();
  EXPECT_TRUE(element["pm2_env"]["exit_code"].is_null());
  EXPECT_EQ(element["pm2_env"]["exit_signal"].as_string(), "SIGKILL");
  EXPECT_EQ(element["pmx"]["last_exit"]["signal"].as_string(), "SIGKILL");
  EXPECT_EQ(element["pid"].as_int(), 0);
}

TEST_F(JlistTest, ShowsWhereLinesGoAndNoSecret) {
  AppSpec spec = app("web");
  SinkSpec sink;
  sink.name = "loki-h";
  sink.urls = {"http://h:3100"};
  sink.auth = {SinkAuth::Kind::kBasic, "u", "LOKI_PW", ""};
  spec.ship = {sink};
  spec.env = {{"LOKI_PW", "s3cret"}, {"A", "1"}};
  ASSERT_TRUE(supervisor_->add(spec));
  AppSpec other = app("other");
  other.env = spec.env;
  ASSERT_TRUE(supervisor_->add(other));
  const Json list = list_.jlist();
  const Json& element = list.items().front();
  EXPECT_EQ(element["pm2_env"]["ship"].dump(),
            R"([{"name":"loki-h","type":"loki","url":"http://h:3100"}])");
  EXPECT_EQ(element["pm2_env"]["env"]["LOKI_PW"], Json("[secret]"));
  EXPECT_EQ(element["pm2_env"]["A"], Json("1"));
  EXPECT_EQ(list.dump().find("s3cret"), std::string::npos);
}

TEST_F(JlistTest, ShowsHowItsLogsAreDoing) {
  running(app_json("web"));
  supervisor::LogStatus log;
  log.path = home_ + "/logs/web-out-0.log";
  log.captured_lines = 5;
  log.trouble = "disk full";
  pipeline_.status_ = {log, supervisor::LogStatus{}};
  const Json element = only();
  const auto& logs = element["pmx"]["logs"].items();
  ASSERT_EQ(logs.size(), 1U);
  EXPECT_EQ(logs[0]["captured_lines"].as_int(), 5);
  EXPECT_EQ(logs[0]["trouble"].as_string(), "disk full");
}

TEST_F(JlistTest, NamesComeBeforeIds) {
  for (const char* name : {"web", "0", "web"}) ASSERT_TRUE(supervisor_->add(app(name)));
  const auto ids = [this](std::string_view word) {
    std::string text;
    const Json found = list_.named(word);
    for (const Json& element : found.items()) text += element["pm_id"].dump() + " ";
    return text;
  };
  EXPECT_EQ(ids("web"), "0 2 ");
  EXPECT_EQ(ids("0"), "1 ");
  EXPECT_EQ(ids("2"), "2 ");
  EXPECT_EQ(ids("nobody"), "");
}

TEST_F(JlistTest, ShowsTheVariablesThatAWorkerHasOfPm2) {
  running(app_json("web"));
  const Json worker = only();
  const Json& env = worker["pm2_env"];
  EXPECT_EQ(env["env"]["PM2_HOME"], Json(home_));
  EXPECT_EQ(env["PM2_USAGE"], Json("CLI"));
  EXPECT_EQ(env["env"]["unique_id"], env["unique_id"]);
}

TEST_F(JlistTest, TheShortOneLeavesOutSettingsAndEnvironment) {
  Json app = app_json("web");
  app.set("env", Json::object({{"SECRET_OF_THE_APP", "x"}}));
  running(std::move(app));
  const Json list = list_.jlist(api::ProcessList::Detail::kShort);
  ASSERT_EQ(list.items().size(), 1U);
  const Json& env = list.items()[0]["pm2_env"];
  EXPECT_EQ(env["status"].as_string(), "online");
  EXPECT_TRUE(env["pm_err_log_path"].is_string());
  EXPECT_EQ(env.find("SECRET_OF_THE_APP"), nullptr);
  EXPECT_EQ(env.find("env"), nullptr);
  EXPECT_EQ(env.find("kill_timeout"), nullptr);
}

}  // namespace
}  // namespace pmx::test
