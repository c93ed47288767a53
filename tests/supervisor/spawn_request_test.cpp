#include "supervisor/spawn_request.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/sys.h"
#include "support/temp_dir.h"

namespace pmx::supervisor {
namespace {

class SpawnRequestTest : public ::testing::Test {
 protected:
  SpawnRequestTest() {
    worker_.id.value = 4;
    worker_.instance = 2;
    worker_.unique_id = "u-1";
    worker_.spec.name = "web";
    worker_.spec.script = "/bin/sh";
    worker_.spec.cwd = "/tmp";
    worker_.spec.env = {{"PATH", "/usr/bin:/bin"}, {"LANG", "C"}, {"pm_id", "77"}};
  }
  SpawnRequest request() {
    auto made = spawn_request_of(worker_, RunId{8}, "/h", std::nullopt);
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    return made ? *made : SpawnRequest();
  }
  std::string error() {
    const auto made = spawn_request_of(worker_, RunId{8}, "/h", std::nullopt);
    return made ? "" : made.error().message();
  }
  bool has(const std::vector<std::string>& env, const std::string& entry) {
    return std::find(env.begin(), env.end(), entry) != env.end();
  }
  WorkerRecord worker_;
};

TEST_F(SpawnRequestTest, ABareScriptIsTheProgram) {
  worker_.spec.args = {"-c", "true"};
  EXPECT_EQ(request().program, "/bin/sh");
  EXPECT_EQ(request().argv, (std::vector<std::string>{"/bin/sh", "-c", "true"}));
}

TEST_F(SpawnRequestTest, TheFileServerIsThePmxThatRunsNow) {
  worker_.spec.script = kFileServerScript;
  worker_.spec.interpreter = "node";  // PM2's was run by it.
  worker_.spec.args = {"dist", "9000"};
  EXPECT_EQ(request().program, sys::self_exe());
  EXPECT_EQ(request().argv, (std::vector<std::string>{"pmx", "serve-files", "dist", "9000"}));
  worker_.spec.instances_given = true;
  EXPECT_EQ(request().argv,
            (std::vector<std::string>{"pmx", "serve-files", "--share-port", "dist", "9000"}));
}

TEST_F(SpawnRequestTest, SocketsAreCountedAndNamed) {
  worker_.spec.listen = {"3000", "web=unix:/run/a.sock"};
  worker_.spec.env["LISTEN_PID"] = worker_.spec.env["LISTEN_PIDFDID"] = "17";
  const auto env = request().env;
  EXPECT_TRUE(has(env, "LISTEN_FDS=2"));
  EXPECT_TRUE(has(env, "LISTEN_FDNAMES=3000:web"));
  for (const std::string& entry : env) EXPECT_FALSE(entry.starts_with("LISTEN_PID")) << entry;
}

TEST_F(SpawnRequestTest, SocketsOfTheShellAreNotTheWorkers) {
  for (const char* const name : {"LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"})
    worker_.spec.env[name] = "1";
  worker_.spec.own_env = {"LISTEN_FDNAMES"};  // What the app says itself stays.
  for (const std::string& entry : request().env)
    EXPECT_EQ(entry.starts_with("LISTEN_"), entry == "LISTEN_FDNAMES=1") << entry;
}

TEST_F(SpawnRequestTest, AnInterpreterIsFoundInTheAppsOwnPath) {
  worker_.spec.interpreter = "sh";
  worker_.spec.interpreter_args = {"-e"};
  worker_.spec.script = "/srv/run.sh";
  worker_.spec.args = {"a b"};
  EXPECT_TRUE(request().program.ends_with("/bin/sh"));
  EXPECT_EQ(request().argv, (std::vector<std::string>{"sh", "-e", "/srv/run.sh", "a b"}));
}

TEST_F(SpawnRequestTest, AMissingInterpreterIsOneClearLine) {
  worker_.spec.interpreter = "no-such-program";
  EXPECT_EQ(error(),
            "no-such-program of app web is not in PATH: install it or give its absolute path");
}

TEST_F(SpawnRequestTest, TheEnvironmentHasPm2sSmallSetAndNoConfiguration) {
  worker_.spec.other = Json::object({{"watch", true}});
  const auto env = request().env;
  for (const char* const entry :
       {"LANG=C", "name=web", "pm_id=4", "NODE_APP_INSTANCE=2", "PM2_HOME=/h", "PM2_USAGE=CLI",
        "unique_id=u-1", "pm_exec_path=/bin/sh", "PWD=/tmp", "namespace=default"})
    EXPECT_TRUE(has(env, entry)) << entry;
  const auto leaks = std::count_if(env.begin(), env.end(), [](const std::string& entry) {
    return entry.starts_with("watch") || entry.starts_with("status") ||
           entry.starts_with("instances") || entry.starts_with("autorestart") ||
           entry.starts_with("PMX_");
  });
  EXPECT_EQ(leaks, 0);
}

TEST_F(SpawnRequestTest, WhatTheAppSaysItselfIsNeverChanged) {
  for (const char* const name : {"name", "status", "pm_id", "NODE_APP_INSTANCE", "PM2_HOME"}) {
    worker_.spec.env[name] = "own";
    worker_.spec.own_env.insert(name);
  }
  const auto env = request().env;
  for (const char* const entry :
       {"name=own", "status=own", "pm_id=own", "NODE_APP_INSTANCE=own", "PM2_HOME=own"})
    EXPECT_TRUE(has(env, entry)) << entry;
}

TEST_F(SpawnRequestTest, AHomeInTheShellIsThatOfTheDaemon) {
  worker_.spec.env["PMX_HOME"] = "/another";
  EXPECT_TRUE(has(request().env, "PMX_HOME=/h"));
}

TEST_F(SpawnRequestTest, FilesStandOverTheShellAndUnderTheApp) {
  worker_.spec.env = {{"SHELL", "shell"}, {"BOTH", "shell"}, {"OWN", "app"}};
  worker_.spec.own_env = {"OWN"};
  const auto env = environment_of(worker_, "/h", std::nullopt,
                                  {{"BOTH", "file"}, {"OWN", "file"}, {"NEW", "file"}});
  ASSERT_TRUE(env);
  EXPECT_EQ(env->at("SHELL"), "shell");
  EXPECT_EQ(env->at("BOTH"), "file");
  EXPECT_EQ(env->at("OWN"), "app");
  EXPECT_EQ(env->at("NEW"), "file");
}

TEST_F(SpawnRequestTest, AnInstanceHasItsOwnNumber) {
  worker_.spec.increment_var = "PORT";
  EXPECT_TRUE(has(request().env, "PORT=2"));
  worker_.spec.env["PORT"] = "3000";
  worker_.spec.own_env = {"PORT"};
  EXPECT_TRUE(has(request().env, "PORT=3002"));
  worker_.spec.env["PORT"] = "http";
  EXPECT_EQ(error(), "increment_var PORT of app web: its value is no number to count from");
}

TEST_F(SpawnRequestTest, NodeMapsSourcesWhereItIsToldTo) {
  worker_.spec.interpreter = "/usr/bin/node";
  worker_.spec.interpreter_args = {"--trace-warnings"};
  worker_.spec.source_map_support = true;
  EXPECT_EQ(request().argv, (std::vector<std::string>{"/usr/bin/node", "--enable-source-maps",
                                                      "--trace-warnings", "/bin/sh"}));
  worker_.spec.interpreter = "/bin/sh";
  EXPECT_EQ(request().argv[1], "--trace-warnings");
}

TEST_F(SpawnRequestTest, AMissingEnvFileIsOneClearLine) {
  worker_.spec.env_file = {"/nonexistent/.env"};
  EXPECT_NE(error().find("env_file /nonexistent/.env of app web is not there"), std::string::npos);
}

TEST_F(SpawnRequestTest, AnInheritedIdOfAnotherWorkerDoesNotSurvive) {
  EXPECT_FALSE(has(request().env, "pm_id=77"));
}

TEST_F(SpawnRequestTest, TheInstanceVariableCanBeRenamed) {
  worker_.spec.instance_var = "SLOT";
  EXPECT_TRUE(has(request().env, "SLOT=2"));
}

TEST_F(SpawnRequestTest, PythonDoesNotBuffer) {
  worker_.spec.interpreter = "/usr/bin/python3";
  EXPECT_TRUE(has(request().env, "PYTHONUNBUFFERED=1"));
  worker_.spec.env["PYTHONUNBUFFERED"] = "";
  EXPECT_TRUE(has(request().env, "PYTHONUNBUFFERED="));
}

TEST_F(SpawnRequestTest, AChannelIsForWhatRunsJavaScriptAndForWhoAsks) {
  const auto script = [](const std::string& interpreter, const std::string& path,
                         std::vector<std::string> args = {}) {
    AppSpec app;
    app.interpreter = interpreter;
    app.script = path;
    app.args = std::move(args);
    return app;
  };
  EXPECT_TRUE(has_channel(script("node", "/srv/app.js")));
  EXPECT_TRUE(has_channel(script("/opt/node-22/bin/node", "/srv/app.js")));
  EXPECT_TRUE(has_channel(script("bun", "/srv/app.ts")));
  EXPECT_TRUE(has_channel(script("none", "/usr/bin/node", {"app.js"})));
  EXPECT_TRUE(has_channel(script("none", "/bin/bash", {"-c", "node app.js --port 80"})));
  EXPECT_FALSE(has_channel(script("none", "/bin/bash", {"-c", "python3 app.py"})));
  EXPECT_FALSE(has_channel(script("python3", "/srv/node")));
  EXPECT_FALSE(has_channel(script("none", "/usr/bin/nodejs-exporter")));
  AppSpec asks = script("python3", "/srv/app.py");
  asks.wait_ready = true;
  EXPECT_TRUE(has_channel(asks));
  asks = script("python3", "/srv/app.py");
  asks.shutdown_with_message = true;
  EXPECT_TRUE(has_channel(asks));
}

TEST_F(SpawnRequestTest, DenoInClusterModeHasAChannelAndATrapAndNoHookOfNodes) {
  AppSpec& app = worker_.spec;
  app.interpreter = "/opt/deno/bin/deno";
  EXPECT_FALSE(is_cluster(app) || is_trapped(app) || has_channel(app));
  app.exec_mode = "cluster_mode";
  EXPECT_TRUE(is_cluster(app) && is_trapped(app) && has_channel(app));
  EXPECT_TRUE(takes_connections_only(app));
  app.drain_hook = true;
  EXPECT_FALSE(has(request().argv, "--require"));
  EXPECT_TRUE(has(request().env, "NODE_CHANNEL_FD=3"));
  app.interpreter = "/usr/bin/node";
  EXPECT_TRUE(is_cluster(app) && !is_trapped(app) && !takes_connections_only(app));
}

TEST_F(SpawnRequestTest, ADrainHookIsTheRuntimesOwnAndOnlyInClusterMode) {
  AppSpec& app = worker_.spec;
  const auto hook_of = [&](const std::string& interpreter) -> std::string {
    app.interpreter = interpreter;
    const auto* const hook = drain_hook_of(app);
    return hook == nullptr ? "" : std::string(hook->option);
  };
  EXPECT_EQ(hook_of("/usr/bin/node"), "");
  app.exec_mode = "cluster_mode";
  for (const char* const node : {"/usr/bin/node", "nodejs"}) EXPECT_EQ(hook_of(node), "--require");
  for (const char* const other : {"python3", "/opt/deno", "none", ""})
    EXPECT_EQ(hook_of(other), "");
  EXPECT_EQ(hook_of("/bin/sh"), "");
  EXPECT_EQ(hook_of("/opt/bun"), "--preload");
  app.drain_hook = false;
  EXPECT_EQ(hook_of("/opt/bun"), "");
}

TEST_F(SpawnRequestTest, AHookThatIsNotThereIsLeftOut) {
  AppSpec& app = worker_.spec;
  app.exec_mode = "cluster_mode";
  app.interpreter = "/opt/bun";
  EXPECT_EQ(spawn_request_of(worker_, RunId{}, "/nowhere", std::nullopt)->argv[1], app.script);
  const test::TempDir home;
  std::filesystem::create_directory(home.path() + "/state");
  const std::string path = drain_hook_path(home.path(), *drain_hook_of(app));
  std::ofstream(path) << "x";
  EXPECT_EQ(spawn_request_of(worker_, RunId{}, home.path(), std::nullopt)->argv[1],
            "--preload=" + path);
}

TEST_F(SpawnRequestTest, TheChannelsVariablesAreTheWorkersOwnOrNobodys) {
  worker_.spec.env["NODE_CHANNEL_FD"] = "17";
  worker_.spec.env["NODE_CHANNEL_SERIALIZATION_MODE"] = "advanced";
  worker_.spec.env["NODE_UNIQUE_ID"] = "1";
  for (const std::string& variable : request().env)
    EXPECT_FALSE(variable.starts_with("NODE_CHANNEL") || variable.starts_with("NODE_UNIQUE"));
  worker_.spec.wait_ready = true;
  EXPECT_TRUE(has(request().env, "NODE_CHANNEL_FD=3"));
  worker_.spec.listen = {"3000", "3001"};
  EXPECT_TRUE(has(request().env, "NODE_CHANNEL_FD=5"));
  EXPECT_TRUE(has(request().env, "NODE_CHANNEL_SERIALIZATION_MODE=json"));
}

TEST(IdentityTest, WithoutUidAndGidWeStayWhoWeAre) {
  const auto identity = identity_of(AppSpec());
  ASSERT_TRUE(identity);
  EXPECT_FALSE(*identity);
}

TEST(IdentityTest, AnUnknownUserIsOneClearLine) {
  AppSpec app;
  app.name = "web";
  app.uid = "no_such_user_here";
  const auto identity = identity_of(app);
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().message(),
            "uid no_such_user_here of app web: no such user in /etc/passwd: give the name or "
            "number of one that is there");
  app.uid = "";
  app.gid = "no_such_group_here";
  EXPECT_NE(identity_of(app).error().message().find("no such group"), std::string::npos);
}

TEST(IdentityTest, ARootDaemonBecomesAnybodyAndAnotherOnlyItself) {
  AppSpec app;
  app.name = "web";
  app.uid = "nobody";
  const auto identity = identity_of(app);
  if (::geteuid() != 0) {
    ASSERT_FALSE(identity);
    EXPECT_NE(identity.error().message().find("only root"), std::string::npos);
    return;
  }
  ASSERT_TRUE(identity && *identity);
  EXPECT_NE((*identity)->uid, 0U);
  EXPECT_FALSE((*identity)->groups.empty());
  app.uid = "54321";  // A container's number without a name.
  EXPECT_EQ((*identity_of(app))->gid, 54321U);
}

}  // namespace
}  // namespace pmx::supervisor
