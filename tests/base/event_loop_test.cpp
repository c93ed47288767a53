#include "base/event_loop.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "base/sys.h"
#include "base/watches.h"

namespace pmx {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

class EventLoopTest : public testing::Test {
 protected:
  EventLoopTest()
      : loop_(std::move(EventLoop::create().value())), pipe_(std::move(sys::pipe().value())) {}

  // Runs everything that is due; timers of hours stay.
  void run_until_idle() {
    loop_->post([this] { loop_->stop(); });
    loop_->run();
  }
  EventLoop::Callback note(const std::string& text) {
    return [this, text] { notes_ += text; };
  }
  void print(std::string_view text) { ASSERT_TRUE(sys::write_all(pipe_.write_end.get(), text)); }
  void read_one() {
    char byte;
    ASSERT_EQ(sys::read(pipe_.read_end.get(), {&byte, 1}).value(), 1U);
    notes_ += byte;
  }

  std::unique_ptr<EventLoop> loop_;
  sys::Pipe pipe_;
  std::string notes_;
};

TEST_F(EventLoopTest, CallsBackAsLongAsThereIsSomethingToRead) {
  print("abc");
  ASSERT_TRUE(loop_->watch(pipe_.read_end.get(), [this] {
    read_one();
    if (notes_ == "abc") loop_->stop();
  }));
  loop_->run();
  EXPECT_EQ(notes_, "abc");
}

TEST_F(EventLoopTest, CallsBackWhenTheOtherEndIsGone) {
  ASSERT_TRUE(loop_->watch(pipe_.read_end.get(), [this] {
    notes_ = "end";
    loop_->stop();
  }));
  pipe_.write_end.reset();
  loop_->run();
  EXPECT_EQ(notes_, "end");
}

TEST_F(EventLoopTest, WaitsUntilThereIsRoomToWrite) {
  ASSERT_TRUE(loop_->watch_writable(pipe_.write_end.get(), [this] {
    notes_ = "writable";
    loop_->stop();
  }));
  loop_->run();
  EXPECT_EQ(notes_, "writable");
}

TEST_F(EventLoopTest, WaitsForEitherDirection) {
  sys::SocketPair sockets = std::move(sys::stream_pair().value());
  const int fd = sockets.first.get();
  ASSERT_TRUE(sys::set_nonblocking(fd, true));
  const auto watch_both_for = [&](const char* direction) {
    ASSERT_TRUE(loop_->watch_both(fd, [this, fd, direction] {
      notes_ += direction;
      loop_->unwatch(fd);
      loop_->stop();
    }));
  };
  watch_both_for("writable ");
  loop_->run();
  while (sys::write(fd, std::string(4096, 'x'))) continue;  // Until there is no room.
  watch_both_for("readable ");
  run_until_idle();
  EXPECT_EQ(notes_, "writable ");
  ASSERT_TRUE(sys::write_all(sockets.second.get(), "a"));
  loop_->run();
  EXPECT_EQ(notes_, "writable readable ");
}

TEST_F(EventLoopTest, TellsOfChangesAndNotOfWhatIsStillThere) {
  sys::SocketPair sockets = std::move(sys::stream_pair().value());
  LoopWatches watches(*loop_);
  ASSERT_TRUE(watches.watch_changes(sockets.first.get(), note("x")));
  run_until_idle();
  EXPECT_EQ(notes_, "x");  // What was there before is told of once.
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(sys::send_bytes(sockets.second.get(), "half a mess"));
    run_until_idle();
    run_until_idle();
  }
  EXPECT_EQ(notes_, "xxx");
  sockets.second.reset();
  run_until_idle();
  EXPECT_EQ(notes_, "xxxx");
  watches.unwatch(sockets.first.get());
}

TEST_F(EventLoopTest, IsQuietAboutADescriptorThatIsNoLongerWatched) {
  ASSERT_TRUE(loop_->watch(pipe_.read_end.get(), note("x")));
  loop_->unwatch(pipe_.read_end.get());
  loop_->unwatch(pipe_.read_end.get());
  print("a");
  run_until_idle();
  EXPECT_EQ(notes_, "");
}

