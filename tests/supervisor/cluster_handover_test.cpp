#include <gmock/gmock.h>
#include <sys/socket.h>

#include "supervisor/cluster_fixture.h"
#include "support/temp_dir.h"

namespace pmx::test {
namespace {

using supervisor::Cluster;
using supervisor::waiting_connections;
using testing::AllOf;
using testing::Ge;
using testing::Le;
using testing::SizeIs;

constexpr std::uint32_t kWindow = Cluster::kWindow;

class ClusterHandoverTest : public ClusterFixture {
 protected:
  void serves_in_turn(RunId run, std::int64_t instance, int index = 0) {
    if (!cluster_->has(run)) joins(run, instance, "rr");
    asks(run, tcp(0, index), 1 + index);
    port_ = static_cast<int>(last(run).message["sockname"]["port"].as_int());
    says(run, "listening", tcp(port_, index), 2);
  }
  // At the address that was asked for last, of as many as there are.
  void come(std::uint32_t count) {
    const std::uint32_t before = waiting();
    clients(count);
    EXPECT_TRUE(queue_reaches(held_sockets().back().get(), before + count));
    watches_.changed();
  }
  std::uint32_t waiting() const { return waiting_connections(held_sockets().back().get()); }
  // All that it has been given so far.
  void takes_all(RunId run) {
    for (std::size_t i = 0; i < given_to(run).size(); ++i) answers(*given_to(run)[i], true);
  }
  void refuses_last(RunId run) { answers(*given_to(run).back(), false); }
  bool talk(const Told& given, const Fd& client) {
    if (!sys::write(given.fd.get(), "hello")) return false;
    std::string bytes(5, '\0');
    const auto n = sys::read(client.get(), bytes);
    return n && bytes.substr(0, *n) == "hello";
  }
  TempDir dir_;
};

// shutdown(2) of a program that had it: accept(2) says EINVAL for ever.
TEST_F(ClusterHandoverTest, ASocketThatWasShutDownIsLeftAlone) {
  serves_in_turn(kA, 0);
  const Fd socket = std::move(held_sockets()[0]);
  ASSERT_EQ(::shutdown(socket.get(), SHUT_RDWR), 0);
  watches_.changed();
  EXPECT_TRUE(noticed("Invalid argument"));
  EXPECT_EQ(clock_.waiting(), 0U);
}

// ---- What workers are told.

TEST_F(ClusterHandoverTest, AWorkerIsToldOfNoSocketButOfItsName) {
  serves_in_turn(kA, 0);
  EXPECT_EQ(error_of(kA), 0);
  EXPECT_FALSE(last(kA).fd);
  EXPECT_EQ(last(kA).message["sockname"], name_of_socket(held_sockets()[0].get()));
  EXPECT_THAT(listening_, SizeIs(1));
}

TEST_F(ClusterHandoverTest, AUnixPathIsHandedOverTooAndHasNoName) {
  const std::string path = dir_.path() + "/web.sock";
  joins(kA, 0, "rr");
  asks(kA, unix_path(path));
  EXPECT_FALSE(last(kA).fd);
  EXPECT_TRUE(last(kA).message["sockname"].is_null());
  says(kA, "listening", unix_path(path), 2);
  clients_.push_back(unix_client_of(path));
  watches_.changed();
  ASSERT_THAT(given_to(kA), SizeIs(1));
  EXPECT_TRUE(talk(*given_to(kA)[0], clients_[0]));
}

TEST_F(ClusterHandoverTest, UdpIsSharedAsEver) {
  joins(kA, 0, "rr");
  asks(kA, R"("address":"127.0.0.1","port":0,"addressType":"udp4","fd":-1,)");
  EXPECT_EQ(last(kA).type, "dgram.Native");
  EXPECT_TRUE(last(kA).fd);
}

// ---- Who gets them.

TEST_F(ClusterHandoverTest, WorkersGetThemInTurn) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  serves_in_turn(kC, 2);
  for (int i = 0; i < 9; ++i) {
    come(1);
    for (const RunId run : {kA, kB, kC}) takes_all(run);
  }
  for (const RunId run : {kA, kB, kC}) EXPECT_THAT(given_to(run), SizeIs(3));
  EXPECT_EQ(given_to(kA)[0]->type, "net.Native");
  EXPECT_EQ(given_to(kA)[0]->message["key"].as_string(), *cluster_->listens_on(kA).begin());
  EXPECT_TRUE(talk(*given_to(kA)[0], clients_[0]));
}

TEST_F(ClusterHandoverTest, TheOneWithTheFewestUnansweredComesFirst) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  come(4);
  takes_all(kB);
  come(2);
  EXPECT_THAT(given_to(kA), SizeIs(2));
  EXPECT_THAT(given_to(kB), SizeIs(4));
}

