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
  const std::string text = describe_table(Console(Console::Options()), element(), 5'000, {});
  EXPECT_NE(text.find(" Describing process with id 2 - name web "), std::string::npos);
  for (const char* row :
       {"│ status            │ online", "│ script args       │ -p 80", "│ interpreter       │ N/A",
        "│ uptime            │ 5s", "│ ships to          │ loki-h (http://h:1)",
        "│ node env          │ test", "│ created at        │ 1970-01-01T00:00:01.000Z",
        "│ watch & reload    │ ✘"})
    EXPECT_NE(text.find(row), std::string::npos) << row << "\n" << text;
  EXPECT_EQ(text.find("port sharing"), std::string::npos) << text;
}

TEST(DescribeViewTest, SaysHowAClusterSharesItsPort) {
  Json app = element();
  app.find("pmx")->set("port_sharing", "bind(2) answered by pmx");
  const std::string text = describe_table(Console(Console::Options()), app, 5'000, {});
  EXPECT_NE(text.find("│ port sharing      │ bind(2) answered by pmx"), std::string::npos) << text;
}

TEST(DescribeViewTest, CountsWhatEachLogHasCapturedAndDropped) {
  const std::string text = describe_table(Console(Console::Options()), element(), 5'000, {});
  EXPECT_NE(text.find(" Log /l/web-out.log "), std::string::npos);
  EXPECT_NE(text.find("│ captured    │ 7 lines, 0b"), std::string::npos) << text;
  EXPECT_NE(text.find("│ dropped     │ 2 lines"), std::string::npos) << text;
  EXPECT_NE(text.find("│ redacted    │ 3 since the daemon's start"), std::string::npos) << text;
}

TEST(DescribeViewTest, ListsTheEnvironmentOnce) {
  const std::string text = env_lines(Console(Console::Options()), element(), Reveal::kNo);
  EXPECT_NE(text.find("NODE_ENV: test\nA: 1\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("env:"), std::string::npos) << text;
}

TEST(DescribeViewTest, HidesSecretsUntilTheyAreRevealed) {
  Json app = element();
  app.find("pm2_env")->find("env")->set("DB_PASSWORD", "s3cret");
  const Console console((Console::Options()));
  EXPECT_NE(env_lines(console, app, Reveal::kNo).find("DB_PASSWORD: [secret]\n"),
            std::string::npos);
  EXPECT_NE(env_lines(console, app, Reveal::kYes).find("DB_PASSWORD: s3cret\n"), std::string::npos);
  EXPECT_EQ(describe_table(console, app, 5'000, {}).find("s3cret"), std::string::npos);
  EXPECT_NE(describe_table(console, app, 5'000, {Reveal::kYes, {}}).find("s3cret"),
            std::string::npos);
}

TEST(DescribeViewTest, ShowsWhereTheShellHasOtherVariables) {
  const std::string text = describe_table(Console(Console::Options()), element(), 5'000,
                                          {Reveal::kNo, {{"NODE_ENV", "test"}, {"A", "2"}}});
  const std::size_t table = text.find(" Divergent env variables from local env ");
  ASSERT_NE(table, std::string::npos) << text;
  EXPECT_NE(text.find("│ A │ 1 │", table), std::string::npos) << text;
  EXPECT_EQ(text.find("NODE_ENV", table), std::string::npos) << text;
}

}  // namespace
}  // namespace pmx::cli
