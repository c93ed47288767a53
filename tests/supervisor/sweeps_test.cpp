#include "supervisor/sweeps.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/sys.h"
#include "support/fake_clock.h"

namespace pmx::supervisor {
namespace {

using namespace std::chrono_literals;

// A group whose leader has ended and been waited for; another member is left.
class OrphanedGroup {
 public:
  enum class Heeds : bool { kNo, kYes };
  explicit OrphanedGroup(Heeds heeds) {
    (void)::prctl(PR_SET_CHILD_SUBREAPER,
                  1);  // It becomes our child, and goes when we have waited.
    leader_.pid = ::fork();
    if (leader_.pid == 0) {
      (void)::setpgid(0, 0);
      if (heeds == Heeds::kNo) (void)::signal(SIGTERM, SIG_IGN);
      if (::fork() != 0) ::_exit(0);
      for (;;) ::pause();
    }
    ::waitpid(leader_.pid, nullptr, 0);
    leader_.run = RunId{7};
  }
  ~OrphanedGroup() {
    signal(SIGKILL);
    wait_for_end();
  }
  const Child& leader() const { return leader_; }
  void signal(int signal) const { (void)sys::kill_group(leader_.pid, signal); }
  void wait_for_end() const { (void)::waitpid(-leader_.pid, nullptr, 0); }

 private:
  Child leader_;
};

class SweepsTest : public ::testing::Test {
 protected:
  bool noticed(std::string_view part) const {
    return std::any_of(notices_.begin(), notices_.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  }

  test::FakeClock clock_;
  std::vector<std::string> notices_;
  std::vector<RunId> done_;
  Sweeps sweeps_{clock_, clock_, [] { return std::vector<ProcessEntry>(); },
                 [this](const std::string& line) { notices_.push_back(line); },
                 [this](RunId run) { done_.push_back(run); }};
};

TEST_F(SweepsTest, NobodyIsLeftOfAProcessThatWasAlone) {
  Child alone;
  alone.run = RunId{7};
  alone.pid = ::fork();
  if (alone.pid == 0) {
    (void)::setpgid(0, 0);
    ::_exit(0);
  }
  ::waitpid(alone.pid, nullptr, 0);
  EXPECT_FALSE(sweeps_.begin(alone, 1s));
  EXPECT_FALSE(sweeps_.any());
}

TEST_F(SweepsTest, WhoEndsByHimselfIsWaitedForAndNotKilled) {
  const OrphanedGroup group(OrphanedGroup::Heeds::kYes);
  ASSERT_TRUE(sweeps_.begin(group.leader(), 10s));
  clock_.advance(5s);
  EXPECT_TRUE(done_.empty());
  group.signal(SIGTERM);
  group.wait_for_end();
  clock_.advance(Sweeps::kLongestPause);
  EXPECT_EQ(done_, std::vector{RunId{7}});
  EXPECT_TRUE(notices_.empty());
  EXPECT_FALSE(sweeps_.any());
}

TEST_F(SweepsTest, WhoDoesNotIsKilledAfterTheGrace) {
  const OrphanedGroup group(OrphanedGroup::Heeds::kNo);
  ASSERT_TRUE(sweeps_.begin(group.leader(), 10s));
  group.signal(SIGTERM);
  clock_.advance(9s);
  EXPECT_TRUE(notices_.empty());
  clock_.advance(1s);
  EXPECT_TRUE(noticed("were ended"));
  group.wait_for_end();
  clock_.advance(Sweeps::kLongestPause);
  EXPECT_EQ(done_, std::vector{RunId{7}});
}

TEST_F(SweepsTest, NobodyHasMoreGraceWhenAllAreKilled) {
  const OrphanedGroup group(OrphanedGroup::Heeds::kNo);
  ASSERT_TRUE(sweeps_.begin(group.leader(), 10s));
  sweeps_.kill_all();
  group.wait_for_end();
  clock_.advance(Sweeps::kLongestPause);
  EXPECT_EQ(done_, std::vector{RunId{7}});
}

}  // namespace
}  // namespace pmx::supervisor
