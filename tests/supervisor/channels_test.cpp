#include "supervisor/channels.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "base/sys.h"
#include "support/fake_clock.h"
#include "support/fake_keeper_link.h"
#include "support/fake_watches.h"

namespace pmx::test {
namespace {

using namespace std::chrono_literals;
using supervisor::AppMessage;
using supervisor::Channel;
using supervisor::Channels;

class ChannelsTest : public testing::Test {
 protected:
  ChannelsTest() {
    (void)::signal(SIGPIPE, SIG_IGN);  // As the daemon does.
    sys::SocketPair pair = std::move(sys::stream_pair().value());
    worker_ = std::move(pair.second);
    EXPECT_TRUE(link_.put("chan.8", pair.first.get()));
    sys::Pipe input = std::move(sys::pipe().value());
    EXPECT_TRUE(sys::set_nonblocking(input.write_end.get(), true));
    EXPECT_TRUE(sys::set_nonblocking(input.read_end.get(), true));
    (void)sys::set_pipe_size(input.write_end.get(), Channels::kIdleStdinBytes);
    EXPECT_TRUE(link_.put("stdin.8", input.write_end.get()));
    input_ = std::move(input.read_end);
    next_daemon();
  }
  void next_daemon() {
    channels_ = std::make_unique<Channels>(
        link_, watches_, clock_,
        Channels::Events{[this](RunId, const AppMessage&, std::string_view line) {
                           heard_ += std::string(line) + " ";
                           return hold_ ? Channel::Took::kHold : Channel::Took::kDone;
                         },
                         [this](const std::string& line) { notices_.push_back(line); }});
  }
  void says(std::string_view bytes) {
    ASSERT_TRUE(sys::send_bytes(worker_.get(), bytes));
    watches_.changed();
  }
  std::string read(int fd) {
    std::string bytes(1U << 20U, '\0');
    const auto n = sys::read(fd, bytes);
    bytes.resize(n ? *n : 0);
    return bytes;
  }
  bool holds(const std::string& name) { return link_.get(name).has_value(); }

