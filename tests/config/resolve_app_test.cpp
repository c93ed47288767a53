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
  EXPECT_EQ(python.script, root_ + "/job.py");
  EXPECT_EQ(python.name, "job");
}

TEST_F(ResolveAppTest, TakesWatchedPathsFromTheAppsCwd) {
  file("app.js", "");
  std::filesystem::create_directory(root_ + "/sub");
  const AppSpec app = resolve(Json::object({{"script", root_ + "/app.js"},
                                            {"cwd", "sub"},
                                            {"watch", Json(Json::Array{"src", "/x", "~/y"})}}));
  EXPECT_TRUE(app.watch.on);
  EXPECT_EQ(app.watch.paths, (std::vector<std::string>{root_ + "/sub/src", "/x", root_ + "/y"}));
}

TEST_F(ResolveAppTest, RunsTypeScriptByNodeWhereThereIsNoBun) {
  file("app.ts", "");
  const AppSpec app = script("app.ts");
  EXPECT_EQ(app.interpreter, "node");
  EXPECT_EQ(app.interpreter_args, (std::vector<std::string>{"--experimental-strip-types"}));
}

TEST_F(ResolveAppTest, GivesNodeTheFlagForTypesOnlyWhereItNeedsIt) {
  file("app.ts", "");
  const auto with_node = [&](const std::string& version) {
    file("bin/node", "#!/bin/sh\necho v" + version + "\n", 0755);
    const Result<AppSpec> app = resolve_app(Json::object({{"script", "app.ts"}}), context_);
    if (!app) return app.error().message();
    return app->interpreter + std::to_string(app->interpreter_args.size());
  };
  EXPECT_EQ(with_node("22.6.0"), "node1");
  EXPECT_EQ(with_node("22.18.0"), "node0");
  EXPECT_EQ(with_node("23.5.0"), "node1");
  EXPECT_EQ(with_node("24.0.0"), "node0");
  EXPECT_EQ(with_node("20.9.0"),
            "Script " + root_ + "/app.ts needs bun, node from 22.6 on or deno, and the node in " +
                "PATH is 20.9.0: install one, or name an interpreter (--interpreter tsx)");
  file("bin/deno",
       "\x7f"
       "ELF",
       0755);
  EXPECT_EQ(with_node("20.9.0"), "deno2");
}

TEST_F(ResolveAppTest, TakesAVersionOfNodeFromNvm) {
  std::filesystem::create_directories(root_ + "/.nvm/versions/node/v20.1.0/bin");
  file("app.js", "");
  file(".nvm/versions/node/v20.1.0/bin/node",
       "\x7f"
       "ELF",
       0755);
  const auto with = [&](const char* interpreter) {
    return Json::object({{"script", "app.js"}, {"exec_interpreter", interpreter}});
  };
  EXPECT_EQ(resolve(with("node@20")).interpreter, root_ + "/.nvm/versions/node/v20.1.0/bin/node");
  EXPECT_EQ(refusal(with("node@18")), "Interpreter node@18 is not installed in " + root_ +
                                          "/.nvm (there: v20.1.0): nvm install 18");
  context_.env["NVM_DIR"] = "/nonexistent";
  EXPECT_EQ(refusal(with("node@20")),
            "Interpreter node@20 is not installed in /nonexistent "
            "(nothing is): nvm install 20");
}

