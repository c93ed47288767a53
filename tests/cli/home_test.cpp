#include "cli/home.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/sys.h"

namespace pmx::cli {
namespace {

TEST(HomeTest, PrefersPmxHomeToPm2HomeToTheUsers) {
  Environment env{{"HOME", "/home/me"}};
  EXPECT_EQ(*choose_home(env, "/usr/bin/pmx", "/"), "/home/me/.pmx");
  EXPECT_EQ(*choose_home(env, "/usr/bin/pm2", "/"), "/home/me/.pm2");
  EXPECT_EQ(*choose_home(env, "pm2-runtime", "/"), "/home/me/.pm2");
  env["PM2_HOME"] = "/srv/pm2/";
  EXPECT_EQ(*choose_home(env, "pmx", "/"), "/srv/pm2");
  env["PMX_HOME"] = "here";
  EXPECT_EQ(*choose_home(env, "pmx", "/work"), "/work/here");
}

TEST(HomeTest, IgnoresPm2sHomeForRun) {
  EXPECT_EQ(*choose_run_home({{"HOME", "/h"}, {"PM2_HOME", "/p"}}, "/"), "/h/.pmx");
  EXPECT_EQ(*choose_run_home({{"HOME", "/h"}, {"PMX_HOME", "/x"}}, "/"), "/x");
}

TEST(HomeTest, RefusesAPathThatNoSocketFitsIn) {
  EXPECT_FALSE(choose_home({{"PMX_HOME", "/" + std::string(200, 'a')}}, "pmx", "/"));
}

TEST(ShellDirectoryTest, KeepsALinkAsTheShellNamesIt) {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("pmx-home-" + std::to_string(::getpid()));
  std::filesystem::create_directories(root / "releases/1");
  std::filesystem::create_directory_symlink("releases/1", root / "current");
  const std::string real = root / "releases/1", link = root / "current";
  EXPECT_EQ(shell_directory({{"PWD", link}}, real), link);
  EXPECT_EQ(shell_directory({{"PWD", "/"}}, real), real);
  EXPECT_EQ(shell_directory({{"PWD", "current"}}, real), real);
  EXPECT_EQ(shell_directory({}, real), real);
  std::filesystem::remove_all(root);
}

TEST(HomeTest, RefusesAHomeInWhichPm2Answers) {
  std::string root = (std::filesystem::temp_directory_path() / "pmx-home-XXXXXX").string();
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  EXPECT_TRUE(refuse_pm2_home(root));
  {
    const Result<Fd> listener = sys::listen_unix(root + "/rpc.sock", 0600);
    ASSERT_TRUE(listener);
    const Result<void> refused = refuse_pm2_home(root);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message().find("a PM2 daemon lives in " + root), 0U);
  }
  EXPECT_TRUE(refuse_pm2_home(root));  // A socket that a dead daemon has left.
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace pmx::cli
