#include "cli/daemon_command.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

using Strings = std::vector<std::string>;

TEST(DaemonCommandTest, ReadsWhatTheKeeperWrites) {
  const Result<api::DaemonOptions> options = parse_daemon_options(
      {"--home", "/h", "--keeper-exe", "/bin/k", "--keeper-fd", "7"}, "/bin/pmx");
  ASSERT_TRUE(options) << options.error().message();
  EXPECT_EQ(options->home, "/h");
  EXPECT_EQ(options->keeper_fd, 7);
  EXPECT_EQ(options->keeper_arguments, (Strings{"--home", "/h", "--daemon", "/bin/pmx"}));
}

TEST(DaemonCommandTest, GivesTheNextKeeperTheForegroundAppToo) {
  const Result<api::DaemonOptions> options = parse_daemon_options(
      {"--home", "/h", "--keeper-exe", "/bin/k", "--keeper-fd", "7", "--run", "/h/state/run.json"},
      "/bin/pmx");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->run_file, "/h/state/run.json");
  EXPECT_EQ(options->keeper_arguments,
            (Strings{"--home", "/h", "--daemon", "/bin/pmx", "--foreground", "--", "--run",
                     "/h/state/run.json"}));
}

TEST(DaemonCommandTest, RefusesToBeStartedByHand) {
  EXPECT_FALSE(parse_daemon_options({}, "/bin/pmx"));
  EXPECT_FALSE(parse_daemon_options({"--home"}, "/bin/pmx"));
  EXPECT_FALSE(parse_daemon_options({"--home", "/h", "--keeper-fd", "x"}, "/bin/pmx"));
  EXPECT_FALSE(parse_daemon_options({"--shout", "/h"}, "/bin/pmx"));
}

}  // namespace
}  // namespace pmx::cli
