// A folder of a test's own, with a neighbour that holds a secret.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/fs.h"
#include "support/temp_dir.h"

namespace pmx::http::test {

class FolderTest : public ::testing::Test {
 protected:
  FolderTest() {
    std::filesystem::create_directory(folder_);
    EXPECT_TRUE(RealFs().replace_file(root_ + "/secret.txt", "secret"));
  }

  void file(const std::string& path, std::string_view text) {
    const std::string whole = folder_ + "/" + path;
    std::filesystem::create_directories(std::filesystem::path(whole).parent_path());
    EXPECT_TRUE(RealFs().replace_file(whole, text));
  }
  void link(const std::string& path, const std::string& target) {
    std::filesystem::create_symlink(target, folder_ + "/" + path);
  }

  pmx::test::TempDir directory_;
  std::string root_ = directory_.path(), folder_ = root_ + "/site";
};

}  // namespace pmx::http::test
