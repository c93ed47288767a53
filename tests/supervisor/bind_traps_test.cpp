#include "supervisor/bind_traps.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <future>
#include <thread>

#include "base/sys.h"
#include "support/fake_clock.h"
#include "support/fake_keeper_link.h"
#include "support/fake_watches.h"
#include "support/loopback.h"

namespace pmx::test {
namespace {

using namespace std::chrono_literals;
using supervisor::BindTraps;
using supervisor::ListenAddress;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr RunId kRun{2};
constexpr int kTcp = SOCK_STREAM, kUdp = SOCK_DGRAM;

// The run is a thread of the test's own, which is trapped as a worker is.
class BindTrapsTest : public testing::Test {
 protected:
  ~BindTrapsTest() override {
    traps_.reset();
    pair_ = {};
    for (const std::string& name : link_.names()) link_.drop(name);
    if (worker_.joinable()) worker_.join();
  }
  void worker(std::function<void()> calls) {
    worker_ = std::thread([this, calls = std::move(calls)] {
      PMX_CHECK(trap_binds_for(pair_.second.get()));
      calls();
    });
    while (!supervisor_has_trap()) std::this_thread::yield();
    EXPECT_TRUE(link_.put(supervisor::trap_name(kRun), pair_.first.get()));
    begin();
  }
  bool supervisor_has_trap() const { return trap_sent_to(pair_.first.get()).has_value(); }
  void begin() {
    traps_.reset();
    traps_ = std::make_unique<BindTraps>(
        link_, watches_, clock_,
        BindTraps::Events{[this](RunId run, const ListenAddress& address) -> Result<Fd> {
                            EXPECT_EQ(run, kRun);
                            asked_.push_back(address);
                            if (full_) return Error(Errc::kNoSpace, "as many as one app may");
                            if (refuse_ != 0) return system_error(refuse_, "bind");
                            return sys::duplicate(ours_.get());
                          },
                          [this](RunId run) { bound_.push_back(run); },
                          [this](const std::string& line) { notices_.push_back(line); }});
    traps_->open(kRun);
  }
  // Until the worker has made its calls.
  void answer() {
    done_ = false;
    std::thread waits([this] {
      worker_.join();
      done_ = true;
    });
    while (!done_) {
      watches_.changed();
      std::this_thread::yield();
    }
    waits.join();
  }
  int binds(int type, const std::string& address, int port) {
    const Place at = ip_place(address, port);
    socket_ = Fd(::socket(at.storage.ss_family, type, 0));
    return ::bind(socket_.get(), at.get(), at.length) < 0 ? errno : 0;
  }
  std::vector<std::string> held() const { return link_.names(); }

