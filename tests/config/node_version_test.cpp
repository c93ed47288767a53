#include "config/node_version.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/fs.h"

namespace pmx::config {
namespace {

class NodeVersionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pmx-node-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  // A node that says `version` and counts how often it was asked.
  void install(const std::string& version) {
    ASSERT_TRUE(RealFs().replace_file(
        node(), "#!/bin/sh\necho x >>" + root_ + "/asked\necho " + version + "\n", 0755));
  }
  std::string node() const { return root_ + "/node"; }
  std::string version() { return node_version(node(), root_ + "/cache.json").value_or("none"); }
  std::size_t times_asked() {
    const auto text = RealFs().read_file(root_ + "/asked");
    return text ? text->size() / 2 : 0;
  }
  std::string root_;
};

TEST_F(NodeVersionTest, AsksAProgramOnce) {
  install("v20.1.0");
  EXPECT_EQ(version(), "20.1.0");
  EXPECT_EQ(version(), "20.1.0");
  EXPECT_EQ(times_asked(), 1U);
}

TEST_F(NodeVersionTest, AsksAgainWhenAnotherProgramIsThere) {
  install("v20.1.0");
  EXPECT_EQ(version(), "20.1.0");
  install("v22.10.3");
  EXPECT_EQ(version(), "22.10.3");
}

TEST_F(NodeVersionTest, KnowsNothingOfWhatDoesNotSay) {
  EXPECT_EQ(version(), "none");
  install("usage: node");
  EXPECT_EQ(version(), "none");
}

TEST_F(NodeVersionTest, DoesWithoutACacheThatCannotBeWritten) {
  install("v18.0.0");
  EXPECT_EQ(node_version(node(), root_ + "/none/cache.json"), "18.0.0");
  ASSERT_TRUE(RealFs().replace_file(root_ + "/cache.json", "no json"));
  EXPECT_EQ(version(), "18.0.0");
}

TEST(IsAtLeastTest, ComparesNumbersNotText) {
  EXPECT_TRUE(is_at_least("22.6.0", 22, 6));
  EXPECT_TRUE(is_at_least("22.10.0", 22, 6));
  EXPECT_TRUE(is_at_least("100.0.0", 22, 6));
  EXPECT_FALSE(is_at_least("22.5.9", 22, 6));
  EXPECT_FALSE(is_at_least("9.99.0", 12, 12));
  EXPECT_FALSE(is_at_least("nightly", 0, 0));
}

}  // namespace
}  // namespace pmx::config
