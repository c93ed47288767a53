#include "api/daemon.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/sys.h"

namespace pmx::api {
namespace {

// A daemon limits its own process (signals, umask, core dumps), so each runs in a child of the
// test. What it does for a living is told with real processes, in tests/e2e.
class DaemonTest : public ::testing::Test {
 protected:
  DaemonTest() {
    char path[] = "/tmp/pmx-daemon-XXXXXX";
    options_.home = ::mkdtemp(path);
    ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  }
  ~DaemonTest() override { std::filesystem::remove_all(options_.home); }
  DaemonOptions options_;
};

TEST_F(DaemonTest, WithoutAKeeperItSaysSoAndEnds) {
  EXPECT_EXIT(::exit(run_daemon(options_)), ::testing::ExitedWithCode(1), "^pmx: [^\n]+\n");
}

TEST_F(DaemonTest, AKeeperThatHasGoneIsOneLineToo) {
  auto pair = sys::seqpacket_pair();
  ASSERT_TRUE(pair);
  pair->second.reset();
  options_.keeper_fd = pair->first.get();
  EXPECT_EXIT(::exit(run_daemon(options_)), ::testing::ExitedWithCode(1), "pmx: [^\n]+\n");
}

}  // namespace
}  // namespace pmx::api
