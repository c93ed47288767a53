#include "api/home_settings.h"

#include <gtest/gtest.h>

#include "api/api_fixture.h"
#include "config/settings.h"

namespace pmx::test {
namespace {

class HomeSettingsTest : public ApiFixture {
 protected:
  void set(const Json& values) {
    ASSERT_TRUE(files_.replace_file(home_ + "/state/settings.json", values.dump()));
    home_settings_.read();
  }
  std::string sinks_of(const Json& app) {
    const Result<AppSpec> spec = home_settings_.codec().from_json(app);
    EXPECT_TRUE(spec) << spec.error().message();
    std::string names;
    for (const SinkSpec& sink : spec->ship) names += sink.name + ";";
    return names;
  }

  std::vector<std::string> notices_;
  api::HomeSettings home_settings_{settings_,
                                   [this](const std::string& line) { notices_.push_back(line); }};
};

TEST_F(HomeSettingsTest, GiveStoresToAppsThatNameNone) {
  set(Json::object({{"ship", "loki+http://a"}, {"max_disk", "2G"}}));
  EXPECT_EQ(home_settings_.max_disk_bytes(), 2U << 30U);
  EXPECT_EQ(sinks_of(app_json("web")), "loki-a;");
  Json own = app_json("web");
  own.set("ship", "loki+http://b");
  EXPECT_EQ(sinks_of(own), "loki-b;");
  own.set("ship", false);
  EXPECT_EQ(sinks_of(own), "");
}

TEST_F(HomeSettingsTest, ChangeWhatAppsHaveFromThemAndNothingElse) {
  set(Json::object({{"ship", "loki+http://a"}}));
  AppSpec app = *home_settings_.codec().from_json(app_json("web"));
  AppSpec none = app;
  none.ship = {};
  none.ship_from_home = false;
  EXPECT_FALSE(home_settings_.give_ship(app));
  set(Json::object());
  EXPECT_TRUE(home_settings_.give_ship(app));
  EXPECT_TRUE(app.ship.empty());
  set(Json::object({{"ship", "loki+http://a"}}));
  EXPECT_FALSE(home_settings_.give_ship(none));
}

TEST_F(HomeSettingsTest, ThatCannotBeReadChangeNothing) {
  Json listed = home_settings_.codec().to_json(AppSpec());
  listed.set("ship", Json::Array{"loki+http://a"});
  ASSERT_TRUE(files_.replace_file(home_ + "/state/settings.json", "{"));
  home_settings_.read();
  EXPECT_EQ(notices_.size(), 1U);
  EXPECT_EQ(sinks_of(listed), "loki-a;");
  set(Json::object({{"ship", "loki+http://b"}}));
  EXPECT_EQ(sinks_of(listed), "loki-b;");
}

// As a restart with --ship, and with --ship null.
TEST_F(HomeSettingsTest, AreLeftByAnAppThatNamesAStoreAndComeBackWhereItTakesThatBack) {
  set(Json::object({{"ship", "loki+http://a"}}));
  api::Operations operations(*supervisor_, pipeline_, home_settings_.codec(),
                             [](const std::function<void()>& call) { call(); });
  const WorkerId id = *supervisor_->add(*home_settings_.codec().from_json(app_json("web")));
  const auto restarted_with = [&](const Json& ship) {
    operations.act("restart", "web", "", {Json::object({{"ship", ship}}), {}},
                   [](const Result<api::Outcome>&) {});
    all_run();
    settle();
    const AppSpec& spec = record(id).spec;
    return (spec.ship.empty() ? "none" : spec.ship.front().name) +
           (spec.ship_from_home ? " of the home" : "");
  };
  EXPECT_EQ(restarted_with(Json::Array{"loki+http://b"}), "loki-b");
  exits(id, 0);
  EXPECT_EQ(restarted_with(nullptr), "loki-a of the home");
}

}  // namespace
}  // namespace pmx::test
