#include "supervisor/memory_guard.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "supervisor/supervisor_fixture.h"

namespace pmx::test {
namespace {

using supervisor::ExitCause;

constexpr std::uint64_t kMib = 1U << 20U;

class MemoryGuardTest : public SupervisorFixture {
 protected:
  WorkerId bounded(const std::string& name = "web") {
    AppSpec spec = app(name);
    spec.max_memory_restart = 100 * kMib;
    return online(spec);
  }
  void has(WorkerId id, std::uint64_t mib) { rss_bytes_[record(id).pid] = mib * kMib; }
  bool is_stopping(WorkerId id) { return status(id) == "stopping"; }
};

TEST_F(MemoryGuardTest, RestartsWithinASecondWhatHasTooMuch) {
  const WorkerId id = bounded();
  has(id, 100);
  clock_.advance(2s);
  EXPECT_FALSE(is_stopping(id));
  has(id, 101);
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(id));
  exits(id, SIGINT);
  EXPECT_EQ(record(id).last_exit->cause, ExitCause::kMemoryLimit);
  EXPECT_EQ(record(id).limit_runs_ns.size(), 1U);
  link_.run(record(id).run);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(record(id).restarts, 1);
  EXPECT_EQ(supervisor_->find(id)->restarts_in_last_minute(), 1) << "nobody has asked for it";
}

TEST_F(MemoryGuardTest, OneOfAnAppAtATimeAndTheLargestFirst) {
  const WorkerId small = bounded(), large = bounded(), other = bounded("other");
  has(small, 150);
  has(large, 200);
  has(other, 150);
  clock_.advance(1s);
  EXPECT_FALSE(is_stopping(small));
  EXPECT_TRUE(is_stopping(large));
  EXPECT_TRUE(is_stopping(other));
  exits(large, SIGINT);
  clock_.advance(1s);
  EXPECT_FALSE(is_stopping(small));  // The large one has not come up yet.
  rss_bytes_.clear();
  has(small, 150);
  link_.run(record(large).run);
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(small));
}

TEST_F(MemoryGuardTest, NobodyIsLookedAtWithoutALimit) {
  const WorkerId id = online();
  has(id, 10'000);
  clock_.advance(5s);
  EXPECT_EQ(status(id), "online");
  EXPECT_EQ(clock_.waiting(), 0U);
}

TEST_F(MemoryGuardTest, TheNextDaemonGoesOnLooking) {
  const WorkerId id = bounded();
  next_daemon();
  has(id, 200);
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(id));
}

TEST_F(MemoryGuardTest, ALimitThatIsSetLaterHolds) {
  const WorkerId id = online();
  has(id, 200);
  supervisor_->change_specs([](AppSpec& spec) {
    spec.max_memory_restart = 100 * kMib;
    return true;
  });
  clock_.advance(1s);
  EXPECT_TRUE(is_stopping(id));
}

}  // namespace
}  // namespace pmx::test