TEST_F(ClusterHandoverTest, OneThatDoesNotAnswerGetsItsWindowAndTheOthersGoOn) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  for (int i = 0; i < 20; ++i) {
    come(1);
    takes_all(kB);
  }
  EXPECT_THAT(given_to(kA), SizeIs(Le(kWindow)));
  EXPECT_THAT(given_to(kB), SizeIs(Ge(20 - kWindow)));
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(ClusterHandoverTest, WhereNobodyHasRoomTheyStayInTheKernelsQueue) {
  serves_in_turn(kA, 0);
  come(kWindow + 3);
  EXPECT_THAT(given_to(kA), SizeIs(kWindow));
  EXPECT_EQ(waiting(), 3U);
  clock_.advance(1min);  // Nobody asks again meanwhile.
  EXPECT_EQ(waiting(), 3U);
  answers(*given_to(kA)[0], true);
  EXPECT_THAT(given_to(kA), SizeIs(kWindow + 1));
  EXPECT_EQ(waiting(), 2U);
}

TEST_F(ClusterHandoverTest, NobodyIsAcceptedWhileNoWorkerListens) {
  serves_in_turn(kA, 0);
  cluster_->ended(kA);
  come(2);
  EXPECT_EQ(waiting(), 2U);
  serves_in_turn(kB, 0);
  EXPECT_THAT(given_to(kB), SizeIs(2));
}

TEST_F(ClusterHandoverTest, ACandidateGetsNoneBeforeItIsAdmitted) {
  serves_in_turn(kA, 0);
  cluster_->join(app("rr"), kB, {0, 2, true});
  serves_in_turn(kB, 0);
  come(2);
  EXPECT_THAT(given_to(kB), SizeIs(0));
  cluster_->admit(kB);
  cluster_->leave_soon(kA);
  come(2);
  EXPECT_THAT(given_to(kA), SizeIs(2));
  EXPECT_THAT(given_to(kB), SizeIs(2));
}

TEST_F(ClusterHandoverTest, AConnectionForOneWorkerIsHandedToItAlone) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  const auto ours = cluster_->connect_to(kB, 0);
  ASSERT_TRUE(ours);
  EXPECT_THAT(given_to(kA), SizeIs(0));
  ASSERT_THAT(given_to(kB), SizeIs(1));
  EXPECT_TRUE(talk(*given_to(kB)[0], *ours));
}

TEST_F(ClusterHandoverTest, OfTwoAddressesNoneKeepsTheOtherWaiting) {
  serves_in_turn(kA, 0, 0);
  const int first = port_;
  come(kWindow + 2);  // More than it has room for.
  serves_in_turn(kA, 0, 1);
  come(2);
  for (int i = 0; i < 4; ++i) answers(*given_to(kA)[static_cast<std::size_t>(i)], true);
  std::set<std::string> keys;
  for (std::size_t i = kWindow; i < kWindow + 3; ++i)
    keys.insert(given_to(kA)[i]->message["key"].as_string());
  EXPECT_THAT(keys, SizeIs(2)) << first << " and " << port_;
}

TEST_F(ClusterHandoverTest, CountsWhatOneHasTakenInTheLastMinute) {
  joins(kA, 0, "rr");
  EXPECT_FALSE(cluster_->handed(kA));
  serves_in_turn(kA, 0);
  come(3);
  EXPECT_EQ(cluster_->handed(kA)->connections, 0);
  takes_all(kA);
  EXPECT_EQ(cluster_->handed(kA)->connections, 3);
  EXPECT_THAT(cluster_->handed(kA)->ports, testing::ElementsAre(port_));
  clock_.advance(1min);
  EXPECT_EQ(cluster_->handed(kA)->connections, 0);
  EXPECT_FALSE(cluster_->handed(kB));
}

// ---- Workers that refuse, that cannot be told, that end.

TEST_F(ClusterHandoverTest, WhatOneRefusesGoesToAnotherAtOnce) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  come(1);
  refuses_last(kA);
  ASSERT_THAT(given_to(kB), SizeIs(1));
  EXPECT_TRUE(talk(*given_to(kB)[0], clients_[0]));
  takes_all(kB);
  come(2);  // The first one rests.
  EXPECT_THAT(given_to(kA), SizeIs(1));
  EXPECT_THAT(given_to(kB), SizeIs(3));
}

TEST_F(ClusterHandoverTest, WhereAllRefuseTheyAreAskedOncePerRestAndLoseNothing) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  come(1);
  for (int i = 0; i < 100; ++i) {
    for (const RunId run : {kA, kB})
      if (!given_to(run).empty()) refuses_last(run);
    clock_.advance(1ms);
  }
  EXPECT_THAT(given_to(kA), SizeIs(AllOf(Ge(3U), Le(11U))));
  EXPECT_THAT(given_to(kB), SizeIs(AllOf(Ge(3U), Le(11U))));
  const RunId next = given_to(kA).size() > given_to(kB).size() ? kA : kB;
  EXPECT_TRUE(talk(*given_to(next).back(), clients_[0]));
}

