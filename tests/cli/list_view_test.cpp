#include "cli/list_view.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

Json element(int id, const std::string& name, const std::string& status, std::int64_t memory) {
  return Json::object({{"pid", status == "online" ? 100 + id : 0},
                       {"name", name},
                       {"pm2_env", Json::object({{"namespace", "default"},
                                                 {"version", "N/A"},
                                                 {"exec_mode", "fork_mode"},
                                                 {"status", status},
                                                 {"pm_uptime", 1'000'000},
                                                 {"restart_time", 3},
                                                 {"username", "root"},
                                                 {"pm_err_log_path", "/l/e.log"},
                                                 {"pm_pid_path", "/p/w.pid"}})},
                       {"pm_id", id},
                       {"monit", Json::object({{"memory", memory}, {"cpu", 12.3}})}});
}

Json two() {
  return Json::Array{element(0, "web", "online", 21'600'000), element(1, "api", "stopped", 0)};
}

Console wide(int columns = 300) { return Console({false, false, columns, 1, 2}); }

TEST(ListViewTest, DrawsPm2sTable) {
  EXPECT_EQ(list_table(wide(), two(), 1'090'000),
            "┌────┬────────┬─────────────┬─────────┬─────────┬──────────┬────────┬──────┬──────────"
            "─┬──────────┬──────────┬──────────┬──────────┐\n"
            "│ id │ name   │ namespace   │ version │ mode    │ pid      │ uptime │ ↺    │ status   "
            " │ cpu      │ mem      │ user     │ watching │\n"
            "├────┼────────┼─────────────┼─────────┼─────────┼──────────┼────────┼──────┼──────────"
            "─┼──────────┼──────────┼──────────┼──────────┤\n"
            "│ 0  │ web    │ default     │ N/A     │ fork    │ 100      │ 90s    │ 3    │ online   "
            " │ 12.3%    │ 20.6mb   │ root     │ disabled │\n"
            "│ 1  │ api    │ default     │ N/A     │ fork    │ 0        │ 0      │ 3    │ stopped  "
            " │ 12.3%    │ 0b       │ root     │ disabled │\n"
            "└────┴────────┴─────────────┴─────────┴─────────┴──────────┴────────┴──────┴──────────"
            "─┴──────────┴──────────┴──────────┴──────────┘\n");
}

TEST(ListViewTest, ShowsLessOnANarrowTerminal) {
  const std::string condensed = list_table(wide(80), two(), 0);
  EXPECT_NE(condensed.find("│ id │ name   │ mode    │ ↺    │ status    │ cpu      │ mem      │"),
            std::string::npos);
  const std::string mini = list_table(wide(55), two(), 0);
  EXPECT_NE(mini.find("│ id │ name   │ status    │ cpu      │ mem      │"), std::string::npos);
}

TEST(ListViewTest, SaysWhatIsWrongBelowTheTable) {
  Json list = two();
  Json first = list.items()[0];
  first.set(
      "pmx",
      Json::object({{"logs", Json::Array{Json::object({{"trouble", "no space left on /var"}})}}}));
  const std::string text = list_table(wide(), Json::Array{first}, 0);
  EXPECT_TRUE(text.ends_with("[PM2][WARN] web (0): no space left on /var\n")) << text;
}

TEST(ListViewTest, CountsUptimeInTheLargestUnitOfWhichThereAreTwo) {
  EXPECT_EQ(uptime_text(0), "0s");
  EXPECT_EQ(uptime_text(90'000), "90s");
  EXPECT_EQ(uptime_text(130'000), "2m");
  EXPECT_EQ(uptime_text(3 * 86'400'000LL), "3D");
  EXPECT_EQ(uptime_text(-5), "0s");
}

TEST(ListViewTest, TellsADumpThatIsStale) {
  const auto dump = [](const char* text) { return *Json::parse(text); };
  const Json list = dump(R"([{"name":"web"},{"name":"web"},{"name":"job"}])");
  EXPECT_EQ(dump_difference(dump(R"([{"name":"job"},{"name":"web"},{"name":"web"}])"), list), "");
  EXPECT_EQ(dump_difference(dump(R"([{"name":"web"},{"name":"old"}])"), list),
            "app job differs, app old differs, app web differs");
}

TEST(ListViewTest, SortsByAFieldBothWays) {
  EXPECT_EQ((*sorted_list(two(), "")).items()[0]["name"], Json("api"));
  EXPECT_EQ((*sorted_list(two(), "memory:desc")).items()[0]["name"], Json("web"));
  EXPECT_EQ((*sorted_list(two(), "id:desc")).items()[0]["pm_id"], Json(1));
  EXPECT_FALSE(sorted_list(two(), "colour"));
  EXPECT_FALSE(sorted_list(two(), "id:up"));
}

TEST(ListViewTest, PrintsTheShortListAsPm2) {
  EXPECT_EQ(mini_list(Json::Array{element(0, "web", "online", 1024)}, 1'002'000),
            "+--- web\nnamespace : default\nversion : N/A\npid : 100\npm2 id : 0\nstatus : online\n"
            "mode : fork\nrestarted : 3\nuptime : 2s\nmemory usage : 1.0kb \nerror log : /l/e.log\n"
            "watching : no\nPID file : /p/w.pid\n\n");
}

}  // namespace
}  // namespace pmx::cli
