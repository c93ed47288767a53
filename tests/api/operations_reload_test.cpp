#include <gmock/gmock.h>

#include <filesystem>

#include "api/api_fixture.h"

namespace pmx::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

// Separate processes: a reload is a restart. What cluster apps do is in reload_health_test.cpp.
class OperationsReloadTest : public ApiFixture {
 protected:
  static Json app_json(const std::string& version) {
    Json app = ApiFixture::app_json("web");
    app.set("env", Json::object({{"VERSION", version}}));
    app.set("min_uptime", 0);
    return app;
  }
  void begins(const Json& app) {
    (void)start(app);
    all_run();
    settle();
  }
  std::optional<api::Response> reload(const Json& more) {
    Json body = Json::object({{"action", "reload"}, {"target", "web"}});
    for (const auto& [key, value] : more.members()) body.set(key, value);
    (void)post("/v1/act", body);
    for (const auto* const worker : supervisor_->workers())
      if (worker->record().pid > 0) exits(worker->record().id, 0);
    all_run();
    settle();
    return late_;
  }
  std::optional<api::Response> changes(const std::string& version) {
    return reload(Json::object({{"update_env", Json::object({{"VERSION", version}})}}));
  }
  std::optional<api::Response> rolls_back() { return reload(Json::object({{"rollback", true}})); }
  std::string version(std::uint32_t id = 0) const {
    return record(WorkerId{id}).spec.env.at("VERSION");
  }
};

TEST_F(OperationsReloadTest, ARollbackLeadsBackAndTheNextOneForwardAgain) {
  begins(app_json("1"));
  EXPECT_EQ(changes("2")->status, 200);
  EXPECT_EQ(version(), "2");
  EXPECT_EQ(rolls_back()->status, 200);
  EXPECT_EQ(version(), "1");
  EXPECT_EQ(status(WorkerId{0}), "online");
  EXPECT_EQ(rolls_back()->status, 200);
  EXPECT_EQ(version(), "2");
}

TEST_F(OperationsReloadTest, WithNothingToGoBackToNothingIsDone) {
  begins(app_json("1"));
  (void)post("/v1/act",
             Json::object({{"action", "reload"}, {"target", "web"}, {"rollback", true}}));
  EXPECT_EQ(late_->status, 409);
  EXPECT_THAT(error_of(late_), HasSubstr("web has nothing to go back to"));
  EXPECT_EQ(status(WorkerId{0}), "online");
  EXPECT_EQ(link_.spawns_.size(), 1U);
}

TEST_F(OperationsReloadTest, WorkersThatWereAddedLaterGoBackWithTheOthers) {
  begins(app_json("1"));
  (void)changes("2");
  (void)post("/v1/scale", Json::object({{"target", "web"}, {"to", "2"}}));
  all_run();
  settle();
  EXPECT_EQ(version(1), "2");
  EXPECT_EQ(rolls_back()->status, 200);
  EXPECT_EQ(version(0), "1");
  EXPECT_EQ(version(1), "1");
}

TEST_F(OperationsReloadTest, AMovedLinkIsPinnedUntilTheNextReload) {
  for (const char* const release : {"/1", "/2"}) fs::create_directory(home_ + release);
  const auto deploy = [&](const std::string& release) {
    fs::remove(home_ + "/current");
    fs::create_directory_symlink(home_ + release, home_ + "/current");
  };
  deploy("/1");
  Json app = app_json("1");
  app.set("cwd", home_ + "/current");
  begins(app);
  deploy("/2");
  (void)reload(Json::object());
  const auto back = rolls_back();
  ASSERT_EQ(back->status, 200);
  EXPECT_THAT(back->body["messages"].items()[0].as_string(),
              HasSubstr(home_ + "/current leads elsewhere now; " + home_ + "/1 is run"));
  EXPECT_EQ(link_.spawns_.back().cwd, home_ + "/1");
  EXPECT_EQ(record(WorkerId{0}).spec.cwd, home_ + "/current");
  (void)reload(Json::object());
  EXPECT_EQ(link_.spawns_.back().cwd, home_ + "/current");
  fs::remove_all(home_ + "/1");
  (void)post("/v1/act",
             Json::object({{"action", "reload"}, {"target", "web"}, {"rollback", true}}));
  EXPECT_EQ(late_->status, 404);
  EXPECT_THAT(error_of(late_), HasSubstr("web cannot go back: " + home_ + "/1"));
}

}  // namespace
}  // namespace pmx::test
