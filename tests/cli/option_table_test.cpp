#include "cli/option_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "cli/command_table.h"

namespace pmx::cli {
namespace {

TEST(OptionTableTest, SpellsNoTwoOptionsAlike) {
  std::set<std::string> seen;
  for (const OptionRow& row : all_options()) {
    std::string name;
    for (const char c : std::string(row.names) + ",") {
      if (c != ',') {
        name += c;
        continue;
      }
      EXPECT_TRUE(seen.insert(name).second) << name;
      name.clear();
    }
  }
}

TEST(OptionTableTest, HasEveryOptionThatACommandNames) {
  for (const Command& command : commands()) {
    std::string word;
    for (const char c : std::string(command.options) + " ") {
      if (c != ' ') {
        word += c;
        continue;
      }
      if (!word.empty()) {
        EXPECT_FALSE(options_of(word).empty()) << command.name << ": " << word;
      }
      word.clear();
    }
  }
}

TEST(OptionTableTest, AddsTheSettingsOfAppsForApp) {
  EXPECT_GT(options_of("app").size(), 30U);
  EXPECT_EQ(options_of("sort").size(), 1U);
}

}  // namespace
}  // namespace pmx::cli