TEST_F(EventLoopTest, ACallbackMayRemoveItselfAndOthers) {
  const sys::Pipe other = std::move(sys::pipe().value());
  ASSERT_TRUE(sys::write_all(other.write_end.get(), "b"));
  print("a");
  const auto remove_both = [&] {
    notes_ += "once";
    loop_->unwatch(pipe_.read_end.get());
    loop_->unwatch(other.read_end.get());
  };
  ASSERT_TRUE(loop_->watch(pipe_.read_end.get(), remove_both));
  ASSERT_TRUE(loop_->watch(other.read_end.get(), remove_both));
  run_until_idle();
  EXPECT_EQ(notes_, "once");
}

TEST_F(EventLoopTest, WatchingAgainReplacesTheCallback) {
  print("a");
  ASSERT_TRUE(loop_->watch(pipe_.read_end.get(), note("old")));
  ASSERT_TRUE(loop_->watch(pipe_.read_end.get(), [this] {
    notes_ = "new";
    loop_->stop();
  }));
  loop_->run();
  EXPECT_EQ(notes_, "new");
}

TEST_F(EventLoopTest, SaysWhyADescriptorCannotBeWatched) {
  const auto failed = loop_->watch(-1, [] {});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "epoll_ctl: Bad file descriptor");
}

TEST_F(EventLoopTest, TimersComeInTheOrderOfTheirTimes) {
  const auto now = std::chrono::steady_clock::now();
  loop_->call_at(now - nanoseconds(1), note("c"));
  loop_->call_at(now - nanoseconds(3), note("a"));
  loop_->call_at(now - nanoseconds(2), note("b"));
  loop_->call_at(now + hours(1), note("never"));
  run_until_idle();
  EXPECT_EQ(notes_, "abc");
}

TEST_F(EventLoopTest, ACancelledTimerNeverComes) {
  const auto now = std::chrono::steady_clock::now();
  EventLoop::TimerId second = 0;
  loop_->call_at(now - nanoseconds(2), [&] {
    notes_ += "first";
    loop_->cancel(second);
  });
  second = loop_->call_at(now - nanoseconds(1), note("second"));
  loop_->cancel(second + 1000);
  run_until_idle();
  EXPECT_EQ(notes_, "first");
}

TEST_F(EventLoopTest, ATimerMaySetTheNextOne) {
  loop_->call_after(nanoseconds(0), [this] {
    notes_ += "1";
    loop_->call_after(nanoseconds(0), [this] {
      notes_ += "2";
      loop_->stop();
    });
  });
  loop_->run();
  EXPECT_EQ(notes_, "12");
}

TEST_F(EventLoopTest, RunsWhatOtherThreadsPost) {
  int sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) loop_->post([&sum] { ++sum; });
    });
  std::thread last([&] {
    for (std::thread& thread : threads) thread.join();
    loop_->stop();
  });
  loop_->run();
  last.join();
  EXPECT_EQ(sum, 4000);
}

TEST_F(EventLoopTest, WhatIsPostedInsideARoundComesInTheNext) {
  loop_->post([this] {
    notes_ += "a";
    loop_->post([this] {
      notes_ += "b";
      loop_->stop();
    });
  });
  loop_->run();
  EXPECT_EQ(notes_, "ab");
}

TEST_F(EventLoopTest, EachRoundEndsWithTheWorkForManyEvents) {
  const sys::Pipe other = std::move(sys::pipe().value());
  ASSERT_TRUE(sys::write_all(other.write_end.get(), "b"));
  print("a");
  ASSERT_TRUE(loop_->watch(pipe_.read_end.get(), note("e")));
  ASSERT_TRUE(loop_->watch(other.read_end.get(), note("e")));
  loop_->after_each_round([this] {
    notes_ += ".";
    loop_->stop();
  });
  loop_->run();
  EXPECT_EQ(notes_.substr(0, 3), "ee.");
}

TEST_F(EventLoopTest, AnIdleLoopDoesNotWake) {
  loop_->call_after(hours(1), note("never"));
  const std::uint64_t before = loop_->wakeups();
  run_until_idle();
  EXPECT_LE(loop_->wakeups() - before, 2U) << "one post for the stop, one for its flag";
}

}  // namespace
}  // namespace pmx
