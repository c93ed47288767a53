#include "cli/logs_output.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/sys.h"

namespace pmx::cli {
namespace {

class LogsOutputTest : public ::testing::Test {
 protected:
  sys::Pipe out_ = std::move(*sys::pipe()), err_ = std::move(*sys::pipe());
  LogsOutput output_{out_.write_end.get(), err_.write_end.get()};
};

TEST_F(LogsOutputTest, WritesNothingUntilItIsFlushed) {
  output_.out() = "to out";
  output_.err() = "to err";
  output_.flush_if_full();
  EXPECT_EQ(sys::pipe_bytes_waiting(out_.read_end.get()).value_or(1), 0U);
  output_.flush();
  EXPECT_EQ(sys::pipe_bytes_waiting(out_.read_end.get()).value_or(0), 6U);
  EXPECT_EQ(sys::pipe_bytes_waiting(err_.read_end.get()).value_or(0), 6U);
  EXPECT_TRUE(output_.out().empty());
  EXPECT_FALSE(output_.closed());
  EXPECT_FALSE(output_.out_is_terminal());
}

TEST_F(LogsOutputTest, NoticesThatNobodyReadsAnyMore) {
  const LogsSignals signals(false);
  out_.read_end.reset();
  output_.out() = "lost";
  output_.flush();
  EXPECT_TRUE(output_.closed());
}

TEST_F(LogsOutputTest, LeavesSignalsAsTheyWere) {
  struct sigaction before {
  }, during{}, after{};
  ::sigaction(SIGPIPE, nullptr, &before);
  {
    const LogsSignals signals(false);
    ::sigaction(SIGPIPE, nullptr, &during);
  }
  ::sigaction(SIGPIPE, nullptr, &after);
  EXPECT_TRUE(during.sa_handler == SIG_IGN);
  EXPECT_TRUE(after.sa_handler == before.sa_handler);
}

}  // namespace
}  // namespace pmx::cli
