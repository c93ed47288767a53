#include "api/dump_file.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace pmx::test {
namespace {

class DumpFileTest : public testing::Test {
 protected:
  static Json list(const std::string& name) {
    Json entries = Json::array();
    entries.push_back(Json::object({{"name", name}}));
    return entries;
  }
  std::string loaded() {
    notices_.clear();
    const auto entries = dump_.load(notices_);
    return entries ? entries->dump() : entries.error().message();
  }
  std::string text(const char* name) { return *files_.read_file(home_.path() + name); }

  TempDir home_;
  RealFs files_;
  api::DumpFile dump_{home_.path(), files_};
  std::vector<std::string> notices_;
};

TEST_F(DumpFileTest, KeepsTheListBeforeAndNobodyElseReadsEither) {
  ASSERT_TRUE(dump_.save(list("a")));
  ASSERT_TRUE(dump_.save(list("b")));
  EXPECT_EQ(loaded(), R"([{"name":"b"}])");
  EXPECT_NE(text("/dump.pm2.bak").find("\"a\""), std::string::npos);
  for (const char* const name : {"/dump.pm2", "/dump.pm2.bak"})
    EXPECT_EQ(files_.info(home_.path() + name)->permissions, 0600U) << name;
}

TEST_F(DumpFileTest, ABrokenFileIsReplacedByTheOneBeforeAndNeverBecomesIt) {
  ASSERT_TRUE(dump_.save(list("a")));
  ASSERT_TRUE(dump_.save(list("b")));
  ASSERT_TRUE(files_.replace_file(dump_.path(), "[{\"name\":", 0600));
  EXPECT_EQ(loaded(), R"([{"name":"a"}])");
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_NE(notices_[0].find("dump.pm2.bak is used"), std::string::npos);
  ASSERT_TRUE(dump_.save(list("c")));
  EXPECT_NE(text("/dump.pm2.bak").find("\"a\""), std::string::npos);
}

TEST_F(DumpFileTest, WithoutAFileItSaysWhatWritesOne) {
  EXPECT_EQ(loaded(), "no " + dump_.path() + ": pmx save writes it");
}

}  // namespace
}  // namespace pmx::test
