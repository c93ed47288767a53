#include "supervisor/ignore_rules.h"

#include <gtest/gtest.h>

namespace pmx::supervisor {
namespace {

class IgnoreRulesTest : public ::testing::Test {
 protected:
  static constexpr const char* kCwd = "/srv/app";
  // Of a path below cwd, which is the root too.
  static bool ignores(const std::vector<std::string>& entries, const std::string& relative) {
    return IgnoreRules(entries, kCwd).matches(std::string(kCwd) + "/" + relative, relative);
  }
  static bool ignores(const std::string& entry, const std::string& relative) {
    return ignores(std::vector{entry}, relative);
  }
  static std::string mistake(const std::string& entry) {
    const auto checked = IgnoreRules::check(entry);
    return checked ? "" : checked.error().message();
  }
};

TEST_F(IgnoreRulesTest, AlwaysPassesOverDotsAndNodeModules) {
  const std::vector<std::string> none;
  for (const char* path : {".env", ".git/index", "src/.a.js.swp", "node_modules", "node_modules/x",
                           "lib/node_modules/x/y.js"})
    EXPECT_TRUE(ignores(none, path)) << path;
  for (const char* path : {"a.js", "src/a.b.js", "node_modules2", "my_node_modules/x"})
    EXPECT_FALSE(ignores(none, path)) << path;
}

TEST_F(IgnoreRulesTest, CountsNamesBelowTheRootOnly) {
  const IgnoreRules rules({"srv"}, kCwd);
  EXPECT_FALSE(rules.matches("/srv/app/a.js", "a.js"));
  EXPECT_FALSE(rules.matches("/srv/app/.config/a.js", "a.js"));  // .config is the root.
  EXPECT_FALSE(rules.matches("/srv/app", ""));
}

TEST_F(IgnoreRulesTest, TakesAPlainNameForThatNameAnywhere) {
  for (const char* path : {"tmp", "tmp/a", "src/tmp/a"}) EXPECT_TRUE(ignores("tmp", path)) << path;
  for (const char* path : {"tmp2/a", "src/tmp.js", "atmp"})
    EXPECT_FALSE(ignores("tmp", path)) << path;
  EXPECT_TRUE(ignores("logs/", "src/logs/a"));
}

TEST_F(IgnoreRulesTest, TakesAPathWithAllBelowIt) {
  for (const char* entry : {"build/out", "./build/out/", "/srv/app/build/out", "x/../build/out"}) {
    EXPECT_TRUE(ignores(entry, "build/out")) << entry;
    EXPECT_TRUE(ignores(entry, "build/out/a")) << entry;
    EXPECT_FALSE(ignores(entry, "build/output")) << entry;
    EXPECT_FALSE(ignores(entry, "lib/build/out")) << entry;
  }
  EXPECT_TRUE(ignores("./tmp", "tmp/a"));
  EXPECT_FALSE(ignores("./tmp", "src/tmp/a"));
  EXPECT_TRUE(IgnoreRules({"/var/log/"}, kCwd).matches("/var/log/x", "x"));
}

TEST_F(IgnoreRulesTest, TakesAGlobOfANameAnywhere) {
  EXPECT_TRUE(ignores("*.log", "a.log"));
  EXPECT_TRUE(ignores("*.log", "src/deep/a.log"));
  EXPECT_FALSE(ignores("*.log", "a.log.js"));
  EXPECT_TRUE(ignores("a?c", "abc"));
  EXPECT_FALSE(ignores("a?c", "ac"));
  EXPECT_TRUE(ignores("a[0-9].js", "a7.js"));
  EXPECT_FALSE(ignores("a[!0-9].js", "a7.js"));
  EXPECT_TRUE(ignores("*.{css,html}", "a.html"));
  EXPECT_FALSE(ignores("*.{css,html}", "a.htm"));
  EXPECT_TRUE(ignores("[]]x", "]x"));
  EXPECT_TRUE(ignores("a\\*b*", "a*bc"));
}

TEST_F(IgnoreRulesTest, TakesAGlobWithASlashForThePath) {
  EXPECT_TRUE(ignores("src/*.js", "src/a.js"));
  EXPECT_FALSE(ignores("src/*.js", "src/b/a.js"));
  EXPECT_FALSE(ignores("src/*.js", "lib/src/a.js"));
  EXPECT_TRUE(ignores("src/**", "src/b/a.js"));
  EXPECT_FALSE(ignores("src/**", "src"));
  EXPECT_TRUE(ignores("**/out/*.js", "out/a.js"));
  EXPECT_TRUE(ignores("**/out/*.js", "a/b/out/a.js"));
  EXPECT_TRUE(ignores("./*.js", "a.js"));
  EXPECT_FALSE(ignores("./*.js", "src/a.js"));
  EXPECT_TRUE(ignores("/srv/*/out", "out"));
}

TEST_F(IgnoreRulesTest, TakesWhatStandsBetweenSlashesForAnExpression) {
  EXPECT_TRUE(ignores("/\\.(tmp|bak)$/", "src/a.bak"));
  EXPECT_FALSE(ignores("/\\.(tmp|bak)$/", "src/a.bak.js"));
  EXPECT_TRUE(ignores("/^src\\/gen/", "src/generated.js"));
  EXPECT_FALSE(ignores("/^src\\/gen/", "lib/src/generated.js"));
  EXPECT_TRUE(ignores("/[/]gen[.]js/", "lib/gen.js"));
}

TEST_F(IgnoreRulesTest, AsksARootOutsideOfCwdByThePathBelowIt) {
  const IgnoreRules rules({"gen/*.js", "/^gen/"}, kCwd);
  EXPECT_TRUE(rules.matches("/opt/lib/gen/a.js", "gen/a.js"));
  EXPECT_FALSE(rules.matches("/opt/lib/a/b.js", "a/b.js"));
}

TEST_F(IgnoreRulesTest, PassesOverPathsThatWereAdded) {
  IgnoreRules rules({}, kCwd);
  rules.add_path("/srv/app/home");
  EXPECT_TRUE(rules.matches("/srv/app/home/state", "home/state"));
  EXPECT_FALSE(rules.matches("/srv/app/homes", "homes"));
}

TEST_F(IgnoreRulesTest, SaysWhichEntryIsNone) {
  EXPECT_EQ(mistake("tmp"), "");
  EXPECT_EQ(mistake("[\\/\\\\]\\./"), "");  // Of PM2's documentation.
  EXPECT_EQ(mistake("/a(b/"),
            "\"/a(b/\" is no name, path, glob or /regular expression/: missing ): a(b");
  for (const char* entry : {"", "!src", "a[b", "a{b,c", "/(?=x)/", "[z-a]"})
    EXPECT_NE(mistake(entry).find("\"" + std::string(entry) + "\" is no name"), std::string::npos)
        << entry;
  EXPECT_FALSE(ignores("/a(b/", "a(b"));  // Not a crash.
}

}  // namespace
}  // namespace pmx::supervisor
