#include "keeper/command_line.h"

#include <gmock/gmock.h>

namespace pmx::keeper {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CommandLineTest, ReadsWhatADaemonSaysToItsNextKeeper) {
  const auto line = parse({"--adopt", "9", "--lock-fd", "8", "--home", "/h", "--daemon", "/bin/pmx",
                           "--foreground", "--", "--home", "x"});
  ASSERT_TRUE(line);
  EXPECT_EQ(line->adopt_fd, 9);
  EXPECT_EQ(line->lock_fd, 8);
  EXPECT_EQ(line->home, "/h");
  EXPECT_EQ(line->daemon, "/bin/pmx");
  EXPECT_TRUE(line->foreground);
  EXPECT_THAT(line->extra, ElementsAre("--home", "x"));
}

TEST(CommandLineTest, NamesWhatItCannotUse) {
  const auto complaint = [](const std::vector<std::string>& arguments) {
    const auto line = parse(arguments);
    return line ? "" : line.error().message();
  };
  EXPECT_THAT(complaint({"--home", "relative", "--daemon", "/d"}), HasSubstr("--home"));
  EXPECT_THAT(complaint({"--home", "/h"}), HasSubstr("--daemon"));
  EXPECT_THAT(complaint({"--home"}), HasSubstr("--home needs a value"));
  EXPECT_THAT(complaint({"--hom", "/h"}), HasSubstr("--hom"));
  EXPECT_THAT(complaint({"--adopt", "1"}), HasSubstr("--adopt 1"));
  EXPECT_THAT(complaint({"--lock-fd", "x"}), HasSubstr("--lock-fd x"));
}

TEST(CommandLineTest, AnswersHelpAndVersionWithoutAHome) {
  EXPECT_TRUE(parse({"--help"})->help);
  EXPECT_TRUE(parse({"--version"})->version);
}

}  // namespace
}  // namespace pmx::keeper