TEST_F(ResolveAppTest, MapsSourcesWhereAMapIsBesideTheScript) {
  file("app.js", "");
  file("app.js.map", "{}");
  file("bin/node", "#!/bin/sh\necho v20.1.0\n", 0755);
  EXPECT_EQ(script("app.js").source_map_support, true);
  EXPECT_EQ(resolve(Json::object({{"script", "app.js"}, {"disable_source_map_support", true}}))
                .source_map_support,
            false);
  file("bin/node", "#!/bin/sh\necho v12.11.0\n", 0755);
  EXPECT_EQ(script("app.js").source_map_support, std::nullopt);
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

TEST_F(ResolveAppTest, TakesNodeAndPythonFromTheFirstLineAsTheInterpreter) {
  file("www", "#!/usr/bin/env node\nserve()", 0755);
  file("flags", "#!/usr/bin/env -S A=1 node --trace-warnings\r\n", 0755);
  file("job", "#!/usr/bin/env python3\n", 0755);
  const AppSpec www = resolve(Json::object({{"script", "www"}, {"instances", 2}}));
  EXPECT_EQ(www.interpreter, "node");
  EXPECT_EQ(www.exec_mode, "cluster_mode");
  EXPECT_EQ(script("flags").interpreter_args, (std::vector<std::string>{"--trace-warnings"}));
  EXPECT_EQ(script("job").interpreter, "python3");
}

TEST_F(ResolveAppTest, LeavesAFirstLineToTheKernelWhereItsProgramIsNotInPath) {
  file("tool.d", "#!/opt/none/node\n", 0755);
  EXPECT_EQ(script("tool.d").interpreter, "none");
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

TEST_F(ResolveAppTest, OurFileServerSaysWhenItListensAndIsNoClusterOfNodes) {
  const Json written = Json::object({{"script", kFileServerScript},
                                     {"name", "docs"},
                                     {"exec_interpreter", "node"},
                                     {"exec_mode", "cluster"},
                                     {"instances", 2}});
  const AppSpec app = resolve(written);
  EXPECT_EQ(app.script, kFileServerScript);
  EXPECT_EQ(app.interpreter, "none");
  EXPECT_EQ(app.exec_mode, "fork_mode");
  EXPECT_EQ(app.instances, 2);
  EXPECT_TRUE(app.wait_ready);
  EXPECT_EQ(app.version, "N/A");
  Json hasty = written;
  hasty.set("wait_ready", false);
  EXPECT_FALSE(resolve(hasty).wait_ready);
}

TEST_F(ResolveAppTest, TheWordServeOfACommandIsAProgram) {
  EXPECT_EQ(refusal(Json::object({{"script", "serve"}})), "Script not found: " + root_ + "/serve");
  file("bin/serve", "#!/bin/sh\n", 0755);
  EXPECT_EQ(script("serve").script, root_ + "/bin/serve");
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

TEST_F(ResolveAppTest, OnlyMaxAloneLeavesOneLogToAllInstances) {
  file("app.js", "");
  const auto merged = [&](Json more) {
    Json app = Json::object({{"script", "app.js"}});
    for (const auto& [key, value] : more.members()) app.set(key, value);
    return resolve(app).merge_logs;
  };
  EXPECT_EQ(merged(Json::object({{"instances", "max"}})), true);
  EXPECT_EQ(merged(Json::object({{"instances", 0}})), true);
  EXPECT_EQ(merged(Json::object({{"instances", 4}})), std::nullopt);
  EXPECT_EQ(merged(Json::object({{"instances", "max"}, {"exec_mode", "cluster"}})), std::nullopt);
  EXPECT_EQ(merged(Json::object({{"instances", "max"}, {"merge_logs", false}})), false);
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
  EXPECT_EQ(app.own_env, (std::set<std::string>{"OWN", "PORT", "SHELL_VAR"}));
}

TEST_F(ResolveAppTest, LooksAtEnvFilesAndKeepsNothingOfThem) {
  file("app.js", "");
  file("a.env", "SHELL_VAR=file\nSECRET=s3cret\n");
  const auto with = [&](Json files) {
    return Json::object({{"script", "app.js"}, {"env_file", std::move(files)}});
  };
  const AppSpec app = resolve(with(Json::Array{"a.env", "~/b.env?"}));
  EXPECT_EQ(app.env_file, (std::vector<std::string>{root_ + "/a.env", root_ + "/b.env?"}));
  EXPECT_EQ(app.env.at("SHELL_VAR"), "1");
  EXPECT_FALSE(app.env.contains("SECRET"));
  EXPECT_EQ(refusal(with("none.env")), "env_file " + root_ +
                                           "/none.env of app app is not there: "
                                           "make it, or name it " +
                                           root_ + "/none.env? where it may be missing");
}

TEST_F(ResolveAppTest, CountsOnlyFromANumber) {
  file("app.js", "");
  file("a.env", "PORT=3000\n");
  context_.env["PORT"] = "http";
  Json app = Json::object({{"script", "app.js"}, {"increment_var", "PORT"}});
  EXPECT_EQ(refusal(app), "increment_var PORT of app app: its value is no number to count from");
  app.set("env_file", "a.env");
  EXPECT_EQ(refusal(app), "resolved");
  EXPECT_EQ(resolve(app).env.at("PORT"), "http");
}

TEST_F(ResolveAppTest, NamesAnAppByPrefixAndEnvironment) {
  file("app.js", "");
  context_.env_name = "prod";
  EXPECT_EQ(
      resolve(Json::object(
                  {{"script", "app.js"}, {"name_prefix", "team"}, {"append_env_to_name", "true"}}))
          .name,
      "team:app-prod");
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
            "cwd: no directory " + root_ + "/none");
}

TEST_F(ResolveAppTest, LetsOnlyRootChangeTheUser) {
  file("app.js", "");
  EXPECT_EQ(refusal(Json::object({{"script", "app.js"}, {"uid", "nobody"}})),
            "uid: only root can set it");
  context_.is_root = true;
  EXPECT_EQ(refusal(Json::object({{"script", "app.js"}, {"uid", "no-such-user"}})),
            "uid: this machine has no user \"no-such-user\"");
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
