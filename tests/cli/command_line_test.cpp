#include "cli/command_line.h"

#include <gtest/gtest.h>

#include "cli/option_table.h"

namespace pmx::cli {
namespace {

using Strings = std::vector<std::string>;

CommandLine parse(Strings words) {
  const Result<CommandLine> line = parse_command_line(all_options(), std::move(words));
  EXPECT_TRUE(line) << line.error().message();
  return line ? *line : CommandLine();
}

TEST(CommandLineTest, TakesOptionsBeforeAndAfterTheCommand) {
  const CommandLine line = parse({"-s", "start", "--name", "web", "app.js", "-i", "4"});
  EXPECT_EQ(line.words, (Strings{"start", "app.js"}));
  EXPECT_TRUE(line.has("silent"));
  EXPECT_EQ(line.value("name"), "web");
  EXPECT_EQ(line.value("instances"), "4");
}

TEST(CommandLineTest, GivesTheAppWhatFollowsTwoDashes) {
  const CommandLine line = parse({"start", "app.js", "--", "--name", "x", "--", "-y"});
  EXPECT_EQ(line.words, (Strings{"start", "app.js"}));
  EXPECT_EQ(line.app_args, (Strings{"--name", "x", "--", "-y"}));
  EXPECT_FALSE(line.has("name"));
  EXPECT_TRUE(parse({"start", "a", "--"}).has_app_args);
}

TEST(CommandLineTest, UnderstandsEachSpellingOfAnOption) {
  EXPECT_EQ(parse({"-nweb"}).value("name"), "web");
  EXPECT_EQ(parse({"-n", "web"}).value("name"), "web");
  EXPECT_EQ(parse({"--name=web"}).value("name"), "web");
  EXPECT_EQ(parse({"--cron-restart", "0 0 * * *"}).value("cron"), "0 0 * * *");
}

TEST(CommandLineTest, TakesAValueThatBeginsWithADash) {
  EXPECT_EQ(parse({"start", "a.js", "-i", "-1"}).value("instances"), "-1");
  EXPECT_EQ(parse({"start", "a.js", "--node-args", "--harmony -x"}).value("node-args"),
            "--harmony -x");
  EXPECT_EQ(parse({"start", "a.js", "--node-args=--harmony"}).value("node-args"), "--harmony");
}

TEST(CommandLineTest, LetsAnOptionalValueBeLeftOut) {
  const CommandLine line = parse({"start", "a.js", "-l"});
  EXPECT_TRUE(line.has("log"));
  EXPECT_EQ(line.value("log"), "");
  EXPECT_EQ(parse({"start", "a.js", "-l", "x.log"}).value("log"), "x.log");
  EXPECT_EQ(parse({"logs", "--timestamp", "--raw"}).value("timestamp"), "");
}

TEST(CommandLineTest, KeepsEveryValueOfARepeatedOption) {
  EXPECT_EQ(parse({"--filter-env", "A", "--filter-env", "B"}).values("filter-env"),
            (Strings{"A", "B"}));
  EXPECT_EQ(parse({"--name", "a", "--name", "b"}).value("name"), "b");
}

TEST(CommandLineTest, KeepsBracketsAndDashesAsWords) {
  EXPECT_EQ(parse({"start", "[a,b]", "-"}).words, (Strings{"start", "[a,b]", "-"}));
  EXPECT_EQ(parse({"start", "--name", "[a]"}).value("name"), "[a]");
}

TEST(CommandLineTest, RefusesAnUnknownOptionWithASuggestion) {
  const Result<CommandLine> line =
      parse_command_line(all_options(), {"start", "a.js", "--nmae", "x"});
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().message(), "unknown option `--nmae' (did you mean \"--name\"?)");
}

TEST(CommandLineTest, RefusesAnOptionWithoutItsValue) {
  EXPECT_FALSE(parse_command_line(all_options(), {"start", "a.js", "--name"}));
}

}  // namespace
}  // namespace pmx::cli
