#include "cli/completion.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/fs.h"
#include "cli/command_table.h"

namespace pmx::cli {
namespace {

TEST(CompletionTest, NamesEveryCommandInEveryShell) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Result<std::string> script = completion_script(shell);
    ASSERT_TRUE(script);
    for (const Command& command : commands())
      if (!command.summary.empty()) {
        EXPECT_NE(script->find(std::string(command.name)), std::string::npos);
      }
    EXPECT_NE(script->find("rotate-max-size"), std::string::npos) << shell;
  }
}

TEST(CompletionTest, OffersTheWordsOfAChoice) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_NE(completion_script(shell)->find("status test pause resume retry"), std::string::npos)
        << shell;
    EXPECT_NE(completion_script(shell)->find("bash zsh fish"), std::string::npos) << shell;
  }
}

TEST(CompletionTest, PrintsBashThatBashCanRead) {
  const std::string file =
      (std::filesystem::temp_directory_path() / "pmx-completion-test.bash").string();
  ASSERT_TRUE(RealFs().replace_file(file, *completion_script("bash")));
  EXPECT_EQ(std::system(("bash -n " + file).c_str()), 0);
  std::filesystem::remove(file);
}

TEST(CompletionTest, RefusesAnotherShell) { EXPECT_FALSE(completion_script("csh")); }

}  // namespace
}  // namespace pmx::cli
