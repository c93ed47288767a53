#include "supervisor/channel.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/sys.h"
#include "support/without_capabilities.h"

namespace pmx::supervisor {
namespace {

using Lines = std::vector<std::string>;
using Turn = Channel::Turn;
using Took = Channel::Took;

// The worker is one end of a socket pair; the keeper's duplicate of the other end outlives daemons.
class ChannelTest : public testing::Test {
 protected:
  ChannelTest() : window_(Channel::kWindowBytes) {
    sys::SocketPair pair = std::move(sys::stream_pair().value());
    kept_ = std::move(pair.first);
    worker_ = std::move(pair.second);
    next_daemon();
  }
  void next_daemon() {
    channel_ = std::make_unique<Channel>(
        std::move(sys::duplicate(kept_.get()).value()), [this](std::string_view line) {
          heard_.emplace_back(line);
          return holds_.empty() || line.find(holds_) == std::string_view::npos ? Took::kDone
                                                                               : Took::kHold;
        });
  }
  void says(std::string_view bytes) {
    ASSERT_EQ(sys::send_bytes(worker_.get(), bytes).value(), bytes.size());
  }
  // A worker that waits for room, as one with a blocking descriptor does.
  void says_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = sys::send_bytes(worker_.get(), bytes);
      if (sent) bytes.remove_prefix(*sent);
      (void)turn();
    }
  }
  Turn turn() { return channel_->turn(window_); }
  Lines heard() { return std::exchange(heard_, {}); }
  std::string worker_reads() {
    std::string all;
    std::array<char, 65536> piece;
    for (auto n = sys::receive(worker_.get(), piece); n && *n > 0;
         n = sys::receive(worker_.get(), piece))
      all.append(piece.data(), *n);
    return all;
  }
  std::size_t waiting() { return sys::pipe_bytes_waiting(kept_.get()).value(); }

  Fd kept_, worker_;
  std::vector<char> window_;
  std::unique_ptr<Channel> channel_;
  std::string holds_;
  Lines heard_;
};

TEST_F(ChannelTest, EachLineIsAMessage) {
  says("\"ready\"\n{\"a\":1}\n");
  EXPECT_EQ(turn(), Turn::kIdle);
  EXPECT_EQ(heard(), (Lines{"\"ready\"", "{\"a\":1}"}));
  EXPECT_EQ(waiting(), 0U);
  EXPECT_EQ(turn(), Turn::kIdle);
  EXPECT_TRUE(heard().empty());
}

TEST_F(ChannelTest, AMessageCutAtAnyByteSurvivesTheDeathOfTheDaemon) {
  const std::string text = "{\"n\":1}\n\"ready\"\n{\"n\":2}\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    says(text.substr(0, cut));
    (void)turn();
    next_daemon();
    (void)turn();
    says(text.substr(cut));
    (void)turn();
    EXPECT_EQ(heard(), (Lines{"{\"n\":1}", "\"ready\"", "{\"n\":2}"})) << "cut at byte " << cut;
  }
}

TEST_F(ChannelTest, WhatIsHeldIsThereForTheNextDaemon) {
  holds_ = "ready";
  says("{\"n\":1}\n\"ready\"\n{\"n\":2}\n");
  EXPECT_EQ(turn(), Turn::kIdle);
  EXPECT_EQ(heard().size(), 3U);  // What follows is acted on all the same.
  EXPECT_TRUE(channel_->held());
  next_daemon();
  (void)turn();
  EXPECT_EQ(heard(), (Lines{"{\"n\":1}", "\"ready\"", "{\"n\":2}"}));
  channel_->release();
  EXPECT_EQ(waiting(), 0U);
  says("{\"n\":3}\n");
  (void)turn();
  EXPECT_EQ(heard(), Lines{"{\"n\":3}"});
}

TEST_F(ChannelTest, WhatComesWhileSomethingIsHeldWaits) {
  holds_ = "ready";
  says("\"ready\"\n");
  (void)turn();
  says("{\"n\":1}\n");
  EXPECT_EQ(turn(), Turn::kIdle);
  EXPECT_EQ(heard(), Lines{"\"ready\""});
  channel_->release();
  (void)turn();
  EXPECT_EQ(heard(), Lines{"{\"n\":1}"});
}

