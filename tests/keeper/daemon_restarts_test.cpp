#include "keeper/daemon_restarts.h"

#include <gtest/gtest.h>

namespace pmx::keeper {
namespace {

using namespace std::chrono_literals;
using Death = DaemonRestarts::Death;

class DaemonRestartsTest : public ::testing::Test {
 protected:
  // The daemon lives for `life`, then dies.
  std::chrono::milliseconds dies(Death death, std::chrono::milliseconds life) {
    const auto started = now_;
    now_ += life;
    const auto wait = restarts_.after(death, started, now_);
    now_ += wait;
    return wait;
  }
  DaemonRestarts restarts_;
  DaemonRestarts::TimePoint now_{1000s};
};

TEST_F(DaemonRestartsTest, StartsAtOnceAfterAKill) {
  for (int i = 0; i < 200; ++i) EXPECT_EQ(dies(Death::kKilled, 51ms), 0ms);
  EXPECT_FALSE(restarts_.safe());
}

TEST_F(DaemonRestartsTest, WaitsWhereKillsComeMoreThanTwentyTimesASecond) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(dies(Death::kKilled, 1ms), 0ms);
  EXPECT_EQ(dies(Death::kKilled, 1ms), 100ms);
}

TEST_F(DaemonRestartsTest, DoublesTheWaitAfterEachCrashUpToFiveSeconds) {
  for (const auto wait : {100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms, 5000ms, 5000ms})
    EXPECT_EQ(dies(Death::kCrashed, 1ms), wait);
}

TEST_F(DaemonRestartsTest, StartsSafeAfterFiveCrashesInTenSeconds) {
  for (int i = 0; i < 4; ++i) dies(Death::kCrashed, 1ms);
  EXPECT_FALSE(restarts_.safe());
  dies(Death::kCrashed, 1ms);
  EXPECT_TRUE(restarts_.safe());
  for (int i = 0; i < 5; ++i) dies(Death::kCrashed, 1ms);
  EXPECT_TRUE(restarts_.safe()) << "with five seconds between crashes as well";
}

TEST_F(DaemonRestartsTest, ForgetsOnceADaemonHasLivedForTenSeconds) {
  for (int i = 0; i < 5; ++i) dies(Death::kCrashed, 1ms);
  EXPECT_EQ(dies(Death::kCrashed, 10s), 100ms);
  EXPECT_FALSE(restarts_.safe());
}

}  // namespace
}  // namespace pmx::keeper
