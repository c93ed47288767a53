#include "api/run_file.h"

#include <gtest/gtest.h>

#include "config/app_config.h"
#include "support/temp_dir.h"

namespace pmx::api {
namespace {

class RunFileTest : public ::testing::Test {
 protected:
  Result<RunFile> read(const std::string& text) {
    (void)files_.replace_file(path_, text);
    return read_run_file(files_, path_,
                         {[](const AppSpec& app) { return config::app_to_json(app); },
                          [](const Json& json) { return config::app_from_json(json); }});
  }
  test::TempDir home_;
  RealFs files_;
  const std::string path_ = home_.path() + "/run.json";
};

TEST_F(RunFileTest, SaysAppsSecretsAndHowLinesArePrinted) {
  const auto file = read(
      R"({"apps":[{"name":"a","script":"/a"},{"name":"b","script":"/b","instances":2}],
          "ship_secrets":{"0123456789abcdef":"s"},"output":"json"})");
  ASSERT_TRUE(file) << file.error().message();
  ASSERT_EQ(file->apps.size(), 2U);
  EXPECT_EQ(file->apps[1].instances, 2);
  EXPECT_EQ(file->ship_secrets.at("0123456789abcdef"), "s");
  EXPECT_EQ(file->style, supervisor::EchoStyle::kJson);
}

TEST_F(RunFileTest, IsRefusedWholeWhereAnythingIsWrong) {
  for (const char* const wrong :
       {"", "{}", R"({"apps":[]})", R"({"apps":[{"kill_timeout":"never"}]})",
        R"({"apps":[{"name":"a"}],"ship_secrets":[1]})"})
    EXPECT_FALSE(read(wrong)) << wrong;
}

TEST(EchoSourcesTest, AreEachLogOnceInTheOrderOfTheApps) {
  AppSpec web, job;
  web.name = "web";
  web.instances = 2;
  web.instances_given = true;
  job.name = "job";
  job.out_file = job.error_file = "/var/log/job.log";
  const auto sources = echo_sources({web, job}, "/logs");
  std::vector<std::string> paths;
  for (const auto& source : sources)
    paths.push_back(source.app_name + " " + std::to_string(source.fd) + " " + source.log_path +
                    (source.both_kinds ? " both" : ""));
  EXPECT_EQ(paths,
            (std::vector<std::string>{"web 1 /logs/web-out-0.log", "web 2 /logs/web-error-0.log",
                                      "web 1 /logs/web-out-1.log", "web 2 /logs/web-error-1.log",
                                      "job 1 /var/log/job.log both"}));
}

}  // namespace
}  // namespace pmx::api
