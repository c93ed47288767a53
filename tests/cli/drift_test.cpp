#include "cli/drift.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

TEST(EnvDifferenceTest, NamesWhatTheShellHasOtherwise) {
  const EnvDifference difference =
      env_difference({{"SAME", "1"}, {"URL", "a"}, {"OLD", "1"}, {"OWN", "1"}}, {"OWN"},
                     {{"SAME", "1"}, {"URL", "b"}, {"NEW", "1"}, {"OWN", "2"}});
  EXPECT_EQ(text_of(difference), "URL, new: NEW, gone: OLD");
  EXPECT_EQ(text_of(EnvDifference()), "");
}

TEST(EnvDifferenceTest, PassesOverWhatIsOfATerminal) {
  const EnvDifference difference =
      env_difference({{"PWD", "/a"}, {"SSH_TTY", "1"}, {"pm_id", "3"}}, {},
                     {{"PWD", "/b"}, {"SHLVL", "2"}, {"npm_config_x", "1"}, {"_", "x"}});
  EXPECT_EQ(text_of(difference), "");
}

TEST(EnvDifferenceTest, NamesAFewAndCountsTheRest) {
  Environment shell;
  for (int i = 10; i < 22; ++i) shell["V" + std::to_string(i)] = "";
  EXPECT_EQ(text_of(env_difference({}, {}, shell)),
            "new: V10, V11, V12, V13, V14, V15, V16, V17 and 4 more");
}

TEST(SpecDifferenceTest, NamesKeysAndOwnVariables) {
  AppSpec running, file;
  running.own_env = {"GONE", "URL", "SAME"};
  running.env = {{"GONE", "1"}, {"URL", "a"}, {"SAME", "1"}, {"SHELL", "1"}};
  file.own_env = {"URL", "NEW", "SAME"};
  file.env = {{"URL", "b"}, {"NEW", "1"}, {"SAME", "1"}, {"SHELL", "2"}};
  file.rotate.retain = 3;
  file.kill_timeout = std::chrono::milliseconds(5000);
  running.config.hash = "1";
  running.other.set("watch", true);
  EXPECT_EQ(spec_difference(running, file),
            (std::vector<std::string>{"rotate.retain", "kill_timeout", "watch", "env.GONE",
                                      "env.NEW", "env.URL"}));
  EXPECT_TRUE(spec_difference(running, running).empty());
}

}  // namespace
}  // namespace pmx::cli
