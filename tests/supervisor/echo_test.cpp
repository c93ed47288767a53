#include "supervisor/echo.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "base/sys.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::supervisor {
namespace {

class EchoTest : public ::testing::Test {
 protected:
  void start() {
    auto echo = Echo::start(home_.path() + "/state",
                            {{dir_.active_path(), pipe_.write_end.get(), false, "app"}},
                            EchoStyle::kRaw, page_, clock_);
    ASSERT_TRUE(echo);
    echo_ = std::move(echo).value();
  }
  std::string printed() {
    echo_->finish();
    pipe_.write_end.reset();
    return *sys::read_all(pipe_.read_end.get(), 1U << 20U);
  }
  test::TempDir home_;
  RealClock clock_;
  rotate::LogDir dir_{home_.path() + "/state", home_.path() + "/logs/app-out.log"};
  Fd page_ = *Echo::make_page();
  sys::Pipe pipe_ = *sys::pipe();
  std::unique_ptr<Echo> echo_;
};

TEST_F(EchoTest, PrintsWhatIsRecordedAfterItsStart) {
  start();
  test::SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(6, WorkerId{0}, StreamKind::kOut);
  segment.data(out, "one\ntwo\n");
  segment.write();
  EXPECT_EQ(printed(), "one\ntwo\n");
}

TEST_F(EchoTest, GoesOnBehindTheLineThatADeadDaemonPrinted) {
  start();
  test::SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(6, WorkerId{0}, StreamKind::kOut);
  segment.data(out, "one\n");
  segment.write();
  echo_->finish();
  segment.data(out, "two\n");
  segment.write();
  start();
  EXPECT_EQ(printed(), "one\ntwo\n");
}

TEST_F(EchoTest, PrintsWhatWasRecordedAfterADaemonThatDiedBeforeItsFirstLine) {
  test::SegmentBuilder segment(dir_, 1, {.time_ns = clock_.system_ns() - 1'000'000'000});
  const auto out = segment.stream(6, WorkerId{0}, StreamKind::kOut);
  segment.data(out, "of yesterday\n");
  segment.write();
  start();
  echo_->finish();
  segment.data(out, "of today\n", {.time_ns = clock_.system_ns()});
  segment.write();
  start();
  EXPECT_EQ(printed(), "of today\n");
}

TEST_F(EchoTest, LeavesOutWhatEarlierRunsOfTheHomeHavePrinted) {
  test::SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(6, WorkerId{0}, StreamKind::kOut);
  segment.data(out, "of yesterday\n");
  segment.write();
  start();
  segment.data(out, "of today\n");
  segment.write();
  EXPECT_EQ(printed(), "of today\n");
}

TEST_F(EchoTest, EndsQuietlyWhenNobodyReadsAnyMore) {
  ::signal(SIGPIPE, SIG_IGN);  // As the daemon does.
  pipe_.read_end.reset();
  start();
  test::SegmentBuilder segment(dir_, 1);
  const auto out = segment.stream(6, WorkerId{0}, StreamKind::kOut);
  segment.data(out, "one\n");
  segment.write();
  echo_->finish();
}

}  // namespace
}  // namespace pmx::supervisor