TEST_F(ClusterHandoverTest, AfterARefusalItGetsOneAtATimeUntilItTakesOne) {
  serves_in_turn(kA, 0);
  come(1);
  refuses_last(kA);
  come(3);
  clock_.advance(Cluster::kRest);
  EXPECT_THAT(given_to(kA), SizeIs(2));
  answers(*given_to(kA).back(), true);
  EXPECT_THAT(given_to(kA), SizeIs(5));
}

TEST_F(ClusterHandoverTest, AServerThatIsFullKeepsNoOtherAddressWaiting) {
  serves_in_turn(kA, 0, 0);
  come(1);
  refuses_last(kA);
  serves_in_turn(kA, 0, 1);
  come(2);
  EXPECT_THAT(given_to(kA), SizeIs(3));
}

TEST_F(ClusterHandoverTest, AWorkerWhoseChannelIsFullIsPassedByAndTriedAgain) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  deaf_ = {kA};
  come(3);
  EXPECT_THAT(given_to(kA), SizeIs(0));
  EXPECT_THAT(given_to(kB), SizeIs(3));
  deaf_.clear();
  clock_.advance(Cluster::kRest);
  come(1);
  EXPECT_THAT(given_to(kA), SizeIs(1));
}

TEST_F(ClusterHandoverTest, WhereNobodyCanBeToldOneIsInOurHandAndTheOthersStayInTheirQueue) {
  serves_in_turn(kA, 0);
  deaf_ = {kA};
  come(3);
  EXPECT_EQ(waiting(), 2U);
  clock_.advance(10s);
  EXPECT_EQ(waiting(), 2U);
  deaf_.clear();
  clock_.advance(Cluster::kRest);
  ASSERT_THAT(given_to(kA), SizeIs(1));
  answers(*given_to(kA)[0], true);
  ASSERT_THAT(given_to(kA), SizeIs(3));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(talk(*given_to(kA)[i], clients_[i]));
}

TEST_F(ClusterHandoverTest, WhatOneHadNotTakenWhenItEndedGoesToAnother) {
  serves_in_turn(kA, 0);
  come(3);
  answers(*given_to(kA)[0], true);
  cluster_->ended(kA);
  serves_in_turn(kB, 0);
  ASSERT_THAT(given_to(kB), SizeIs(2));
  EXPECT_TRUE(talk(*given_to(kB)[0], clients_[1]));
  EXPECT_TRUE(talk(*given_to(kB)[1], clients_[2]));
}

TEST_F(ClusterHandoverTest, WhatAClosedServerRefusesIsClosed) {
  serves_in_turn(kA, 0);
  come(1);
  const Told& given = *given_to(kA)[0];
  closes(kA, *cluster_->listens_on(kA).begin());
  answers(given, false);
  clock_.advance(1s);
  told_.clear();  // The worker's copy.
  std::string bytes(5, '\0');
  const auto n = sys::read(clients_[0].get(), bytes);
  EXPECT_TRUE(!n || *n == 0);
}

// ---- Daemons and balances that follow.

TEST_F(ClusterHandoverTest, TheNextDaemonGoesOn) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  cluster_.reset();
  clients(2);  // While there is none.
  next_daemon();
  watches_.changed();
  EXPECT_THAT(given_to(kA), SizeIs(1));
  EXPECT_THAT(given_to(kB), SizeIs(1));
  cluster_->said(kA, R"({"cmd":"NODE_CLUSTER","ack":1,"accepted":true,"seq":9})");
  takes_all(kA);
  takes_all(kB);
  come(2);
  EXPECT_EQ(given_to(kA).size() + given_to(kB).size(), 4U);
}

TEST_F(ClusterHandoverTest, AnIdleAppHasNoTimers) {
  serves_in_turn(kA, 0);
  serves_in_turn(kB, 1);
  EXPECT_EQ(clock_.waiting(), 0U);
  come(1);
  refuses_last(kA);
  EXPECT_EQ(clock_.waiting(), 1U);
  clock_.advance(Cluster::kRest);
  EXPECT_EQ(clock_.waiting(), 0U);
}

TEST_F(ClusterHandoverTest, AReloadFromSlotsToTurnsAndBackLosesNothing) {
  serves(kA, 0, "slots");
  serves_in_turn(kB, 0);
  cluster_->leave_soon(kA);
  clients(1);
  EXPECT_TRUE(queue_reaches(socket_of(kA), 1));
  watches_.changed();
  EXPECT_THAT(given_to(kB), SizeIs(1));
  takes_all(kB);
  cluster_->ended(kA);
  serves(kC, 0, "slots");
  cluster_->leave_soon(kB);
  EXPECT_EQ(spread({kC}, 8)[0], 8U);
}

TEST_F(ClusterHandoverTest, AReloadFromSharedToTurnsLosesNothing) {
  serves(kA, 0, "shared");
  serves_in_turn(kB, 0);
  cluster_->leave_soon(kA);
  clients(2);
  EXPECT_TRUE(queue_reaches(socket_of(kA), 2));
  watches_.changed();
  EXPECT_THAT(given_to(kB), SizeIs(2));
}

}  // namespace
}  // namespace pmx::test
