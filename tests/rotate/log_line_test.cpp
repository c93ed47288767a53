#include "rotate/log_line.h"

#include <gtest/gtest.h>

namespace pmx::rotate {
namespace {

class LogLineTest : public ::testing::Test {
 protected:
  std::string_view worker(std::string_view text, RenderSpec::Kind render) {
    line_.text = text;
    line_.render = render;
    return worker_text(line_, scratch_);
  }

  LogLine line_;
  std::string scratch_;
};

TEST_F(LogLineTest, TakesOurDateFromTheFront) {
  EXPECT_EQ(worker("10:00:00: a: b", RenderSpec::Kind::kDate), "a: b");
  EXPECT_EQ(worker("10:00:00: a: b", RenderSpec::Kind::kRaw), "10:00:00: a: b");
}

TEST_F(LogLineTest, TakesTheMessageOutOfOurObject) {
  constexpr std::string_view kObject = R"({"message":"a \"b\"\n","type":"out"})";
  EXPECT_EQ(worker(kObject, RenderSpec::Kind::kJson), "a \"b\"");
  EXPECT_EQ(worker(kObject, RenderSpec::Kind::kRaw), kObject);
  EXPECT_EQ(worker("{\"message\":\"cut", RenderSpec::Kind::kJson), "{\"message\":\"cut");
}

TEST_F(LogLineTest, LeavesOurOwnWordsAsTheyAre) {
  line_.dropped_notice = true;
  EXPECT_EQ(worker("[pmx] 3 lines dropped (disk full)", RenderSpec::Kind::kJson),
            "[pmx] 3 lines dropped (disk full)");
}

}  // namespace
}  // namespace pmx::rotate
