#include <gmock/gmock.h>

#include <cerrno>

#include "supervisor/cluster_fixture.h"

namespace pmx::test {
namespace {

using supervisor::Cluster;
using supervisor::ListenAddress;
using testing::Each;
using testing::ElementsAre;
using testing::Gt;
using testing::SizeIs;

// Workers whose binds are trapped, on one free port of 127.0.0.1.
class ClusterBindsTest : public ClusterFixture {
 protected:
  ClusterBindsTest() {
    const Fd free = std::move(supervisor::open_listener({.address = "127.0.0.1"}, false)).value();
    port_ = port_of(free.get());
  }
  void joins_trapped(RunId run, std::int64_t instance, bool candidate = false,
                     const std::string& balance = "slots") {
    cluster_->join(app(balance), run,
                   {instance, cluster_->free_number(app(balance)), candidate, true});
  }
  int binds(RunId run, int port = 0) {
    auto socket = cluster_->binds(run, {.address = "127.0.0.1", .port = port != 0 ? port : port_});
    const int why = socket ? 0 : socket.error().sys_errno();
    if (socket) sockets_[run] = std::move(*socket);
    return why;
  }
  void serves(RunId run, std::int64_t instance, bool candidate = false,
              const std::string& balance = "slots") {
    joins_trapped(run, instance, candidate, balance);
    ASSERT_EQ(binds(run), 0);
  }
  void joins_both(RunId run, const std::string& balance = "slots") {
    cluster_->join(app(balance), run, {0, cluster_->free_number(app(balance)), false, true, true});
  }
  void asks_and_listens(RunId run) {
    asks(run);
    EXPECT_FALSE(last(run).fd);
    port_ = static_cast<int>(last(run).message["sockname"]["port"].as_int());
    says(run, "listening", tcp(port_), 2);
  }
  void looks(int count) {
    for (int i = 0; i < count; ++i) clock_.advance(Cluster::kLookEvery);
  }
  ino_t number(RunId run) { return socket_number(sockets_.at(run).get()); }
  std::vector<std::size_t> arrive(std::vector<RunId> runs, std::size_t count) {
    std::vector<int> sockets;
    std::vector<Fd> open;
    for (const RunId run : runs) sockets.push_back(sockets_.at(run).get());
    for (std::size_t i = 0; i < count; ++i) open.push_back(client_of(port_));
    return arrivals(sockets, count);
  }

