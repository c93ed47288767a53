#include "config/resolve_app.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/fs.h"

namespace pmx::config {
namespace {

class ResolveAppTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pmx-resolve-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    std::filesystem::create_directory(root_ + "/bin");
    for (const char* name : {"node", "python3", "bash", "tool"})
      file(std::string("bin/") + name,
           "\x7f"
           "ELF",
           0755);
    context_.cwd = root_;
    context_.home = root_ + "/home";
    context_.env = {{"PATH", root_ + "/bin"}, {"HOME", root_}, {"SHELL_VAR", "1"}};
    context_.cpus = 4;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void file(const std::string& name, std::string_view text, mode_t mode = 0644) {
    ASSERT_TRUE(RealFs().replace_file(root_ + "/" + name, text, mode));
    ASSERT_EQ(::chmod((root_ + "/" + name).c_str(), mode), 0);
  }
  AppSpec resolve(Json app) {
    const Result<AppSpec> result = resolve_app(app, context_);
    EXPECT_TRUE(result) << result.error().message();
    return result ? *result : AppSpec();
  }
  AppSpec script(const std::string& name) { return resolve(Json::object({{"script", name}})); }
  std::string refusal(Json app) {
    const Result<AppSpec> result = resolve_app(app, context_);
    return result ? "resolved" : result.error().message();
  }
  std::string root_;
  ResolveContext context_;
};

TEST_F(ResolveAppTest, PicksTheInterpreterByTheScriptsEnding) {
  file("app.js", "");
  file("job.py", "");
  file("run.sh", "");
  EXPECT_EQ(script("app.js").interpreter, "node");
  EXPECT_EQ(script("run.sh").interpreter, "bash");
  const AppSpec python = script("job.py");
  EXPECT_EQ(python.interpreter, "python3");  // There is no `python` in PATH.
  EXPECT_EQ(python.env.at("PYTHONUNBUFFERED"), "1");
  EXPECT_EQ(python.script, root_ + "/job.py");
  EXPECT_EQ(python.name, "job");
}

TEST_F(ResolveAppTest, RunsTypeScriptByNodeWhereThereIsNoBun) {
  file("app.ts", "");
  const AppSpec app = script("app.ts");
  EXPECT_EQ(app.interpreter, "node");
  EXPECT_EQ(app.interpreter_args, (std::vector<std::string>{"--experimental-strip-types"}));
}

TEST_F(ResolveAppTest, RunsBinariesAndScriptsWithAFirstLineThemselves) {
  file("server",
       "\x7f"
       "ELF...",
       0755);
  file("start", "#!/bin/sh\necho\n", 0755);
  EXPECT_EQ(script("./server").interpreter, "none");
  EXPECT_EQ(script("start").interpreter, "none");
}

TEST_F(ResolveAppTest, BelievesTheFirstLineOfAScriptThatIsNotExecutable) {
  file("start", "#!/bin/sh -e\necho\n", 0644);
  const AppSpec app = script("start");
  EXPECT_EQ(app.interpreter, "/bin/sh");
  EXPECT_EQ(app.interpreter_args, (std::vector<std::string>{"-e"}));
}

TEST_F(ResolveAppTest, RunsOtherTextByNodeAsPm2Does) {
  file("www", "require('http')", 0755);
  EXPECT_EQ(script("www").interpreter, "node");
}

TEST_F(ResolveAppTest, FindsAProgramInPath) {
  EXPECT_EQ(script("tool").script, root_ + "/bin/tool");
  EXPECT_EQ(script("tool").name, "tool");
}

TEST_F(ResolveAppTest, GivesAShellLineToAShell) {
  const AppSpec app = script("python3 -u job.py");
  EXPECT_EQ(app.script, root_ + "/bin/bash");
  EXPECT_EQ(app.args, (std::vector<std::string>{"-c", "python3 -u job.py"}));
  EXPECT_EQ(app.interpreter, "none");
  EXPECT_EQ(app.name, "python3 -u job");
}

TEST_F(ResolveAppTest, TakesAFileWithASpaceInItsNameAsAFile) {
  file("my app.js", "");
  EXPECT_EQ(script("my app.js").script, root_ + "/my app.js");
}

TEST_F(ResolveAppTest, NamesAMissingScriptInPm2sWords) {
  EXPECT_EQ(refusal(Json::object({{"script", "none.js"}})),
            "Script not found: " + root_ + "/none.js");
  EXPECT_EQ(refusal(Json::object({{"name", "x"}})), "No script path - aborting");
}

TEST_F(ResolveAppTest, RefusesAnInterpreterThatIsNotThere) {
  file("a.rb", "");
  EXPECT_EQ(refusal(Json::object({{"script", "a.rb"}})),
            "Interpreter ruby is NOT AVAILABLE in PATH. (type 'which ruby' to double check.)");
}

TEST_F(ResolveAppTest, CountsInstancesFromTheCpus) {
  file("app.js", "");
  const auto instances = [&](Json value) {
    return resolve(Json::object({{"script", "app.js"}, {"instances", std::move(value)}})).instances;
  };
  EXPECT_EQ(instances(3), 3);
  EXPECT_EQ(instances("max"), 4);
  EXPECT_EQ(instances(0), 4);
  EXPECT_EQ(instances("-1"), 3);
  EXPECT_EQ(instances(-9), 1);
}

TEST_F(ResolveAppTest, ChoosesClusterModeOnlyForNodeWithInstances) {
  file("app.js", "");
  file("job.py", "");
  EXPECT_EQ(script("app.js").exec_mode, "fork_mode");
  const AppSpec cluster = resolve(Json::object({{"script", "app.js"}, {"instances", 1}}));
  EXPECT_EQ(cluster.exec_mode, "cluster_mode");
  EXPECT_TRUE(cluster.instances_given);
  EXPECT_EQ(resolve(Json::object({{"script", "job.py"}, {"instances", 2}})).exec_mode, "fork_mode");
  EXPECT_EQ(
      resolve(Json::object({{"script", "app.js"}, {"instances", 2}, {"execute_command", true}}))
          .exec_mode,
      "fork_mode");
}

TEST_F(ResolveAppTest, PutsTheAppsVariablesOverTheShells) {
  file("app.js", "");
  const AppSpec app = resolve(Json::object({{"script", "app.js"},
                                            {"env", Json::object({{"SHELL_VAR", "2"}, {"OWN", 3}})},
                                            {"port", 80}}));
  EXPECT_EQ(app.env.at("SHELL_VAR"), "2");
  EXPECT_EQ(app.env.at("OWN"), "3");
  EXPECT_EQ(app.env.at("PORT"), "80");
  EXPECT_EQ(app.env.at("PWD"), root_);
}

TEST_F(ResolveAppTest, LeavesOutFilteredVariables) {
  file("app.js", "");
  context_.env["SECRET_A"] = "x";
  context_.env["MY_SECRET"] = "x";
  const AppSpec app =
      resolve(Json::object({{"script", "app.js"}, {"filter_env", Json::Array{"SECRET"}}}));
  EXPECT_FALSE(app.env.contains("SECRET_A"));
  EXPECT_FALSE(app.env.contains("MY_SECRET"));
  EXPECT_TRUE(app.env.contains("SHELL_VAR"));
}

TEST_F(ResolveAppTest, KeepsPmxsOwnVariablesWithSecretsFromTheApp) {
  file("app.js", "");
  context_.env["PMX_SHIP"] = "loki+http://u:p@h";
  context_.env["PMX_SHIP_PASSWORD"] = "p";
  const AppSpec app = script("app.js");
  EXPECT_FALSE(app.env.contains("PMX_SHIP"));
  EXPECT_FALSE(app.env.contains("PMX_SHIP_PASSWORD"));
}

TEST_F(ResolveAppTest, MakesPathsAbsoluteBelowTheAppsDirectory) {
  std::filesystem::create_directory(root_ + "/sub");
  file("sub/app.js", "");
  const AppSpec app = resolve(Json::object({{"script", "app.js"},
                                            {"cwd", "sub"},
                                            {"out_file", "o.log"},
                                            {"error_file", "/dev/null"},
                                            {"log_file", true},
                                            {"name", "a/b"}}));
  EXPECT_EQ(app.cwd, root_ + "/sub");
  EXPECT_EQ(app.script, root_ + "/sub/app.js");
  EXPECT_EQ(app.out_file, root_ + "/sub/o.log");
  EXPECT_EQ(app.error_file, "/dev/null");
  EXPECT_EQ(app.log_file, context_.home + "/logs/a-b.log");
  EXPECT_EQ(refusal(Json::object({{"script", "app.js"}, {"cwd", "none"}})),
            "app app: cwd: no directory " + root_ + "/none");
}

TEST_F(ResolveAppTest, LetsOnlyRootChangeTheUser) {
  file("app.js", "");
  EXPECT_EQ(refusal(Json::object({{"script", "app.js"}, {"uid", "nobody"}})),
            "app app: uid: only root can set it");
  context_.is_root = true;
  EXPECT_EQ(refusal(Json::object({{"script", "app.js"}, {"uid", "no-such-user"}})),
            "app app: uid: this machine has no user \"no-such-user\"");
  EXPECT_EQ(resolve(Json::object({{"script", "app.js"}, {"uid", "root"}})).username, "root");
}

TEST_F(ResolveAppTest, FindsTheVersionAboveTheScript) {
  std::filesystem::create_directory(root_ + "/src");
  file("src/app.js", "");
  file("package.json", R"({"version":"3.2.1"})");
  EXPECT_EQ(script("src/app.js").version, "3.2.1");
}

}  // namespace
}  // namespace pmx::config
