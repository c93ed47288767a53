#include "cli/command_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace pmx::cli {
namespace {

TEST(CommandTableTest, FindsACommandByNameAndAlias) {
  for (const char* name : {"list", "ls", "l", "ps", "status"})
    EXPECT_EQ(find_command(name)->name, "list");
  EXPECT_EQ(find_command("log")->name, "logs");
  EXPECT_EQ(find_command("del")->name, "delete");
  EXPECT_EQ(find_command("nonsense"), nullptr);
  EXPECT_EQ(find_command("ls l"), nullptr);
  EXPECT_EQ(find_command(""), nullptr);
}

TEST(CommandTableTest, CallsNoTwoCommandsAlike) {
  std::set<std::string_view> seen;
  for (const std::string_view name : command_names()) EXPECT_TRUE(seen.insert(name).second) << name;
}

TEST(CommandTableTest, GivesEveryCommandAHandlerAndItsOwnUsage) {
  for (const Command& command : commands()) {
    EXPECT_NE(command.handler, nullptr);
    EXPECT_TRUE(command.usage.starts_with(command.name)) << command.name;
  }
}

TEST(CommandTableTest, HidesWhatIsForBuildsOnly) {
  const auto names = command_names();
  EXPECT_EQ(std::count(names.begin(), names.end(), "docs"), 0);
  EXPECT_NE(find_command("docs"), nullptr);
}

}  // namespace
}  // namespace pmx::cli
