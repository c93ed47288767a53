#include "supervisor/restart_policy.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace pmx::supervisor {
namespace {

using namespace std::chrono_literals;
using Kind = Verdict::Kind;

class RestartPolicyTest : public ::testing::Test {
 protected:
  Verdict exits(int wait_status, std::chrono::milliseconds uptime = 10ms) {
    now_ += uptime;
    return after_exit(app_, memory_, exit_facts(wait_status, now_.count()), uptime);
  }
  static constexpr int code(int value) { return value << 8; }
  // How many ends until it gives up; 0: it never did.
  int ends_until_broken(std::chrono::milliseconds uptime, int at_most = 100) {
    for (int i = 1; i <= at_most; ++i) {
      const Verdict verdict = exits(code(1), uptime);
      if (verdict.kind == Kind::kBroken) return i;
      now_ += verdict.delay;
    }
    return 0;
  }

  AppSpec app_;
  RestartMemory memory_;
  std::chrono::nanoseconds now_ = 1000h;
};

TEST_F(RestartPolicyTest, GivesUpAtTheSixteenthUnstableEnd) {
  EXPECT_EQ(ends_until_broken(10ms), 16);
}

TEST_F(RestartPolicyTest, CatchesACrashLoopLateInLife) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(exits(code(1), 3h).kind, Kind::kAgain);
  EXPECT_EQ(ends_until_broken(10ms), 16);  // PM2 restarts for ever after its first 16 s.
}

TEST_F(RestartPolicyTest, OldUnstableEndsDropOutOfTheWindow) {
  app_.restart_delay = 5s;
  EXPECT_EQ(ends_until_broken(10ms), 0);
}

TEST_F(RestartPolicyTest, MaxRestartsOfZeroGivesUpAtOnce) {
  app_.max_restarts = 0;
  EXPECT_EQ(exits(code(0), 5h).kind, Kind::kBroken);
}

TEST_F(RestartPolicyTest, GivingUpIsNotHiddenByADelay) {
  app_.exp_backoff_restart_delay = 10ms;
  EXPECT_EQ(ends_until_broken(1ms), 16);  // PM2 shows "waiting restart" for ever here.
}

TEST_F(RestartPolicyTest, BackoffGrowsByHalfUpToFifteenSeconds) {
  app_.exp_backoff_restart_delay = 100ms;
  EXPECT_EQ(exits(code(1)).delay, 100ms);
  EXPECT_EQ(exits(code(1)).delay, 150ms);
  EXPECT_EQ(exits(code(1)).delay, 225ms);
  for (int i = 0; i < 30; ++i) {
    now_ += 20s;
    (void)exits(code(1), 2s);
  }
  EXPECT_EQ(exits(code(1), 2s).delay, 15s);
  app_.exp_backoff_max_delay = 4s;
  EXPECT_EQ(exits(code(1), 2s).delay, 4s);
}

TEST_F(RestartPolicyTest, BackoffStartsAgainAfterThirtySecondsOfUptime) {
  app_.exp_backoff_restart_delay = 100ms;
  (void)exits(code(1));
  (void)exits(code(1));
  EXPECT_EQ(exits(code(1), 30s).delay, 100ms);
}

TEST_F(RestartPolicyTest, StopExitCodesMatchTrueCodesOnly) {
  app_.stop_exit_codes = {0, 9};
  EXPECT_EQ(exits(code(9)).kind, Kind::kDone);
  EXPECT_EQ(exits(code(0)).kind, Kind::kDone);
  EXPECT_EQ(exits(9).kind, Kind::kAgain);   // SIGKILL: no code at all.
  EXPECT_EQ(exits(-1).kind, Kind::kAgain);  // Nobody could tell.
}

TEST_F(RestartPolicyTest, WithoutAutorestartAnEndIsTheEnd) {
  app_.autorestart = false;
  app_.restart_delay = 1s;
  EXPECT_EQ(exits(code(1)).kind, Kind::kDone);
}

TEST_F(RestartPolicyTest, AMissingProgramIsNotTriedAgain) {
  EXPECT_EQ(after_failed_start(app_, memory_, ENOENT, now_.count()).kind, Kind::kBroken);
}

TEST_F(RestartPolicyTest, ScarcityIsWaitedOut) {
  for (int i = 0; i < 50; ++i) {
    const Verdict verdict = after_failed_start(app_, memory_, EMFILE, now_.count());
    ASSERT_EQ(verdict.kind, Kind::kAgain);
    ASSERT_GE(verdict.delay, kScarcityDelay);
  }
}

TEST_F(RestartPolicyTest, AClockThatWasSetBackForgetsEndsOfTheFuture) {
  for (int i = 0; i < 15; ++i) (void)exits(code(1));
  now_ -= 1h;
  EXPECT_EQ(exits(code(1)).kind, Kind::kAgain);
}

TEST(ExitCauseTest, TellsWhoEndedTheRun) {
  const ExitFacts killed = exit_facts(SIGKILL, 1);
  EXPECT_EQ(exit_cause(killed, {.asked = true, .killed = true}), ExitCause::kKillTimeout);
  EXPECT_EQ(exit_cause(killed, {.oom_killer = true}), ExitCause::kOutOfMemory);
  EXPECT_EQ(exit_cause(killed, {}), ExitCause::kSomebody);
  EXPECT_EQ(exit_cause(exit_facts(SIGTERM, 1), {}), ExitCause::kSomebody);
  EXPECT_EQ(exit_cause(exit_facts(SIGINT, 1), {.asked = true}), ExitCause::kAsked);
  EXPECT_EQ(exit_cause(exit_facts(SIGSEGV, 1), {.oom_killer = true}), ExitCause::kItself);
  EXPECT_EQ(exit_cause(exit_facts(1 << 8, 1), {}), ExitCause::kItself);
}

TEST(ExitFactsTest, TellCodeSignalAndNothing) {
  EXPECT_EQ(exit_facts(3 << 8, 1).code, 3);
  EXPECT_EQ(exit_facts(3 << 8, 1).signal, std::nullopt);
  EXPECT_EQ(exit_facts(11, 1).signal, 11);
  EXPECT_EQ(exit_facts(11, 1).code, std::nullopt);
  ExitFacts nothing;
  nothing.at_ns = 1;
  EXPECT_EQ(exit_facts(-1, 1), nothing);
}

}  // namespace
}  // namespace pmx::supervisor