  static constexpr RunId kRun{8};
  FakeKeeperLink link_;
  FakeWatches watches_;
  FakeClock clock_;
  Fd worker_, input_;
  bool hold_ = false;
  std::string heard_;
  std::vector<std::string> notices_;
  std::unique_ptr<Channels> channels_;
};

TEST_F(ChannelsTest, TellsWhatSomebodyWantsAndDropsTheRest) {
  says("\"early\"\n\"ready\"\n");
  EXPECT_EQ(heard_, "");  // Its run has not begun, for us.
  channels_->open(kRun);
  watches_.changed();
  says("{\"type\":\"process:msg\",\"data\":{}}\n42\n");
  EXPECT_EQ(heard_, "\"ready\" ");
}

TEST_F(ChannelsTest, ARunWithoutChannelIsFine) {
  channels_->open(RunId{10});
  EXPECT_EQ(watches_.count(), 0U);
  EXPECT_TRUE(notices_.empty());
  EXPECT_FALSE(channels_->send(RunId{10}, "1"));
  channels_->close(RunId{10});
}

TEST_F(ChannelsTest, WhatIsHeldGoesOnWhenItIsReleased) {
  channels_->open(kRun);
  hold_ = true;
  says("\"ready\"\n");
  hold_ = false;
  says("\"ready\"\n");
  EXPECT_EQ(heard_, "\"ready\" ");
  channels_->release_held();
  clock_.run_due();
  EXPECT_EQ(heard_, "\"ready\" \"ready\" ");
}

TEST_F(ChannelsTest, ASocketFromAWorkerIsAcknowledgedOrItWouldSayNothingMore) {
  channels_->open(kRun);
  says("{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\"x\"}\n");
  EXPECT_EQ(read(worker_.get()), "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
}

TEST_F(ChannelsTest, AFloodIsReadInTurns) {
  channels_->open(kRun);
  sys::set_buffer_size(worker_.get(), 8U << 20U);
  std::string flood;
  while (flood.size() < 3000) flood += "{\"n\":1}\n";
  for (int i = 0; i < 200; ++i) {
    if (!sys::send_bytes(worker_.get(), flood)) watches_.changed();
    clock_.run_due();
  }
  says("\"ready\"\n");
  for (int i = 0; i < 10; ++i) clock_.run_due();
  EXPECT_EQ(heard_, "\"ready\" ");
}

TEST_F(ChannelsTest, ALongLineThatDoesNotEndIsTakenOutAfterASecond) {
  channels_->open(kRun);
  says('"' + std::string(500, 'x'));
  EXPECT_EQ(sys::pipe_bytes_waiting(link_.get("chan.8")->get()).value(), 501U);
  clock_.advance(1s);
  EXPECT_EQ(sys::pipe_bytes_waiting(link_.get("chan.8")->get()).value(), 0U);
  says("\"\n\"ready\"\n");
  EXPECT_EQ(heard_, "\"ready\" ");
}

TEST_F(ChannelsTest, BoundsThatAreHitAreSaidOnce) {
  channels_->open(kRun);
  for (int i = 0; i < 2; ++i) {
    std::string_view rest;
    const std::string message = '"' + std::string(Channel::kMaxMessageBytes, 'x') + "\"\n";
    for (rest = message; !rest.empty(); watches_.changed()) {
      const auto n = sys::send_bytes(worker_.get(), rest);
      if (n) rest.remove_prefix(*n);
      clock_.run_due();
    }
  }
  while (channels_->send(kRun, '"' + std::string(20'000, 'x') + '"')) continue;
  EXPECT_FALSE(channels_->send(kRun, "1"));
  ASSERT_EQ(notices_.size(), 2U);
  EXPECT_NE(notices_[0].find("more than 1048576 bytes"), std::string::npos);
  EXPECT_NE(notices_[1].find("does not read"), std::string::npos);
}

TEST_F(ChannelsTest, TheLastWordsOfARunAreHeardBeforeItsEnd) {
  channels_->open(kRun);
  ASSERT_TRUE(sys::send_bytes(worker_.get(), "\"ready\"\n"));
  channels_->close(kRun);
  EXPECT_EQ(heard_, "\"ready\" ");
  EXPECT_FALSE(holds("chan.8") || holds("stdin.8"));
  EXPECT_EQ(watches_.count(), 0U);
}

TEST_F(ChannelsTest, AWorkerThatDisconnectsKeepsItsInput) {
  channels_->open(kRun);
  worker_.reset();
  watches_.changed();
  EXPECT_FALSE(holds("chan.8"));
  EXPECT_TRUE(holds("stdin.8"));
  EXPECT_FALSE(channels_->send(kRun, "1"));
}

TEST_F(ChannelsTest, LinesReachAStandardInputWholeOrNotAtAll) {
  ASSERT_TRUE(channels_->write_stdin(kRun, "one\n"));
  ASSERT_TRUE(channels_->write_stdin(kRun, "two\n"));
  EXPECT_EQ(read(input_.get()), "one\ntwo\n");
  const std::string large(300'000, 'x');
  ASSERT_TRUE(channels_->write_stdin(kRun, large));
  EXPECT_EQ(channels_->write_stdin(kRun, large).error().code(), Errc::kNoSpace);
  EXPECT_EQ(read(input_.get()).size(), large.size());
  EXPECT_EQ(
      channels_->write_stdin(kRun, std::string(Channels::kMaxLineBytes + 1, 'x')).error().code(),
      Errc::kInvalidArgument);
}

TEST_F(ChannelsTest, AnInputThatNobodyReadsIsFullInTheEnd) {
  const std::string line(1000, 'x');
  std::size_t taken = 0;
  auto written = channels_->write_stdin(kRun, line);
  for (; written; written = channels_->write_stdin(kRun, line)) ++taken;
  EXPECT_EQ(written.error().code(), Errc::kNoSpace);
  EXPECT_EQ(read(input_.get()).size(), taken * line.size());
  input_.reset();
  EXPECT_EQ(channels_->write_stdin(kRun, line).error().message(), "has closed its standard input");
}

TEST_F(ChannelsTest, OfADaemonBeforeOnlyWhatBelongsToRunsIsKept) {
  ASSERT_TRUE(link_.put("chan.6", worker_.get()));
  ASSERT_TRUE(link_.put("stdin.6", worker_.get()));
  ASSERT_TRUE(link_.put("pipe.6", worker_.get()));
  channels_->drop_all_but({kRun});
  EXPECT_TRUE(holds("chan.8") && holds("stdin.8") && holds("pipe.6"));
  EXPECT_FALSE(holds("chan.6") || holds("stdin.6"));
}

}  // namespace
}  // namespace pmx::test
