#include "cli/describe_view.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

Json element() {
  return Json::object(
      {{"name", "web"},
       {"pm_id", 2},
       {"pm2_env", Json::object({{"status", "online"},
                                 {"pm_uptime", 0},
                                 {"args", Json::Array{"-p", "80"}},
                                 {"env", Json::object({{"NODE_ENV", "test"}, {"A", "1"}})},
                                 {"ship", Json::Array{Json::object(
                                              {{"name", "loki-h"}, {"url", "http://h:1"}})}},
                                 {"created_at", 1000}})},
       {"pmx", Json::object({{"logs", Json::Array{Json::object({{"path", "/l/web-out.log"},
                                                                {"captured_lines", 7},
                                                                {"dropped_lines", 2},
                                                                {"redactions", 3}})}}})}});
}

TEST(DescribeViewTest, ShowsWhatIsKnownAndSaysWhatIsNot) {
  const std::string text = describe_table(Console(Console::Options()), element(), 5'000);
  EXPECT_NE(text.find(" Describing process with id 2 - name web "), std::string::npos);
  for (const char* row :
       {"│ status            │ online", "│ script args       │ -p 80", "│ interpreter       │ N/A",
        "│ uptime            │ 5s", "│ ships to          │ loki-h (http://h:1)",
        "│ node env          │ test", "│ created at        │ 1970-01-01T00:00:01.000Z",
        "│ watch & reload    │ ✘"})
    EXPECT_NE(text.find(row), std::string::npos) << row << "\n" << text;
}

TEST(DescribeViewTest, CountsWhatEachLogHasCapturedAndDropped) {
  const std::string text = describe_table(Console(Console::Options()), element(), 5'000);
  EXPECT_NE(text.find(" Log /l/web-out.log "), std::string::npos);
  EXPECT_NE(text.find("│ captured    │ 7 lines, 0b"), std::string::npos) << text;
  EXPECT_NE(text.find("│ dropped     │ 2 lines"), std::string::npos) << text;
  EXPECT_NE(text.find("│ redacted    │ 3 since the daemon's start"), std::string::npos) << text;
}

TEST(DescribeViewTest, ListsTheEnvironmentOnce) {
  const std::string text = env_lines(Console(Console::Options()), element());
  EXPECT_NE(text.find("NODE_ENV: test\nA: 1\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("env:"), std::string::npos) << text;
}

}  // namespace
}  // namespace pmx::cli