TEST_F(ChannelTest, AReleaseFromWithinTheMessageItselfIsEnough) {
  Channel* self = nullptr;
  Channel channel(std::move(sys::duplicate(kept_.get()).value()), [&self](std::string_view) {
    self->release();  // Saved already, on the way.
    return Took::kDone;
  });
  self = &channel;
  says("\"ready\"\n\"b\"\n");
  EXPECT_EQ(channel.turn(window_), Turn::kIdle);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(ChannelTest, AShortBeginningWaitsForItsRestForEver) {
  says("\"rea");
  EXPECT_EQ(turn(), Turn::kIdle);
  EXPECT_EQ(channel_->beginning_bytes(), 4U);
  channel_->make_room(window_);
  EXPECT_EQ(waiting(), 4U);
  says("dy\"\n");
  (void)turn();
  EXPECT_EQ(heard(), Lines{"\"ready\""});
}

TEST_F(ChannelTest, AMessageAsLongAsIsAllowedArrivesWhole) {
  for (const std::size_t size : {Channel::kWindowBytes - 1, Channel::kWindowBytes,
                                 3 * Channel::kWindowBytes, Channel::kMaxMessageBytes}) {
    const std::string message = '"' + std::string(size - 2, 'x') + '"';
    says_all(message + "\n\"after\"\n");
    (void)turn();
    EXPECT_EQ(heard(), (Lines{message, "\"after\""})) << size;
  }
  EXPECT_EQ(channel_->passed_over(), 0U);
}

TEST_F(ChannelTest, ALongerOneIsPassedOverAndCounted) {
  says_all("\"before\"\n\"" + std::string(Channel::kMaxMessageBytes, 'x') + "\"\n\"after\"\n");
  (void)turn();
  EXPECT_EQ(heard(), (Lines{"\"before\"", "\"after\""}));
  EXPECT_EQ(channel_->passed_over(), 1U);
}

TEST_F(ChannelTest, TheRestOfALongMessageIsNoMessageForTheNextDaemon) {
  const std::string message = '"' + std::string(Channel::kWindowBytes, 'x');
  says(message);
  (void)turn();
  EXPECT_EQ(waiting(), 0U);  // Taken out, to make room for its rest.
  next_daemon();
  says("\"ready\"\n\"after\"\n");
  (void)turn();
  EXPECT_EQ(heard(), Lines{"\"after\""});
  EXPECT_EQ(channel_->passed_over(), 1U);
}

TEST_F(ChannelTest, NoMessageIsLostBehindALongOneThatEndedAsTheDaemonDied) {
  says('"' + std::string(Channel::kWindowBytes, 'x'));
  (void)turn();
  says("\"\n");  // Its newline is in the socket, and the daemon has not seen it.
  next_daemon();
  says("\"ready\"\n");
  (void)turn();
  EXPECT_EQ(heard(), Lines{"\"ready\""});
}

TEST_F(ChannelTest, AWriterOfSingleBytesIsGivenRoom) {
  const std::string message = '"' + std::string(2000, 'x') + "\"\n";
  std::size_t sent = 0, times_full = 0;
  while (sent < message.size()) {
    const auto n = sys::send_bytes(worker_.get(), std::string_view(message).substr(sent, 1));
    if (n) {
      sent += *n;
      continue;
    }
    (void)turn();
    // From then on each piece is taken as it comes.
    if (times_full++ == 0) {
      EXPECT_GE(channel_->beginning_bytes(), Channel::kPatientBytes);
    }
    channel_->make_room(window_);
  }
  (void)turn();
  EXPECT_EQ(heard(), Lines{message.substr(0, message.size() - 1)});
}

TEST_F(ChannelTest, AFloodLeavesOthersTheirTurn) {
  std::string many;
  while (many.size() < Channel::kTurnBytes) many += "{\"n\":123456789}\n";
  std::string_view rest = many;
  std::size_t turns = 0, heard_lines = 0;
  while (!rest.empty() || turn() == Turn::kMore) {
    const auto sent =
        rest.empty() ? Result<std::size_t>(std::size_t{0}) : sys::send_bytes(worker_.get(), rest);
    if (sent) rest.remove_prefix(*sent);
    (void)turn();
    ++turns;
    heard_lines += heard().size();
  }
  heard_lines += heard().size();
  EXPECT_EQ(heard_lines, many.size() / 16);
}

TEST_F(ChannelTest, TheEndComesAfterWhatWasSaidLast) {
  says("\"a\"\n\"b\"\n");
  worker_.reset();
  EXPECT_EQ(turn(), Turn::kClosed);
  EXPECT_EQ(heard(), (Lines{"\"a\"", "\"b\""}));
  EXPECT_EQ(turn(), Turn::kClosed);
  EXPECT_FALSE(channel_->send("1"));
}

TEST_F(ChannelTest, SendsWholeLinesOnly) {
  ASSERT_TRUE(channel_->send("\"shutdown\""));
  const std::string large = '"' + std::string(Channel::kMaxSentBytes - 3, 'y') + '"';
  ASSERT_TRUE(channel_->send(large));
  EXPECT_EQ(worker_reads(), "\"shutdown\"\n" + large + "\n");
  EXPECT_EQ(channel_->send(std::string(Channel::kMaxSentBytes, 'y')).error().code(),
            Errc::kInvalidArgument);
}

TEST_F(ChannelTest, AWorkerThatDoesNotReadLosesWhatIsPastTheBoundAndNothingElse) {
  const std::string message = '"' + std::string(10'000, 'z') + '"';
  std::size_t taken = 0;
  while (channel_->send(message)) ++taken;
  EXPECT_GE(taken, Channel::kMaxQueued);
  EXPECT_EQ(channel_->refused(), 1U);
  std::string all;
  for (std::string more = worker_reads(); !more.empty(); more = worker_reads()) {
    all += more;
    (void)turn();  // There is room again.
  }
  EXPECT_EQ(all.size(), taken * (message.size() + 1));
  EXPECT_TRUE(channel_->send("1"));
}

// ETOOMANYREFS of unix(7): more descriptors are on their way than this user may have open. No
// change of our socket says when that is over.
TEST_F(ChannelTest, WhatOnlyTimeLetsThroughIsTriedAgain) {
  const sys::SocketPair other = std::move(sys::stream_pair().value());
  const test::WithoutCapabilities unprivileged;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{128, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  // The kernel counts those of all processes of a user: others may have taken some of theirs.
  for (int i = 0; i < 100 && !channel_->must_try_again(); ++i) {
    (void)worker_reads();
    std::size_t passed = 0;
    while (passed < 1000 && sys::send_bytes(other.first.get(), "x", kept_.get())) ++passed;
    ASSERT_LT(passed, 1000U);
    ASSERT_TRUE(channel_->send("\"with a socket\"", kept_.get()));
  }
  ASSERT_TRUE(channel_->must_try_again());
  EXPECT_EQ(worker_reads(), "");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(turn(), Turn::kIdle);
  EXPECT_FALSE(channel_->must_try_again());
  EXPECT_EQ(worker_reads(), "\"with a socket\"\n");
}

TEST_F(ChannelTest, WhatIsSentAtOnceIsThereAsAWholeOrNotAtAll) {
  const sys::SocketPair pair = std::move(sys::stream_pair().value());
  std::size_t taken = 0;
  while (channel_->send_at_once("\"at once\"", pair.first.get())) ++taken;
  EXPECT_FALSE(channel_->closed());
  ASSERT_TRUE(channel_->send("1"));  // It waits, and nothing goes before it.
  EXPECT_FALSE(channel_->send_at_once("2", pair.first.get()));
  std::string all = worker_reads();
  (void)turn();
  ASSERT_TRUE(channel_->send_at_once("3", pair.first.get()));
  all += worker_reads();
  std::string expected;
  for (std::size_t i = 0; i < taken; ++i) expected += "\"at once\"\n";
  EXPECT_EQ(all, expected + "1\n3\n");
  EXPECT_EQ(channel_->refused(), 0U);
}

TEST_F(ChannelTest, NothingIsSentAtOnceToAWorkerThatHasClosedItsEnd) {
  worker_.reset();
  EXPECT_EQ(channel_->send_at_once("1", kept_.get()).error().code(), Errc::kUnavailable);
  EXPECT_TRUE(channel_->closed());
}

TEST_F(ChannelTest, ADaemonsDeathIsNoEndForTheWorker) {
  channel_.reset();
  says("\"still there\"\n");
  next_daemon();
  (void)turn();
  EXPECT_EQ(heard(), Lines{"\"still there\""});
}

}  // namespace
}  // namespace pmx::supervisor
