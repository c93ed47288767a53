#include "base/path.h"

#include <gtest/gtest.h>

namespace pmx {
namespace {

TEST(PathTest, IsAbsoluteAndNormalWithoutASlashAtItsEnd) {
  EXPECT_EQ(absolute_path("/srv", "app.js"), "/srv/app.js");
  EXPECT_EQ(absolute_path("/srv/", "./a/../b/"), "/srv/b");
  EXPECT_EQ(absolute_path("/srv", "/etc/x"), "/etc/x");
  EXPECT_EQ(absolute_path("/srv", "."), "/srv");
  EXPECT_EQ(absolute_path("/srv", ""), "/srv");
  EXPECT_EQ(absolute_path("/", "/"), "/");
  EXPECT_EQ(absolute_path("/srv", "../../.."), "/");
}

TEST(PathTest, KnowsAHomeDirectoryWhereItIsGiven) {
  EXPECT_EQ(absolute_path("/srv", "~/logs", "/home/a"), "/home/a/logs");
  EXPECT_EQ(absolute_path("/srv", "~", "/home/a"), "/home/a");
  EXPECT_EQ(absolute_path("/srv", "~b/x", "/home/a"), "/srv/~b/x");
  EXPECT_EQ(absolute_path("/srv", "~/logs"), "/srv/~/logs");
}

TEST(PathTest, HasABaseNameAlsoWithoutADirectory) {
  EXPECT_EQ(base_name("/usr/bin/node"), "node");
  EXPECT_EQ(base_name("node"), "node");
  EXPECT_EQ(base_name("/usr/bin/"), "");
  EXPECT_EQ(base_name(""), "");
}

}  // namespace
}  // namespace pmx
