#include "config/pm2_dump.h"

#include <gtest/gtest.h>

#include "config/app_config.h"

namespace pmx::config {
namespace {

Json parsed(std::string_view text) { return std::move(*Json::parse(text)); }

// As PM2 7 writes it, without what nobody reads.
constexpr std::string_view kPm2 = R"({
  "name": "web", "namespace": "shop", "pm_exec_path": "/srv/web/app.js", "pm_cwd": "/srv/web",
  "args": ["--port", "80"], "node_args": ["--no-warnings"], "exec_interpreter": "node",
  "exec_mode": "cluster_mode", "merge_logs": false, "autorestart": true, "kill_timeout": 3000,
  "pm_out_log_path": "/root/.pm2/logs/web-out-3.log", "pm_err_log_path": "/var/log/web-3-err-3.log",
  "pm_pid_path": "/root/.pm2/pids/web-3.pid", "NODE_APP_INSTANCE": 1, "pm_id": 3, "status": "online",
  "restart_time": 7, "pm_uptime": 1, "unique_id": "x", "windowsHide": true, "version": "1.2.3",
  "PORT": "80", "env": {"PORT": "80", "PM2_HOME": "/root/.pm2", "unique_id": "x", "web": "{}",
                        "LIMITS": {"a": 1}}
})";

TEST(Pm2DumpTest, AnEntryOfPm2BecomesAnApp) {
  const auto dumped = dumped_app(parsed(kPm2), "/root/.pm2");
  ASSERT_TRUE(dumped) << dumped.error().message();
  const AppSpec& app = dumped->spec;
  EXPECT_EQ(app.name, "web");
  EXPECT_EQ(app.app_namespace, "shop");
  EXPECT_EQ(app.script, "/srv/web/app.js");
  EXPECT_EQ(app.cwd, "/srv/web");
  EXPECT_EQ(app.args, (std::vector<std::string>{"--port", "80"}));
  EXPECT_EQ(app.interpreter, "node");
  EXPECT_EQ(app.interpreter_args, (std::vector<std::string>{"--no-warnings"}));
  EXPECT_EQ(app.kill_timeout.count(), 3000);
  EXPECT_EQ(app.version, "1.2.3");
  EXPECT_EQ(app.out_file, "");  // The default, wherever the home is.
  EXPECT_EQ(app.error_file, "/var/log/web-3-err.log");
  EXPECT_EQ(app.env, (std::map<std::string, std::string>{{"LIMITS", "{\"a\":1}"}, {"PORT", "80"}}));
  EXPECT_EQ(dumped->id, 3);
  EXPECT_EQ(dumped->instance, 1);
  EXPECT_TRUE(dumped->runs);
}

TEST(Pm2DumpTest, Pm2sFileServerBecomesOurs) {
  Json entry = parsed(kPm2);
  entry.set("pm_exec_path", "/usr/lib/node_modules/pm2/lib/API/Serve.js");
  entry.set("env", Json::object({{"PM2_SERVE_PORT", 9000}, {"PM2_SERVE_FTP", false}}));
  const auto dumped = dumped_app(entry, "/root/.pm2");
  ASSERT_TRUE(dumped) << dumped.error().message();
  EXPECT_EQ(dumped->spec.script, kFileServerScript);
  EXPECT_EQ(dumped->spec.interpreter, "none");
  EXPECT_EQ(dumped->spec.env.at("PM2_SERVE_PORT"), "9000");
  EXPECT_EQ(dumped->spec.env.at("PM2_SERVE_FTP"), "false");
}

TEST(Pm2DumpTest, AnEntryOfOursComesBackAsItWas) {
  AppSpec app;
  app.name = "job";
  app.script = "/usr/bin/job";
  app.cwd = "/tmp";
  app.env = {{"A", "1"}, {"name", "not the app's"}};
  app.rotate.max_size_bytes = 4096;
  app.stop_exit_codes = {0, 3};
  app.instances_given = true;
  Json entry = app_to_json(app);
  entry.set("status", "stopped");
  entry.set("pm_exec_path", "/elsewhere");
  const auto dumped = dumped_app(entry, "/root/.pm2");
  ASSERT_TRUE(dumped) << dumped.error().message();
  EXPECT_EQ(app_to_json(dumped->spec), app_to_json(app));
  EXPECT_FALSE(dumped->runs);
  EXPECT_FALSE(dumped->id);
}

TEST(Pm2DumpTest, SaysWhatCannotBeAnApp) {
  EXPECT_FALSE(dumped_app(Json("x"), "/h"));
  EXPECT_FALSE(dumped_app(parsed(R"({"name": "a"})"), "/h"));
  EXPECT_FALSE(dumped_app(parsed(R"({"pm_exec_path": "/bin/true"})"), "/h"));
  EXPECT_FALSE(
      dumped_app(parsed(R"({"name": "a", "script": "/a", "kill_timeout": "soon"})"), "/h"));
}

}  // namespace
}  // namespace pmx::config