  std::map<RunId, Fd> sockets_;
};

TEST_F(ClusterBindsTest, WorkersOnOneAddressGetSlotsOfOnePort) {
  serves(kA, 0);
  serves(kB, 1);
  EXPECT_EQ(port_of(sockets_[kA].get()), port_);
  EXPECT_EQ(port_of(sockets_[kB].get()), port_);
  EXPECT_NE(number(kA), number(kB));
  EXPECT_THAT(arrive({kA, kB}, 60), Each(Gt(10U)));
  EXPECT_THAT(held("port."), SizeIs(2));
  EXPECT_TRUE(told_.empty());
}

TEST_F(ClusterBindsTest, OneSocketIsSharedWhereThatIsAskedFor) {
  serves(kA, 0, false, "shared");
  serves(kB, 1, false, "shared");
  EXPECT_EQ(number(kA), number(kB));
  EXPECT_EQ(cluster_->waiting_at(kA), 0U);
}

TEST_F(ClusterBindsTest, ABindThatIsMadeAgainGetsTheSame) {
  serves(kA, 0);
  const ino_t first = number(kA);
  EXPECT_EQ(binds(kA), 0);
  EXPECT_EQ(number(kA), first);
}

TEST_F(ClusterBindsTest, OnlyThoseThatAreTrappedBind) {
  EXPECT_EQ(binds(kA), EADDRNOTAVAIL);
  joins(kB, 0);
  EXPECT_EQ(binds(kB), EADDRNOTAVAIL);
  EXPECT_FALSE(cluster_->is_trapped(kB));
  joins_trapped(kC, 1);
  EXPECT_TRUE(cluster_->is_trapped(kC));
}

TEST_F(ClusterBindsTest, SomebodyElsesPortIsInUse) {
  const Fd foreign = std::move(supervisor::open_listener({.address = "127.0.0.1"}, true)).value();
  joins_trapped(kA, 0);
  EXPECT_EQ(binds(kA, port_of(foreign.get())), EADDRINUSE);
  EXPECT_TRUE(noticed("app web: bind 127.0.0.1"));
  EXPECT_TRUE(cluster_->listens_on(kA).empty());
  EXPECT_THAT(held("port."), SizeIs(0));
}

TEST_F(ClusterBindsTest, ACandidateGetsNoConnectionBeforeItIsAdmitted) {
  serves(kA, 0);
  serves(kB, 0, true);
  EXPECT_EQ(cluster_->listens_on(kA), cluster_->listens_on(kB));
  EXPECT_THAT(arrive({kA, kB}, 20), ElementsAre(20U, 0U));
  cluster_->admit(kB);
  cluster_->leave_soon(kA);
  EXPECT_THAT(arrive({kA, kB}, 20), ElementsAre(0U, 20U));
}

TEST_F(ClusterBindsTest, WhatWaitsForALeavingWorkerIsLeftToIt) {
  serves(kA, 0);
  serves(kB, 1, true);
  clients(3);
  ASSERT_TRUE(queue_reaches(sockets_[kA].get(), 3));
  cluster_->admit(kB);
  cluster_->leave_soon(kA);
  watches_.changed();
  EXPECT_EQ(cluster_->waiting_at(kA), 3U);
  EXPECT_TRUE(told_.empty());
  EXPECT_FALSE(cluster_->disconnect(kA));
  const int socket = sockets_[kA].get();
  EXPECT_THAT(arrivals({&socket, 1}, 3), ElementsAre(3U));
  EXPECT_EQ(cluster_->waiting_at(kA), 0U);
}

TEST_F(ClusterBindsTest, WhatAWorkerThatHasLeftDidNotAcceptIsClosed) {
  serves(kA, 0);
  serves(kB, 1, true);
  clients(2);
  ASSERT_TRUE(queue_reaches(sockets_[kA].get(), 2));
  cluster_->admit(kB);
  cluster_->leave_soon(kA);
  cluster_->ended(kA);
  EXPECT_EQ(supervisor::waiting_connections(sockets_[kA].get()), 0U);
  EXPECT_TRUE(noticed("2 connection(s) that a worker had not accepted when it ended were closed"));
}

TEST_F(ClusterBindsTest, WhatWaitsForADeadWorkerIsItsSuccessors) {
  serves(kA, 0);
  serves(kB, 1);
  const ino_t slot = number(kA);
  cluster_->leave_soon(kB);  // All come to the first one.
  clients(2);
  ASSERT_TRUE(queue_reaches(sockets_[kA].get(), 2));
  cluster_->ended(kA);
  serves(kC, 0);
  EXPECT_EQ(number(kC), slot);
  EXPECT_EQ(cluster_->waiting_at(kC), 2U);
}

TEST_F(ClusterBindsTest, TheNextDaemonKnowsWhoServesWhat) {
  serves(kA, 0);
  serves(kB, 1);
  const std::set<std::string> before = cluster_->listens_on(kA);
  const ino_t slot = number(kA);
  next_daemon();
  EXPECT_TRUE(cluster_->is_trapped(kA));
  EXPECT_EQ(cluster_->listens_on(kA), before);
  EXPECT_EQ(binds(kA), 0);  // Begun anew.
  EXPECT_EQ(number(kA), slot);
  EXPECT_THAT(arrive({kA, kB}, 60), Each(Gt(10U)));
}

TEST_F(ClusterBindsTest, WhoAsksForTheAddressThatOthersHaveBoundSharesIt) {
  serves(kA, 0);
  joins(kB, 1);  // Of a release that speaks the protocol.
  asks(kB, tcp(port_));
  ASSERT_EQ(error_of(kB), 0);
  EXPECT_NE(socket_number(last(kB).fd.get()), number(kA));
  says(kB, "listening", tcp(port_), 2);
  EXPECT_THAT(listening_, ElementsAre(kB));
  EXPECT_EQ(cluster_->listens_on(kA), cluster_->listens_on(kB));
  sockets_[kB] = std::move(*sys::duplicate(last(kB).fd.get()));
  EXPECT_THAT(arrive({kA, kB}, 60), Each(Gt(10U)));
  cluster_->ended(kA);
  closes(kB, key_of(kB));
  EXPECT_THAT(held("port."), SizeIs(0));
}

TEST_F(ClusterBindsTest, WhoHasBoundNothingYetMayStillWantWhatWasThere) {
  serves(kA, 0);
  cluster_->ended(kA);
  joins_trapped(kB, 0);
  cluster_->close_unasked(app_key());
  EXPECT_THAT(held("port."), SizeIs(1));
  ASSERT_EQ(binds(kB), 0);
  cluster_->close_unasked(app_key());
  EXPECT_THAT(held("port."), SizeIs(1));
}

TEST_F(ClusterBindsTest, ASocketThatNoNoteTellsOfIsFreeAtTheNextStart) {
  serves(kA, 0);
  const std::string name = held("port.").front();
  const Fd extra = std::move(supervisor::open_listener({.address = "127.0.0.1"}, false)).value();
  ASSERT_TRUE(link_.put(name.substr(0, name.find('.', 5)) + ".9.0", extra.get()));
  next_daemon();
  EXPECT_THAT(held("port."), ElementsAre(name));
  EXPECT_FALSE(supervisor::is_listening(extra.get()));
  EXPECT_TRUE(supervisor::is_listening(sockets_[kA].get()));
}

// ---- One that speaks the protocol as well, and takes connections only.

TEST_F(ClusterBindsTest, WhatItHasAskedForItCannotBindToo) {
  joins_both(kA);
  asks(kA, tcp(port_));
  ASSERT_EQ(error_of(kA), 0);
  EXPECT_EQ(binds(kA), EADDRINUSE);
}

TEST_F(ClusterBindsTest, WhileItsPredecessorLeavesNewConnectionsAreHandedToTheOneThatAsks) {
  serves(kA, 0);
  joins_both(kB);
  asks(kB, tcp(port_));
  says(kB, "listening", tcp(port_), 2);
  cluster_->leave_soon(kA);
  clients(3);
  watches_.changed();
  EXPECT_THAT(given_to(kB), SizeIs(3));
  EXPECT_EQ(cluster_->waiting_at(kA), 0U);
}

TEST_F(ClusterBindsTest, WhileItServesNewConnectionsWaitForNoCandidate) {
  joins_both(kA);
  asks(kA, tcp(port_));
  says(kA, "listening", tcp(port_), 2);
  serves(kB, 1, true);
  clients(4);
  watches_.changed();
  EXPECT_THAT(given_to(kA), SizeIs(4));
  EXPECT_EQ(cluster_->waiting_at(kB), 0U);
}

TEST_F(ClusterBindsTest, WhatItsPredecessorHasBoundIsHandedToTheOneThatAsks) {
  serves(kA, 0);
  joins_both(kB);
  asks(kB, tcp(port_));
  ASSERT_EQ(error_of(kB), 0);
  says(kB, "listening", tcp(port_), 2);
  cluster_->leave_soon(kA);
  cluster_->ended(kA);
  clients(2);
  watches_.changed();
  EXPECT_THAT(given_to(kB), SizeIs(2));
  EXPECT_EQ(clock_.waiting(), 0U);
}

TEST_F(ClusterBindsTest, AfterTheEndOfItsChannelItHasOnlyWhatItHasBound) {
  joins_both(kA);
  ASSERT_EQ(binds(kA), 0);
  asks_and_listens(kA);
  clients(1);
  watches_.changed();
  ASSERT_THAT(given_to(kA), SizeIs(1));
  EXPECT_THAT(cluster_->listens_on(kA), SizeIs(2));
  cluster_->channel_closed(kA);
  EXPECT_THAT(cluster_->listens_on(kA), SizeIs(1));
  EXPECT_TRUE(cluster_->is_trapped(kA));
  joins_both(kB);
  asks_and_listens(kB);
  EXPECT_THAT(given_to(kB), SizeIs(1));  // What the other had not taken.
}

TEST_F(ClusterBindsTest, WhatOneAsksForIsHandedToItWhateverTheBalance) {
  for (const char* const balance : {"slots", "shared", "sticky", "rr"}) {
    told_.clear();
    joins_both(kA, balance);
    EXPECT_TRUE(cluster_->is_trapped(kA)) << balance;
    asks_and_listens(kA);
    EXPECT_FALSE(cluster_->is_trapped(kA)) << balance;
    clients(1);
    ASSERT_TRUE(queue_reaches(held_sockets()[0].get(), 1));
    watches_.changed();
    EXPECT_THAT(given_to(kA), SizeIs(1)) << balance;
    next_daemon();
    EXPECT_TRUE(cluster_->disconnect(kA)) << balance;
    closes(kA, *cluster_->listens_on(kA).begin());
    EXPECT_FALSE(cluster_->is_trapped(kA)) << balance;  // It is as it was.
    cluster_->ended(kA);
    cluster_->close_unused(app_key());
  }
}

TEST_F(ClusterBindsTest, NothingIsHandedForWhatOneHasBound) {
  joins_both(kA);
  ASSERT_EQ(binds(kA), 0);
  clients(2);
  watches_.changed();
  EXPECT_TRUE(queue_reaches(sockets_[kA].get(), 2));
  EXPECT_TRUE(cluster_->connect_to(kA, 0));
  EXPECT_TRUE(told_.empty());
}

TEST_F(ClusterBindsTest, WhoDoesBothIsToldToLeaveAndEndsByItsSignal) {
  joins_both(kA);
  ASSERT_EQ(binds(kA), 0);
  asks_and_listens(kA);
  EXPECT_TRUE(cluster_->is_trapped(kA));
  clients(1);  // To the address that it has asked for.
  watches_.changed();
  EXPECT_THAT(given_to(kA), SizeIs(1));
  EXPECT_EQ(cluster_->waiting_at(kA), 0U);
  EXPECT_FALSE(cluster_->disconnect(kA));
  EXPECT_EQ(last(kA).message["act"], Json("disconnect"));
}

TEST_F(ClusterBindsTest, TheEndOfOneClosesNoConnectionThatWaitsForTheOthers) {
  joins_both(kA);
  asks_and_listens(kA);
  joins_both(kB);
  cluster_->leave_soon(kA);
  clients(2);
  cluster_->ended(kA);
  asks_and_listens(kB);
  watches_.changed();
  EXPECT_THAT(given_to(kB), SizeIs(2));
}

TEST_F(ClusterBindsTest, OneThatHangsGetsNoConnectionsUntilItTakesThemAgain) {
  serves(kA, 0);
  clients(2);
  ASSERT_TRUE(queue_reaches(sockets_[kA].get(), 2));
  serves(kB, 1);
  looks(2);
  EXPECT_FALSE(noticed("have waited for a second"));
  looks(1);
  EXPECT_TRUE(noticed("2 connection(s) have waited for a second"));
  EXPECT_THAT(arrive({kB}, 16), ElementsAre(16U));
  EXPECT_EQ(cluster_->waiting_at(kA), 2U);  // Those only it can take.
  EXPECT_THAT(arrivals(std::vector{sockets_[kA].get()}, 2), ElementsAre(2U));
  looks(1);
  EXPECT_THAT(arrive({kA, kB}, 60), Each(Gt(10U)));
  looks(4);
  EXPECT_THAT(notices_, SizeIs(1));
}

TEST_F(ClusterBindsTest, OneThatStillHangsIsLeftAloneUntilItsOwnQueueIsShorter) {
  serves(kA, 0);
  clients(2);
  ASSERT_TRUE(queue_reaches(sockets_[kA].get(), 2));
  serves(kB, 1);
  for (const int looks_so_far : {3, 600}) {
    looks(looks_so_far);
    EXPECT_THAT(arrive({kB}, 16), ElementsAre(16U));
  }
  EXPECT_THAT(notices_, SizeIs(1));
  EXPECT_THAT(arrivals(std::vector{sockets_[kA].get()}, 2), ElementsAre(2U));
  looks(1);
  EXPECT_THAT(arrive({kA, kB}, 60), Each(Gt(10U)));
}

TEST_F(ClusterBindsTest, OneThatHangsGetsThemWhereNobodyElseIsLeft) {
  serves(kA, 0);
  clients(2);
  ASSERT_TRUE(queue_reaches(sockets_[kA].get(), 2));
  serves(kB, 1);
  looks(3);
  EXPECT_THAT(arrive({kB}, 16), ElementsAre(16U));
  cluster_->ended(kB);
  sockets_.erase(kB);
  clients(6);
  EXPECT_TRUE(queue_reaches(sockets_[kA].get(), 8));
}

TEST_F(ClusterBindsTest, ThePortIsClosedWithTheApp) {
  serves(kA, 0);
  cluster_->ended(kA);
  cluster_->close_unused(app_key());
  EXPECT_FALSE(client_of(port_));
  EXPECT_THAT(held("port."), SizeIs(0));
}

}  // namespace
}  // namespace pmx::test