  FakeKeeperLink link_;
  FakeWatches watches_;
  FakeClock clock_;
  sys::SocketPair pair_ = std::move(*sys::seqpacket_pair());
  Fd ours_ = std::move(supervisor::open_listener({.address = "127.0.0.1"}, true)).value();
  Fd socket_;
  std::vector<ListenAddress> asked_;
  std::vector<RunId> bound_;
  std::vector<std::string> notices_;
  int refuse_ = 0, outcome_ = -1;
  bool full_ = false;
  std::atomic<bool> done_{false};
  std::unique_ptr<BindTraps> traps_;
  std::thread worker_;
};

TEST_F(BindTrapsTest, ATcpPortIsAnsweredWithTheClustersSocket) {
  worker([&] { outcome_ = binds(kTcp, "127.0.0.1", 4711); });
  answer();
  EXPECT_EQ(outcome_, 0);
  EXPECT_EQ(port_of(socket_.get()), port_of(ours_.get()));
  ASSERT_THAT(asked_, SizeIs(1));
  EXPECT_EQ(asked_[0].address, "127.0.0.1");
  EXPECT_EQ(asked_[0].port, 4711);
  EXPECT_FALSE(asked_[0].ipv6);
  EXPECT_THAT(bound_, ElementsAre(kRun));
  EXPECT_THAT(held(), ElementsAre("trap.2"));
}

TEST_F(BindTrapsTest, IPv6SaysWhetherItIsBoth) {
  worker([&] {
    (void)binds(kTcp, "::", 4711);
    const Place at = ip_place("::1", 4712);
    socket_ = Fd(::socket(AF_INET6, SOCK_STREAM, 0));
    const int on = 1;
    (void)::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    outcome_ = ::bind(socket_.get(), at.get(), at.length);
  });
  answer();
  ASSERT_THAT(asked_, SizeIs(2));
  EXPECT_EQ(asked_[0].address, "::");
  EXPECT_TRUE(asked_[0].ipv6);
  EXPECT_FALSE(asked_[0].ipv6_only);
  EXPECT_EQ(asked_[1].address, "::1");
  EXPECT_TRUE(asked_[1].ipv6_only);
}

TEST_F(BindTrapsTest, AllElsePasses) {
  std::vector<int> outcomes;
  worker([&] {
    outcomes.push_back(binds(kUdp, "127.0.0.1", 0));
    outcomes.push_back(binds(kTcp, "127.0.0.1", 0));  // Anybody's.
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = std::string(1, '\0') + "pmx-bind-traps-" + std::to_string(::getpid());
    (void)path.copy(name.sun_path, path.size());
    const Fd local(::socket(AF_UNIX, SOCK_STREAM, 0));
    outcomes.push_back(::bind(local.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name));
    // A family that is not the socket's is the kernel's to refuse.
    const Place at = ip_place("127.0.0.1", 4711);
    const Fd ipv6(::socket(AF_INET6, SOCK_STREAM, 0));
    outcomes.push_back(::bind(ipv6.get(), at.get(), at.length));
  });
  answer();
  EXPECT_THAT(outcomes, ElementsAre(0, 0, 0, -1));
  EXPECT_THAT(asked_, IsEmpty());
  EXPECT_THAT(bound_, IsEmpty());
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(BindTrapsTest, AnotherNetworkIsNotOurs) {
  bool moved = false;
  worker([&] {
    moved = ::unshare(CLONE_NEWNET) == 0;  // This thread alone; only root may.
    outcome_ = binds(kTcp, "0.0.0.0", 4711);
  });
  answer();
  if (!moved) GTEST_SKIP() << "network namespaces are for root";
  EXPECT_EQ(outcome_, 0);
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(BindTrapsTest, TheProgramHearsWhatTheClusterWasRefused) {
  refuse_ = EADDRINUSE;
  worker([&] { outcome_ = binds(kTcp, "127.0.0.1", 4711); });
  answer();
  EXPECT_EQ(outcome_, EADDRINUSE);
  EXPECT_THAT(bound_, IsEmpty());
}

TEST_F(BindTrapsTest, PastOurBoundTheProgramHasItsOwn) {
  const int port = port_of(ours_.get());
  ours_.reset();
  full_ = true;
  worker([&] { outcome_ = binds(kTcp, "127.0.0.1", port); });
  answer();
  EXPECT_EQ(outcome_, 0);
  EXPECT_EQ(port_of(socket_.get()), port);
  EXPECT_THAT(bound_, IsEmpty());
}

TEST_F(BindTrapsTest, TheSocketIsAsTheProgramHadSetItsOwn) {
  worker([&] {
    const Place at = ip_place("127.0.0.1", 4711);
    socket_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    outcome_ = ::bind(socket_.get(), at.get(), at.length);
  });
  answer();
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(ours_.get(), SOL_SOCKET, SO_KEEPALIVE, &value, &length), 0);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(::getsockopt(ours_.get(), IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
  EXPECT_EQ(value, 1);
  EXPECT_EQ(::fcntl(ours_.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(socket_.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(BindTrapsTest, MoreCallsThanATurnTakesAreAnsweredInTheNext) {
  int failed = 0;
  worker([&] {
    for (int i = 0; i < 3 * BindTraps::kCallsATurn; ++i)
      failed += binds(kTcp, "127.0.0.1", 4711) != 0 ? 1 : 0;
  });
  done_ = false;
  std::thread waits([this] {
    worker_.join();
    done_ = true;
  });
  while (!done_) {
    watches_.changed();
    clock_.advance(0ms);
    std::this_thread::yield();
  }
  waits.join();
  EXPECT_EQ(failed, 0);
  EXPECT_THAT(asked_, SizeIs(3 * BindTraps::kCallsATurn));
}

TEST_F(BindTrapsTest, WhatTheDaemonBeforeHadInItsHandIsBegunAnew) {
  EXPECT_TRUE(link_.put("answering.2", ours_.get()));
  std::promise<void> end;
  worker([&] {
    outcome_ = binds(kTcp, "127.0.0.1", 4711);
    end.get_future().wait();
  });
  EXPECT_THAT(link_.signals_, ElementsAre(FakeKeeperLink::Signal{kRun, SIGSTOP, true}));
  while (bound_.empty()) {
    watches_.changed();
    std::this_thread::yield();
  }
  EXPECT_THAT(held(), ElementsAre("answering.2", "trap.2"));  // Until it goes on.
  clock_.advance(BindTraps::kStopFor);
  EXPECT_EQ(link_.signals_.back(), (FakeKeeperLink::Signal{kRun, SIGCONT, true}));
  EXPECT_THAT(held(), ElementsAre("trap.2"));
  end.set_value();
  worker_.join();  // It has `end`.
}

TEST_F(BindTrapsTest, NoDaemonThatEndsLeavesARunStopped) {
  EXPECT_TRUE(link_.put("answering.2", ours_.get()));
  worker([] {});
  traps_.reset();
  EXPECT_EQ(link_.signals_.back(), (FakeKeeperLink::Signal{kRun, SIGCONT, true}));
}

TEST_F(BindTrapsTest, TheNextDaemonAnswersWhoWaits) {
  worker([&] { outcome_ = binds(kTcp, "127.0.0.1", 4711); });
  link_.reconnect();
  begin();
  answer();
  EXPECT_EQ(outcome_, 0);
  EXPECT_THAT(bound_, ElementsAre(kRun));
}

TEST_F(BindTrapsTest, NothingIsHeldOfARunThatHasEnded) {
  worker([] {});
  EXPECT_TRUE(traps_->has(kRun));
  traps_->close(kRun);
  EXPECT_FALSE(traps_->has(kRun));
  EXPECT_TRUE(link_.put("trap.4", ours_.get()));
  EXPECT_TRUE(link_.put("trap.6", ours_.get()));
  EXPECT_TRUE(link_.put("answering.4", ours_.get()));
  EXPECT_TRUE(link_.put("port.2", ours_.get()));
  traps_->drop_all_but({RunId{6}});
  EXPECT_THAT(held(), ElementsAre("port.2", "trap.6"));
}

TEST_F(BindTrapsTest, ARunWithoutATrapBindsAsItLikes) {
  begin();
  EXPECT_THAT(notices_, IsEmpty());
  EXPECT_TRUE(link_.put("trap.2", pair_.first.get()));
  traps_->open(kRun);  // Of a keeper that does not know of traps: none was sent.
  EXPECT_THAT(notices_, ElementsAre(testing::HasSubstr("run 2 shares no port")));
}

}  // namespace
}  // namespace pmx::test
