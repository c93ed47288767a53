#include "cli/help_text.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

TEST(HelpTextTest, ListsEveryCommandThatIsNotHidden) {
  const std::string text = usage_text();
  for (const Command& command : commands())
    if (!command.summary.empty()) {
      EXPECT_NE(text.find("  " + std::string(command.name)), std::string::npos) << command.name;
    }
  EXPECT_EQ(text.find("docs <"), std::string::npos);
}

TEST(HelpTextTest, ShowsTheOptionsOfOneCommand) {
  const std::string text = usage_text(*find_command("logs"));
  EXPECT_EQ(text.find("Usage: pmx logs"), 0U);
  EXPECT_NE(text.find("--since <time>"), std::string::npos);
  EXPECT_EQ(text.find("--rotate-max-size"), std::string::npos);
}

TEST(HelpTextTest, WritesTroffWithoutBareDashes) {
  const std::string man = man_page();
  EXPECT_EQ(man.find(".TH PMX 1"), 0U);
  EXPECT_NE(man.find("\\-\\-rotate\\-max\\-size"), std::string::npos);
  EXPECT_EQ(man.find(" --"), std::string::npos);
  for (const char* name : {".B pmx ship", ".B PMX_SHIP\n", "\\-\\-ship"})
    EXPECT_NE(man.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace pmx::cli
