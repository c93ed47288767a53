#include "api/foreground.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "supervisor/supervisor_fixture.h"

namespace pmx::api {
namespace {

using namespace std::chrono_literals;
constexpr int code(int value) { return value << 8; }

class ForegroundTest : public test::SupervisorFixture {
 protected:
  static AppSpec once(const std::string& name) {
    AppSpec spec = app(name);
    spec.autorestart = false;
    return spec;
  }
  void run(std::vector<AppSpec> apps) {
    begin({}, std::move(apps));
    watch();
    for (const supervisor::Worker* worker : supervisor_->workers())
      if (worker->record().run.value != 0) link_.run(worker->record().run);
    settle();
  }
  void watch() {
    foreground_ = std::make_unique<Foreground>(Foreground::Parts{
        *supervisor_, clock_, [this](const std::string& line) { said_.push_back(line); },
        [this](int exit_code) {
          if (!finished_) finished_ = exit_code;
        }});
    supervisor_->on_run_ended(
        [this](const supervisor::WorkerRecord& record, RunId) { foreground_->run_ended(record); });
    foreground_->look();
  }
  void TearDown() override { foreground_.reset(); }
  void ends(std::uint32_t id, int status) { exits(WorkerId{id}, status); }

  std::unique_ptr<Foreground> foreground_;
  std::optional<int> finished_;
  std::vector<std::string> said_;
};

TEST_F(ForegroundTest, EndsAsItsOnlyAppEnds) {
  run({once("web")});
  EXPECT_FALSE(finished_);
  ends(0, code(7));
  EXPECT_EQ(finished_, 7);
}

TEST_F(ForegroundTest, ASignalIsACodeAsAShellHasIt) {
  run({once("web")});
  ends(0, SIGSEGV);
  EXPECT_EQ(finished_, 128 + SIGSEGV);
}

TEST_F(ForegroundTest, OfSeveralItWaitsForAllWhileNoneFails) {
  run({once("migrate"), once("web")});
  ends(0, code(0));
  EXPECT_FALSE(finished_);
  ends(1, code(0));
  EXPECT_EQ(finished_, 0);
}

TEST_F(ForegroundTest, TheFirstToFailEndsTheOthersAndIsTheCode) {
  AppSpec twice = once("web");
  twice.instances = 2;
  run({once("api"), twice});
  ends(1, code(3));
  EXPECT_FALSE(finished_);
  EXPECT_EQ(status(WorkerId{0}), "stopping");
  EXPECT_EQ(status(WorkerId{2}), "stopping");
  ends(0, SIGINT);
  ends(2, code(9));
  EXPECT_EQ(finished_, 3);
  ASSERT_EQ(said_.size(), 1U);
  EXPECT_EQ(said_[0], "web (id 1) ended with exit code 3: the others are stopped");
}

TEST_F(ForegroundTest, ARestartThatWasAskedForIsNoEnd) {
  AppSpec spec = once("web");
  spec.autorestart = true;
  run({spec});
  ends(0, code(1));
  EXPECT_FALSE(finished_);
  settle();
  EXPECT_EQ(link_.spawns_.size(), 2U);
}

TEST_F(ForegroundTest, AJobThatWaitsForItsTimeIsNoEnd) {
  AppSpec spec = once("job");
  spec.cron_restart = "*/5 * * * *";
  run({spec});
  ends(0, code(1));
  EXPECT_FALSE(finished_);
  foreground_->told_to_end(SIGTERM);
  EXPECT_EQ(finished_, 1);
}

TEST_F(ForegroundTest, ToldToEndItStartsNobodyAgain) {
  AppSpec spec = once("web");
  spec.autorestart = true;
  run({spec});
  foreground_->told_to_end(SIGTERM);
  EXPECT_TRUE(link_.signals_.empty());  // The keeper has passed it on.
  ends(0, SIGTERM);
  EXPECT_EQ(finished_, 143);
  settle();
  EXPECT_EQ(link_.spawns_.size(), 1U);
}

TEST_F(ForegroundTest, WhoDoesNotHeedTheSignalIsKilledAfterKillTimeout) {
  AppSpec slow = once("slow");
  slow.kill_timeout = 8s;
  run({once("web"), slow});
  foreground_->told_to_end(SIGTERM);
  ends(0, code(0));
  clock_.advance(7s);
  EXPECT_TRUE(link_.signals_.empty());
  clock_.advance(1s);
  EXPECT_FALSE(link_.signals_.empty());
  ends(1, SIGKILL);
  EXPECT_EQ(finished_, 143);
}

TEST_F(ForegroundTest, WhoAsksTwiceDoesNotWait) {
  run({once("web")});
  foreground_->told_to_end(SIGINT);
  foreground_->told_to_end(SIGINT);
  EXPECT_FALSE(link_.signals_.empty());
  ends(0, SIGKILL);
  EXPECT_EQ(finished_, 130);
}

}  // namespace
}  // namespace pmx::api
