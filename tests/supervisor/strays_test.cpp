#include "supervisor/strays.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/sys.h"
#include "support/fake_clock.h"

namespace pmx::supervisor {
namespace {

using namespace std::chrono_literals;

std::vector<pid_t> outside(const std::vector<ProcessEntry>& all, pid_t leader) {
  std::vector<pid_t> pids;
  for (const ProcessEntry& process : descendants_outside_group(all, leader))
    pids.push_back(process.pid);
  std::sort(pids.begin(), pids.end());
  return pids;
}

TEST(DescendantsTest, AreThoseOfAnyDepthInAnotherGroup) {
  const std::vector<ProcessEntry> all{
      {10, 1, 10, 0},   // The leader.
      {11, 10, 10, 0},  // In its group.
      {12, 11, 12, 0},  // A child of that, by setsid.
      {13, 12, 12, 0},  // And its child.
      {20, 1, 20, 0},   // Nobody of ours.
      {21, 20, 20, 0},
  };
  EXPECT_EQ(outside(all, 10), (std::vector<pid_t>{12, 13}));
  EXPECT_EQ(outside(all, 20), std::vector<pid_t>());
}

TEST(DescendantsTest, ATableThatIsNoTreeEnds) {
  EXPECT_EQ(outside({{10, 12, 10, 0}, {11, 10, 11, 0}, {12, 11, 12, 0}}, 10),
            (std::vector<pid_t>{11, 12}));
}

// A process in a group of its own that waits for a signal.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ == 0) {
      ::setpgid(0, 0);
      while (true) ::pause();
    }
    ::setpgid(pid_, pid_);
  }
  ~Child() {
    if (!ended_) ::kill(pid_, SIGKILL), (void)end_signal();
  }
  ProcessEntry entry() const { return {pid_, ::getpid(), pid_, *sys::start_time_ticks(pid_)}; }
  int end_signal() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ended_ = true;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  bool alive() const { return ::waitpid(pid_, nullptr, WNOHANG) == 0; }

 private:
  pid_t pid_;
  bool ended_ = false;
};

class StraysTest : public ::testing::Test {
 protected:
  test::FakeClock clock_;
  std::vector<ProcessEntry> table_;
  int read_ = 0;
  Strays strays_{clock_, [this] {
                   ++read_;
                   return table_;
                 }};
};

TEST_F(StraysTest, GetTheSignal) {
  Child child;
  table_ = {child.entry()};
  strays_.signal(RunId{2}, ::getpid(), SIGTERM);
  EXPECT_EQ(child.end_signal(), SIGTERM);
}

TEST_F(StraysTest, AreEndedThoughTheirParentIsGone) {
  Child child;
  table_ = {child.entry()};
  strays_.signal(RunId{2}, ::getpid(), 0);
  EXPECT_TRUE(child.alive());
  table_.clear();
  EXPECT_TRUE(strays_.has(RunId{2}));
  EXPECT_EQ(strays_.end(RunId{2}), 1U);
  EXPECT_EQ(child.end_signal(), SIGKILL);
  EXPECT_FALSE(strays_.has(RunId{2}));
  EXPECT_EQ(strays_.end(RunId{2}), 0U);
}

TEST_F(StraysTest, AProcessThatGotTheNumberLaterIsLeftAlone) {
  Child child;
  table_ = {child.entry()};
  --table_[0].start_ticks;
  strays_.signal(RunId{2}, ::getpid(), SIGTERM);
  EXPECT_EQ(strays_.end(RunId{2}), 0U);
  EXPECT_TRUE(child.alive());
}

TEST_F(StraysTest, ManyStopsAreOneReading) {
  for (std::uint64_t run = 2; run < 40; run += 2) strays_.signal(RunId{run}, 100, SIGINT);
  EXPECT_EQ(read_, 1);
  clock_.advance(200ms);
  strays_.signal(RunId{2}, 100, SIGINT);
  EXPECT_EQ(read_, 2);
  EXPECT_FALSE(strays_.has(RunId{2}));
}

TEST_F(StraysTest, TheTableOfThisMachineHasUs) {
  const auto all = read_process_table();
  const auto us = std::find_if(all.begin(), all.end(),
                               [](const ProcessEntry& each) { return each.pid == ::getpid(); });
  ASSERT_NE(us, all.end());
  EXPECT_EQ(us->parent, ::getppid());
  EXPECT_EQ(us->group, ::getpgrp());
  EXPECT_EQ(us->start_ticks, *sys::start_time_ticks(::getpid()));
}

}  // namespace
}  // namespace pmx::supervisor
