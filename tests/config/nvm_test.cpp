#include "config/internal/nvm.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/fs.h"

namespace pmx::config {
namespace {

class NvmTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pmx-nvm-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    for (const char* version : {"v20.9.0", "v20.11.1", "v18.2.0", "v9.0.0"}) install(version);
    std::filesystem::create_directories(root_ + "/versions/node/v22.0.0");  // Not finished.
    write("alias/default", "lts/iron\n");
    write("alias/lts/iron", "v20.9.0\n");
    write("alias/lost", "lost\n");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, std::string_view text) {
    const std::string path = root_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    ASSERT_TRUE(RealFs().replace_file(path, text, 0755));
  }
  void install(const std::string& version) {
    write("versions/node/" + version + "/bin/node", "#!/bin/sh\n");
  }
  std::string found(std::string_view wanted) {
    const auto node = nvm_node(root_, wanted);
    if (!node) return "none";
    const std::size_t begin = (root_ + "/versions/node/").size();
    return node->substr(begin, node->find('/', begin) - begin);
  }
  std::string root_;
};

TEST_F(NvmTest, FindsTheNewestVersionThatIsMeant) {
  EXPECT_EQ(found("20"), "v20.11.1");
  EXPECT_EQ(found("v20.9"), "v20.9.0");
  EXPECT_EQ(found("18.2.0"), "v18.2.0");
  EXPECT_EQ(found(""), "v20.11.1");
}

TEST_F(NvmTest, FollowsItsAliases) {
  EXPECT_EQ(found("default"), "v20.9.0");
  EXPECT_EQ(found("lts/iron"), "v20.9.0");
}

TEST_F(NvmTest, FindsNothingForWhatIsNotInstalled) {
  for (const char* wanted : {"22", "20.10", "2", "lost", "../../x", "20.9.0.1", "abc"})
    EXPECT_EQ(found(wanted), "none") << wanted;
  EXPECT_FALSE(nvm_node("", "20"));
  EXPECT_FALSE(nvm_node("/nonexistent", ""));
}

TEST_F(NvmTest, SortsVersionsByNumber) {
  EXPECT_EQ(nvm_versions(root_),
            (std::vector<std::string>{"v9.0.0", "v18.2.0", "v20.9.0", "v20.11.1", "v22.0.0"}));
}

TEST(NvmDirectoryTest, IsTheVariablesOrBelowTheHome) {
  EXPECT_EQ(nvm_directory("/opt/nvm", "/root"), "/opt/nvm");
  EXPECT_EQ(nvm_directory("", "/root"), "/root/.nvm");
  EXPECT_EQ(nvm_directory("", ""), "");
}

}  // namespace
}  // namespace pmx::config
