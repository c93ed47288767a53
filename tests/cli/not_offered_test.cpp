#include "cli/not_offered.h"

#include <gtest/gtest.h>

#include "cli/command_table.h"

namespace pmx::cli {
namespace {

TEST(NotOfferedTest, EachWordOfPm2SaysWhatThereIsInstead) {
  for (const char* const word : {"link", "plus", "unlink", "monitor", "uninstall", "module:install",
                                 "deploy", "inspect", "profile:cpu", "pull", "logrotate"}) {
    const NotOffered* const row = find_not_offered(word);
    ASSERT_NE(row, nullptr) << word;
    EXPECT_FALSE(row->line.empty());
  }
}

TEST(NotOfferedTest, WhatSetUpScriptsCallIsHarmless) {
  EXPECT_TRUE(find_not_offered("unmonitor")->harmless);
  EXPECT_FALSE(find_not_offered("deploy")->harmless);
}

TEST(NotOfferedTest, NothingIsBothACommandAndNotOffered) {
  for (const std::string_view name : command_names())
    EXPECT_EQ(find_not_offered(name), nullptr) << name;
}

TEST(NotOfferedTest, OtherWordsAreNotKnown) {
  EXPECT_EQ(find_not_offered(""), nullptr);
  EXPECT_EQ(find_not_offered("lin"), nullptr);
  EXPECT_EQ(find_not_offered("link plus"), nullptr);
}

}  // namespace
}  // namespace pmx::cli
