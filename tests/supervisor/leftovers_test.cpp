#include "supervisor/leftovers.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"

namespace pmx::supervisor {
namespace {

// A process group of this test's own, asleep.
pid_t sleeper() {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  (void)::setpgid(0, 0);
  for (;;) ::pause();
}

TEST(LeftoversTest, EndsTheProcessThatItWasAndNoOther) {
  const RealClock clock;
  const pid_t pid = sleeper();
  const auto ticks = sys::start_time_ticks(pid);
  ASSERT_TRUE(ticks);
  EXPECT_EQ(end_leftovers({{pid, *ticks + 1}}, clock), 0U);
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), 0);
  EXPECT_EQ(end_leftovers({{pid, *ticks}}, clock), 1U);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(end_leftovers({{pid, *ticks}, {0, 0}, {1, 1}}, clock), 0U);
}

}  // namespace
}  // namespace pmx::supervisor
