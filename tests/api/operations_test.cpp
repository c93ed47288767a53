#include "api/operations.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>

#include "api/api_fixture.h"

namespace pmx::test {
namespace {

class OperationsTest : public ApiFixture {
 public:
  using ApiFixture::post;

 protected:
  void running(Json app) {
    (void)start(std::move(app));
    all_run();
    settle();
  }
};

TEST_F(OperationsTest, ASecondStartOfARunningScriptIsRefusedUnlessForced) {
  running(app_json("web"));
  EXPECT_EQ(start(app_json("web"))->status, 409);
  EXPECT_EQ(error_of(start(app_json("web"))),
            "Script already launched, add -f option to force re-execution");
  (void)start(app_json("web"), true);
  EXPECT_EQ(supervisor_->workers().size(), 2U);
}

TEST_F(OperationsTest, AStoppedOneIsStartedAgainInItsOwnId) {
  running(app_json("web"));
  (void)act("stop", "web");
  exits(WorkerId{0}, SIGINT);
  Json changed = app_json("web");
  changed.set("env", Json::object({{"A", "1"}}));
  running(changed);
  EXPECT_EQ(late_->status, 200);
  EXPECT_EQ(supervisor_->workers().size(), 1U);
  EXPECT_EQ(record(WorkerId{0}).spec.env.at("A"), "1");
}

TEST_F(OperationsTest, TheListSaysWhatIsWantedBeforeAnythingIsStarted) {
  (void)start(app_json("web"));
  EXPECT_NE(link_.state_.find("\"should_run\":true"), std::string::npos) << link_.state_;
  all_run();
  settle();
  (void)act("stop", "web");
  exits(WorkerId{0}, SIGINT);
  settle();
  EXPECT_EQ(link_.state_.find("\"should_run\":true"), std::string::npos);
  (void)act("restart", "web");
  EXPECT_NE(link_.state_.find("\"should_run\":true"), std::string::npos) << link_.state_;
}

TEST_F(OperationsTest, OneBadAppOfSeveralStartsNone) {
  Json apps = Json::array();
  apps.push_back(app_json("good"));
  apps.push_back(Json::object({{"name", "bad"}}));
  EXPECT_EQ(post("/v1/start", Json::object({{"apps", apps}}))->status, 400);
  EXPECT_TRUE(supervisor_->workers().empty());
  EXPECT_EQ(post("/v1/start", Json::object())->status, 400);
}

TEST_F(OperationsTest, AnyProgramIsReloadedInClusterMode) {
  Json app = app_json("web", 2);
  app.set("exec_mode", "cluster_mode");
  running(app);
  EXPECT_TRUE(late_->body["messages"].items().empty());
  EXPECT_EQ(list_.jlist().items()[0]["pmx"]["port_sharing"].as_string(),
            "bind(2) answered by pmx (no_new_privs)");
  (void)act("reload", "web");
  settle();
  EXPECT_TRUE(record(WorkerId{0}).successor);
  EXPECT_TRUE(link_.signals_.empty());
}

TEST_F(OperationsTest, WithoutAutostartItIsListedAsStopped) {
  Json app = app_json("web");
  app.set("autostart", false);
  EXPECT_EQ(start(app)->status, 200);
  EXPECT_EQ(status(WorkerId{0}), "stopped");
}

TEST_F(OperationsTest, AFailedStartIsAnErrorAndStaysInTheList) {
  (void)start(app_json("web"));
  link_.exec_fails(link_.starting().at(0), EACCES);
  EXPECT_EQ(late_->status, 500);
  EXPECT_NE(error_of(late_).find("Permission denied"), std::string::npos);
  EXPECT_EQ(status(WorkerId{0}), "errored");
}

TEST_F(OperationsTest, TheAnswerIsSavedBeforeItIsGiven) {
  (void)start(app_json("web"));
  all_run();
  ASSERT_TRUE(late_);
  EXPECT_NE(link_.state_.find("\"online\""), std::string::npos);
}

TEST_F(OperationsTest, RestartBringsChangesAndEnvironment) {
  running(app_json("web"));
  EXPECT_FALSE(post("/v1/act", Json::object({{"action", "restart"},
                                             {"target", "web"},
                                             {"changes", Json::object({{"restart_delay", 7}})},
                                             {"update_env", Json::object({{"B", "2"}})}})));
  exits(WorkerId{0}, SIGINT);
  all_run();
  EXPECT_EQ(late_->status, 200);
  EXPECT_EQ(record(WorkerId{0}).spec.restart_delay, 7ms);
  EXPECT_EQ(record(WorkerId{0}).spec.env.at("B"), "2");
}

TEST_F(OperationsTest, ANewEnvironmentReplacesTheAppsOwnAndKeepsTheShells) {
  Json app = app_json("web");
  app.set("env", Json::object({{"SHELL", "1"}, {"OWN", "1"}, {"GONE", "1"}}));
  app.set("own_env", Json::Array{"OWN", "GONE"});
  running(app);
  const Json changes = Json::object(
      {{"env", Json::object({{"OWN", "2"}, {"NEW", "1"}})}, {"own_env", Json::Array{"OWN"}}});
  const auto restarted = [&](bool keep) {
    (void)post("/v1/act", Json::object({{"action", "restart"},
                                        {"target", "web"},
                                        {"changes", changes},
                                        {"keep_shell_env", keep}}));
    exits(WorkerId{0}, SIGINT);
    all_run();
    return record(WorkerId{0}).spec.env;
  };
  using Variables = std::map<std::string, std::string>;
  EXPECT_EQ(restarted(true), (Variables{{"SHELL", "1"}, {"OWN", "2"}, {"NEW", "1"}}));
  EXPECT_EQ(restarted(false), (Variables{{"OWN", "2"}, {"NEW", "1"}}));
}

TEST_F(OperationsTest, SpecsAreThoseOfTheTarget) {
  running(app_json("web"));
  running(app_json("job"));
  const auto answer = post("/v1/specs", Json::object({{"target", "job"}, {"cwd", "/"}}));
  ASSERT_EQ(answer->status, 200);
  ASSERT_EQ(answer->body.items().size(), 1U);
  EXPECT_EQ(answer->body.items()[0]["spec"]["name"], Json("job"));
  EXPECT_EQ(post("/v1/specs", Json::object({{"target", "nope"}}))->status, 404);
}

TEST_F(OperationsTest, ABadChangeStopsNothing) {
  running(app_json("web"));
  const auto answer =
      post("/v1/act", Json::object({{"action", "restart"},
                                    {"target", "web"},
                                    {"changes", Json::object({{"name", "unreadable"}})}}));
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(status(WorkerId{0}), "online");
}

TEST_F(OperationsTest, StartOfATargetRestartsIt) {
  running(app_json("web"));
  EXPECT_FALSE(post("/v1/start", Json::object({{"target", "web"}})));
  EXPECT_EQ(status(WorkerId{0}), "stopping");
}

TEST_F(OperationsTest, AStopIsAnsweredOnceTheLastWordsAreRecorded) {
  running(app_json("web", 2));
  pipeline_.drains_at_once_ = false;
  EXPECT_FALSE(act("stop", "web"));
  exits(WorkerId{0}, SIGINT);
  exits(WorkerId{1}, SIGINT);
  EXPECT_FALSE(late_);
  ASSERT_EQ(pipeline_.draining_.size(), 2U);
  pipeline_.draining_[0]();
  EXPECT_FALSE(late_);
  pipeline_.draining_[1]();
  ASSERT_TRUE(late_);
  EXPECT_EQ(late_->status, 200);
}

TEST_F(OperationsTest, AStartIsAnsweredOnceItsFilesAreThere) {
  pipeline_.opens_at_once_ = false;
  EXPECT_FALSE(start(app_json("web", 2)));
  all_run();
  ASSERT_EQ(pipeline_.opening_.size(), 1U);
  EXPECT_EQ(pipeline_.runs_.size(), 2U);
  EXPECT_FALSE(late_);
  pipeline_.opening_[0]();
  ASSERT_TRUE(late_);
  EXPECT_EQ(late_->status, 200);
}

TEST_F(OperationsTest, AStopMaySwitchWatchOff) {
  running(app_json("web"));
  supervisor_->change_specs([this](AppSpec& app) {
    app.cwd = home_;
    app.watch.on = true;
    app.watch.paths = {home_};
    return true;
  });
  const auto stop = [this](Json changes) {
    (void)post(
        "/v1/act",
        Json::object({{"action", "stop"}, {"target", "web"}, {"changes", std::move(changes)}}));
    return record(WorkerId{0}).spec.watch.on;
  };
  EXPECT_TRUE(stop(Json::object()));
  EXPECT_FALSE(stop(Json::object({{"watch", false}})));
  EXPECT_TRUE(record(WorkerId{0}).spec.watch.paths.empty());  // They would mean that it is on.
}

TEST_F(OperationsTest, FlushAndRotateGoToTheLogsOfTheTarget) {
  running(app_json("web"));
  running(app_json("job"));
  EXPECT_EQ(act("flush", "web")->status, 200);
  EXPECT_EQ(pipeline_.rotations_.at(0).how, supervisor::Pipeline::Rotate::kFlush);
  EXPECT_EQ(
      pipeline_.rotations_.at(0).paths,
      (std::vector<std::string>{home_ + "/logs/web-error-0.log", home_ + "/logs/web-out-0.log"}));
  EXPECT_EQ(act("rotate", "all")->status, 200);
  EXPECT_EQ(pipeline_.rotations_.at(1).paths.size(), 4U);
  pipeline_.rotate_error_ = Error(Errc::kNoSpace, "disk full");
  EXPECT_EQ(error_of(act("rotate", "all")), "disk full");
  EXPECT_EQ(act("reload_logs", "")->status, 200);
  EXPECT_EQ(pipeline_.reopened_, 1);
}

std::optional<api::Response> scaled(OperationsTest& test, const std::string& to) {
  return test.post("/v1/scale", Json::object({{"target", "web"}, {"to", to}}));
}

TEST_F(OperationsTest, ScaleAddsInstancesAndTakesTheNewestAway) {
  running(app_json("web", 2));
  EXPECT_FALSE(scaled(*this, "+2"));
  all_run();
  EXPECT_EQ(late_->status, 200);
  ASSERT_EQ(supervisor_->workers().size(), 4U);
  EXPECT_EQ(record(WorkerId{3}).instance, 3);
  EXPECT_FALSE(scaled(*this, "1"));
  for (const std::uint32_t id : {3U, 2U, 1U}) exits(WorkerId{id}, SIGINT);
  EXPECT_EQ(late_->status, 200);
  settle();
  ASSERT_EQ(supervisor_->workers().size(), 1U);
  EXPECT_EQ(record(WorkerId{0}).instance, 0);
}

TEST_F(OperationsTest, ScaleSaysWhatIsWrongAndChangesNothing) {
  running(app_json("web", 2));
  EXPECT_EQ(error_of(scaled(*this, "2")), "Nothing to do");
  EXPECT_EQ(error_of(scaled(*this, "many")),
            "\"many\" is no number of instances: 0 to 1000, or +1 for one more");
  EXPECT_EQ(error_of(scaled(*this, "-1")),
            "\"-1\" is no number of instances: 0 to 1000, or +1 for one more");
  EXPECT_EQ(error_of(scaled(*this, "+999")), "at most 1000 instances");
  EXPECT_EQ(error_of(post("/v1/scale", Json::object({{"target", "none"}, {"to", "2"}}))),
            "Application none not found");
  EXPECT_EQ(supervisor_->workers().size(), 2U);
}

TEST_F(OperationsTest, ResetClearsTheCounters) {
  running(app_json("web"));
  exits(WorkerId{0}, 1 << 8);
  settle();
  EXPECT_EQ(record(WorkerId{0}).restarts, 1);
  EXPECT_EQ(act("reset", "all")->status, 200);
  EXPECT_EQ(record(WorkerId{0}).restarts, 0);
}

TEST_F(OperationsTest, AShutdownKeepsWhatIsWanted) {
  running(app_json("web"));
  bool done = false;
  operations_.stop_for_shutdown([&done](Result<api::Outcome>) { done = true; });
  EXPECT_FALSE(done);
  exits(WorkerId{0}, SIGINT);
  EXPECT_TRUE(done);
  EXPECT_TRUE(record(WorkerId{0}).should_run);
}

}  // namespace
}  // namespace pmx::test
