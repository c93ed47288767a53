#include "supervisor/env_files.h"

#include <gtest/gtest.h>

#include "base/fs.h"
#include "support/temp_dir.h"

namespace pmx::supervisor {
namespace {

class EnvFilesTest : public ::testing::Test {
 protected:
  EnvFilesTest() { app_.name = "web"; }
  void write(const std::string& name, std::string_view text) {
    ASSERT_TRUE(RealFs().replace_file(dir_ / name, text));
  }
  std::string error() {
    const auto read = read_env_files(app_, std::nullopt);
    return read ? "read" : read.error().message();
  }
  test::TempDir dir_;
  AppSpec app_;
};

TEST_F(EnvFilesTest, LaterFilesStandOverEarlierOnes) {
  write("a", "A=1\nB=1\n");
  write("b", "B=2\n");
  app_.env_file = {dir_ / "a", dir_ / "b"};
  EXPECT_EQ(*read_env_files(app_, std::nullopt), (Variables{{"A", "1"}, {"B", "2"}}));
}

TEST_F(EnvFilesTest, AFileMayBeMissingOnlyWhereItIsSaid) {
  app_.env_file = {dir_ / "none?"};
  EXPECT_EQ(read_env_files(app_, std::nullopt)->size(), 0U);
  app_.env_file = {dir_ / "none"};
  EXPECT_EQ(error(), "env_file " + (dir_ / "none") + " of app web is not there: make it, or name " +
                         "it " + (dir_ / "none") + "? where it may be missing");
  write("there", "A=1");
  app_.env_file = {dir_ / "there?"};
  EXPECT_EQ(read_env_files(app_, std::nullopt)->size(), 1U);
}

TEST_F(EnvFilesTest, AMistakeInAFileIsSaidWithItsLineAndWithoutItsWords) {
  write("bad", "A=1\nPASSWORD s3cret\n");
  app_.env_file = {dir_ / "bad"};
  EXPECT_EQ(error(), "env_file " + (dir_ / "bad") +
                         " of app web: line 2: expected NAME=value, a comment or an empty line");
  app_.env_file = {dir_.path()};
  EXPECT_EQ(error(), "env_file of app web: " + dir_.path() + " is no regular file");
}

}  // namespace
}  // namespace pmx::supervisor
