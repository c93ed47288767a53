#include "supervisor/keeper_start.h"

#include <gmock/gmock.h>

#include "keeper/keeper_process.h"

namespace pmx::supervisor {
namespace {

using test::KeeperProcess;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KeeperStartTest : public ::testing::Test {
 protected:
  StartKeeperOptions options() const {
    return {sys::self_exe(), keeper_.home(), sys::self_exe(), {}, false};
  }
  void end_keeper_of(const test::RelayedDaemon& daemon, int exit_code) {
    ASSERT_TRUE(keeper::send(daemon.socket.get(),
                             {keeper::Op::kQuit, static_cast<std::uint32_t>(exit_code)}));
    ::kill(daemon.pid, SIGKILL);
  }

  KeeperProcess keeper_;
};

TEST_F(KeeperStartTest, SaysWhatAKeeperNeedsToStartDaemonsLikeTheFirst) {
  EXPECT_THAT(keeper_arguments({"/k", "/home", "/pmx", {"--safe"}, true}),
              ElementsAre("--home", "/home", "--daemon", "/pmx", "--foreground", "--", "--safe"));
}

TEST_F(KeeperStartTest, AnswersThePidOfADetachedKeeper) {
  const auto pid = start_keeper(options());
  ASSERT_TRUE(pid) << pid.error().message();
  const test::RelayedDaemon daemon = keeper_.accept();
  ASSERT_GT(daemon.pid, 0);
  EXPECT_EQ(::getsid(*pid), *pid);
  EXPECT_TRUE(sys::read_file(keeper_.home() + "/pmx.log"));
  end_keeper_of(daemon, 0);
  keeper_.set_pid(*pid);
  EXPECT_EQ(keeper_.wait(), 0);
}

TEST_F(KeeperStartTest, PassesTheLineOfAKeeperThatIsRefused) {
  const auto pid = start_keeper(options());
  ASSERT_TRUE(pid) << pid.error().message();
  keeper_.set_pid(*pid);
  const auto second = start_keeper(options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::kExists);
  EXPECT_EQ(second.error().message(), "pmx-keeper: another keeper has " + keeper_.home());
}

TEST_F(KeeperStartTest, NamesAProgramThatCannotBeExecuted) {
  StartKeeperOptions wrong = options();
  wrong.keeper_executable = "/no/such/keeper";
  EXPECT_THAT(start_keeper(wrong).error().message(), HasSubstr("/no/such/keeper"));
  wrong = options();
  wrong.daemon_executable = "/no/such/pmx";
  EXPECT_THAT(start_keeper(wrong).error().message(), HasSubstr("/no/such/pmx"));
  EXPECT_THAT(exec_keeper({"/no/such/keeper", "/h", "/d", {}, true}).message(),
              HasSubstr("/no/such/keeper"));
}

TEST_F(KeeperStartTest, BecomesAForegroundKeeperWithTheExitCodeOfTheQuit) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    (void)exec_keeper(options());
    ::_exit(1);
  }
  keeper_.set_pid(pid);
  const test::RelayedDaemon daemon = keeper_.accept();
  end_keeper_of(daemon, 17);
  EXPECT_EQ(WEXITSTATUS(keeper_.wait()), 17);
}

}  // namespace
}  // namespace pmx::supervisor
