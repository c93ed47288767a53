#include "cli/monit_view.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace pmx::cli {
namespace {

using Key = MonitView::Key;

Json element(int id, const std::string& name) {
  return Json::object({{"pid", 100 + id},
                       {"name", name},
                       {"pm2_env", Json::object({{"namespace", "default"},
                                                 {"exec_mode", "fork_mode"},
                                                 {"status", "online"},
                                                 {"pm_uptime", 1'000'000},
                                                 {"restart_time", 0},
                                                 {"pm_exec_path", "/srv/" + name + ".js"},
                                                 {"pm_cwd", "/srv"}})},
                       {"pm_id", id},
                       {"monit", Json::object({{"memory", 1024}, {"cpu", 0}})}});
}

Json apps(int count) {
  Json list = Json::array();
  for (int id = 0; id < count; ++id) list.push_back(element(id, "app" + std::to_string(id)));
  return list;
}

class MonitViewTest : public testing::Test {
 protected:
  std::vector<std::string> screen(std::size_t rows = 24, std::size_t columns = 80) {
    const Console console({false, false, static_cast<int>(columns), 1, -1});
    std::string frame = view_.frame(console, {rows, columns}, 1'090'000);
    std::vector<std::string> lines;
    while (true) {
      const std::size_t end = frame.find("\r\n");
      std::string line = frame.substr(0, end);
      line.resize(line.find("\033[0m\033[K"));
      lines.push_back(std::move(line));
      if (end == std::string::npos) return lines;
      frame.erase(0, end + 2);
    }
  }
  static bool has(const std::vector<std::string>& lines, std::string_view part) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  }

  MonitView view_;
};

TEST_F(MonitViewTest, ShowsTheListWithAMarkAtTheChosenOneItsScriptAndItsLines) {
  view_.show(apps(3));
  view_.move(Key::kDown);
  view_.add_line("hello");
  const auto lines = screen();
  EXPECT_EQ(lines.size(), 24U);
  EXPECT_TRUE(lines[3].starts_with("│ 0"));
  EXPECT_TRUE(lines[4].starts_with("▶ 1"));
  EXPECT_TRUE(has(lines, "app1 (id 1)   /srv/app1.js   in /srv"));
  EXPECT_TRUE(has(lines, "hello"));
  EXPECT_NE(lines.back().find("q leave"), std::string::npos);
}

TEST_F(MonitViewTest, ShowsTheFiguresThatTheAppTells) {
  Json app = element(0, "web");
  app.find("pm2_env")->set("axm_monitor",
                           Json::object({{"Queue", Json::object({{"value", 12}, {"unit", "jobs"}})},
                                         {"Mode", Json::object({{"value", "fast"}})}}));
  view_.show(Json::Array{app});
  EXPECT_TRUE(has(screen(), "Queue: 12 jobs   Mode: fast"));
}

TEST_F(MonitViewTest, WhoIsChosenStaysSoWhateverTheOrderIs) {
  view_.show(apps(3));
  view_.move(Key::kLast);
  EXPECT_EQ(view_.chosen(), WorkerId{2});
  view_.show(Json::Array{element(2, "app2"), element(0, "app0")});
  EXPECT_EQ(view_.chosen(), WorkerId{2});
  view_.move(Key::kUp);
  EXPECT_EQ(view_.chosen(), WorkerId{2});
}

TEST_F(MonitViewTest, TheOneInItsPlaceIsChosenWhenItGoes) {
  view_.show(apps(3));
  view_.move(Key::kDown);
  view_.show(Json::Array{element(0, "app0"), element(2, "app2")});
  EXPECT_EQ(view_.chosen(), WorkerId{2});
  view_.show(Json::Array{element(0, "app0")});
  EXPECT_EQ(view_.chosen(), WorkerId{0});
  view_.show(Json::array());
  EXPECT_EQ(view_.chosen(), std::nullopt);
  view_.move(Key::kDown);
  EXPECT_EQ(screen().size(), 24U);
}

TEST_F(MonitViewTest, MoreAppsThanThereIsRoomForMoveWithTheChoice) {
  view_.show(apps(100));
  view_.add_line("last line");
  for (int i = 0; i < 100; ++i) {
    const auto lines = screen();
    EXPECT_EQ(lines.size(), 24U);
    EXPECT_TRUE(has(lines, "▶ " + std::to_string(i) + " ")) << i;
    EXPECT_TRUE(has(lines, "last line"));
    view_.move(Key::kDown);
  }
  EXPECT_EQ(view_.chosen(), WorkerId{99});
  view_.move(Key::kFirst);
  EXPECT_TRUE(has(screen(), "▶ 0 "));
}

TEST_F(MonitViewTest, TheLastLinesAreShownAndNoMoreThanABoundIsKept) {
  view_.show(apps(1));
  for (std::size_t i = 0; i < 2 * MonitView::kMostLines; ++i)
    view_.add_line("line " + std::to_string(i) + ".");
  EXPECT_TRUE(has(screen(), "line 999."));
  const auto tall = screen(2000);
  EXPECT_TRUE(has(tall, "line 500."));
  EXPECT_FALSE(has(tall, "line 499."));
  view_.add_line(std::string(100'000, 'x'));
  EXPECT_FALSE(has(screen(), std::string(MonitView::kLongestLineBytes + 1, 'x')));
}

TEST_F(MonitViewTest, ATroubleStandsInTheLastLine) {
  view_.show(apps(1));
  view_.trouble("no daemon runs");
  EXPECT_EQ(screen().back(), " no daemon runs");
  view_.trouble("");
  EXPECT_NE(screen().back(), " no daemon runs");
}

TEST_F(MonitViewTest, NoTerminalIsTooSmall) {
  view_.show(apps(10));
  view_.add_line("x");
  for (std::size_t rows = 1; rows < 12; ++rows) EXPECT_EQ(screen(rows, 10).size(), rows);
}

TEST(TakeKeyTest, KnowsArrowsLettersAndPassesOverTheRest) {
  const auto keys = [](std::string_view bytes) {
    std::vector<Key> found;
    while (const auto key = take_key(bytes)) found.push_back(*key);
    EXPECT_TRUE(bytes.empty());
    return found;
  };
  EXPECT_EQ(keys("\033[A\033OBjk"), (std::vector<Key>{Key::kUp, Key::kDown, Key::kDown, Key::kUp}));
  EXPECT_EQ(keys("\033[H\033[4~gG"),
            (std::vector<Key>{Key::kFirst, Key::kLast, Key::kFirst, Key::kLast}));
  EXPECT_EQ(keys("x\033[5~\033[1;5C\xc3\xa4q"), (std::vector<Key>{Key::kLeave}));
  EXPECT_EQ(keys("\003"), (std::vector<Key>{Key::kLeave}));
  EXPECT_EQ(keys("\033"), (std::vector<Key>{Key::kLeave}));
  EXPECT_EQ(keys(""), std::vector<Key>());
}

}  // namespace
}  // namespace pmx::cli
