#include "supervisor/target.h"

#include <gtest/gtest.h>

namespace pmx::supervisor {
namespace {

using Ids = std::vector<std::uint32_t>;

class TargetTest : public ::testing::Test {
 protected:
  Ids resolve(std::string_view target) {
    const auto ids = resolve_target(target, "/srv", candidates_);
    error_ = ids ? "" : ids.error().message();
    Ids numbers;
    if (ids)
      for (const WorkerId id : *ids) numbers.push_back(id.value);
    return numbers;
  }
  std::vector<TargetCandidate> candidates_{
      {WorkerId{0}, "web", "default", "/srv/app.js"},
      {WorkerId{1}, "web", "default", "/srv/app.js"},
      {WorkerId{2}, "job", "batch", "/srv/job.py"},
      {WorkerId{3}, "1", "batch", "/srv/odd"},
  };
  std::string error_;
};

TEST_F(TargetTest, AllIsEverybody) { EXPECT_EQ(resolve("all"), (Ids{0, 1, 2, 3})); }
TEST_F(TargetTest, ANameIsAllItsInstances) { EXPECT_EQ(resolve("web"), (Ids{0, 1})); }
TEST_F(TargetTest, AScriptsPathIsAName) {
  EXPECT_EQ(resolve("app.js"), (Ids{0, 1}));
  EXPECT_EQ(resolve("./job.py"), (Ids{2}));
  EXPECT_EQ(resolve("/srv/job.py"), (Ids{2}));
}
TEST_F(TargetTest, ANamespaceComesAfterNames) { EXPECT_EQ(resolve("batch"), (Ids{2, 3})); }
TEST_F(TargetTest, ANumberIsANameBeforeItIsAnId) {
  EXPECT_EQ(resolve("1"), (Ids{3}));
  EXPECT_EQ(resolve("2"), (Ids{2}));
}
TEST_F(TargetTest, APatternSearchesNames) {
  EXPECT_EQ(resolve("/^w/"), (Ids{0, 1}));
  EXPECT_EQ(resolve("/o/"), (Ids{2}));
}
TEST_F(TargetTest, UnknownTargetsAreSaidInPm2sWords) {
  EXPECT_TRUE(resolve("nope").empty());
  EXPECT_EQ(error_, "Process or Namespace nope not found");
  EXPECT_TRUE(resolve("99").empty());
  EXPECT_EQ(error_, "99 : id unknown");
  candidates_.clear();
  EXPECT_TRUE(resolve("all").empty());
  EXPECT_EQ(error_, "No process found");
}
TEST_F(TargetTest, ABadPatternIsOneLine) {
  EXPECT_TRUE(resolve("/(/").empty());
  EXPECT_NE(error_.find("is not a regular expression"), std::string::npos);
}

}  // namespace
}  // namespace pmx::supervisor
