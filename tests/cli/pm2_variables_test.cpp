#include "cli/pm2_variables.h"

#include <gmock/gmock.h>

namespace pmx::cli {
namespace {

TEST(Pm2VariablesTest, SayWhatTheirKeysSay) {
  AppSpec defaults;
  EXPECT_THAT(apply_pm2_variables({{"PM2_KILL_SIGNAL", "SIGTERM"},
                                   {"PM2_KILL_TIMEOUT", "30000"},
                                   {"PM2_KILL_USE_MESSAGE", "true"},
                                   {"PM2_GRACEFUL_LISTEN_TIMEOUT", "9000"},
                                   {"PM2_PROCESS_INSTANCE_VAR", "WORKER"}},
                                  defaults),
              testing::IsEmpty());
  EXPECT_EQ(defaults.kill_signal, "SIGTERM");
  EXPECT_EQ(defaults.kill_timeout, std::chrono::seconds(30));
  EXPECT_TRUE(defaults.shutdown_with_message);
  EXPECT_EQ(defaults.listen_timeout, std::chrono::seconds(9));
  EXPECT_EQ(defaults.instance_var, "WORKER");
}

TEST(Pm2VariablesTest, OthersAndEmptyOnesChangeNothing) {
  AppSpec defaults;
  EXPECT_THAT(apply_pm2_variables({{"PM2_HOME", "/x"}, {"PM2_KILL_SIGNAL", ""}}, defaults),
              testing::IsEmpty());
  EXPECT_EQ(defaults.kill_signal, AppSpec().kill_signal);
}

TEST(Pm2VariablesTest, AWrongValueIsSaidAndCountsForNothing) {
  AppSpec defaults;
  EXPECT_THAT(
      apply_pm2_variables({{"PM2_KILL_TIMEOUT", "soon"}}, defaults),
      testing::ElementsAre(testing::StartsWith(
          "The environment's PM2_KILL_TIMEOUT counts for nothing: kill_timeout: \"soon\"")));
  EXPECT_EQ(defaults.kill_timeout, AppSpec().kill_timeout);
}

}  // namespace
}  // namespace pmx::cli
