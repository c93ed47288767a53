#include "supervisor/monitor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/fake_clock.h"

namespace pmx::supervisor {
namespace {

using namespace std::chrono_literals;

class MonitorTest : public ::testing::Test {
 protected:
  MonitorTest() : hz_(static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))) {}
  Usage sample() { return monitor_.sample(RunId{2}, 77); }
  const std::uint64_t hz_;
  test::FakeClock clock_;
  std::optional<ProcessReading> reading_{ProcessReading{0, 0, 4096}};
  int readings_ = 0;
  Monitor monitor_{clock_,
                   [this](pid_t) {
                     ++readings_;
                     return reading_;
                   },
                   [] { return 100.0; }};
};

TEST_F(MonitorTest, TheFirstSampleIsTheLifetimeAverage) {
  reading_ = ProcessReading{10 * hz_, 80 * hz_, 4096};  // 10 s of CPU in 20 s of life.
  EXPECT_DOUBLE_EQ(sample().cpu_percent, 50.0);
}

TEST_F(MonitorTest, LaterSamplesAreOverTheTimeBetween) {
  (void)sample();
  clock_.advance(2s);
  reading_->cpu_ticks = hz_;
  EXPECT_DOUBLE_EQ(sample().cpu_percent, 50.0);
}

TEST_F(MonitorTest, TwoLooksAtOnceGiveTheSameAnswer) {
  (void)sample();
  clock_.advance(1s);
  reading_->cpu_ticks = hz_ / 4;
  EXPECT_DOUBLE_EQ(sample().cpu_percent, 25.0);
  clock_.advance(1ms);
  reading_->cpu_ticks += 1;
  EXPECT_DOUBLE_EQ(sample().cpu_percent, 25.0);
}

TEST_F(MonitorTest, AProcessThatHasGoneUsesNothing) {
  reading_ = std::nullopt;
  EXPECT_EQ(sample().memory_bytes, 0U);
}

TEST_F(MonitorTest, ForgetsRunsThatHaveEnded) {
  (void)sample();
  monitor_.keep_only({});
  EXPECT_EQ(monitor_.kept(), 0U);
}

TEST(ProcessStatTest, ReadsPastANameWithBracketsAndBlanks) {
  const auto reading = parse_process_stat(
      "12 (a) b (c) S 1 12 12 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 4321 1000000 25 "
      "18446744073709551615\n");
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->cpu_ticks, 12U);
  EXPECT_EQ(reading->start_ticks, 4321U);
  EXPECT_EQ(reading->rss_bytes, 25U * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)));
}

TEST(ProcessStatTest, RefusesWhatIsCut) {
  EXPECT_FALSE(parse_process_stat(""));
  EXPECT_FALSE(parse_process_stat("12 (a) S 1 2 3"));
}

TEST(ProcessStatTest, ReadsOurselves) {
  const auto reading = read_process(::getpid());
  ASSERT_TRUE(reading);
  EXPECT_GT(reading->rss_bytes, 0U);
}

}  // namespace
}  // namespace pmx::supervisor
