#include <gmock/gmock.h>

#include "supervisor/cluster_fixture.h"

namespace pmx::test {
namespace {

using supervisor::Cluster;
using testing::ElementsAre;
using testing::SizeIs;

class ClusterBalanceTest : public ClusterFixture {
 protected:
  // A serves, and as many connections wait in its queue; then B and whoever else serves too.
  void waiting_at_a(std::uint32_t count, std::vector<RunId> others = {kB}) {
    serves(kA, 0);
    clients_wait_at(kA, count);
    std::int64_t instance = 1;
    for (const RunId run : others) serves(run, instance++);
  }
  // For new connections, without the cluster's knowledge.
  void kernel_chooses(RunId run) {
    const auto sockets = held_sockets();
    std::vector<unsigned> slot;
    for (unsigned i = 0; i < sockets.size(); ++i)
      if (socket_number(sockets[i].get()) == socket_number(socket_of(run))) slot.push_back(i);
    EXPECT_TRUE(supervisor::steer(socket_of(run), slot, static_cast<unsigned>(sockets.size()),
                                  supervisor::Balance::kSlots));
  }
  // Of each of 16 clients, by address: where in `runs` the worker is that it reaches.
  std::vector<std::size_t> instances_of_clients(const std::vector<RunId>& runs) {
    std::vector<int> sockets;
    for (const RunId run : runs) sockets.push_back(socket_of(run));
    std::vector<std::size_t> instances;
    for (int i = 1; i <= 16; ++i) {
      const Fd client = client_of(port_, "127.0.0.1", "127.0.0." + std::to_string(i));
      const auto each = arrivals(sockets, 1);
      instances.push_back(
          static_cast<std::size_t>(std::find(each.begin(), each.end(), 1U) - each.begin()));
    }
    return instances;
  }
  // It comes back only when it says so.
  void has_hook(RunId run) { hook_says(run, "alive"); }
  void looks(int count) {
    for (int i = 0; i < count; ++i) clock_.advance(Cluster::kLookEvery);
  }
  std::size_t pings_to(RunId run) const {
    return static_cast<std::size_t>(
        std::count_if(told_.begin(), told_.end(), [run](const Told& told) {
          return told.run == run && told.message["act"].as_string() == "ping";
        }));
  }
  // The worker's end and the client's are of one connection.
  bool talk(const Told& given, const Fd& client) {
    if (!sys::write(given.fd.get(), "hello")) return false;
    std::string bytes(5, '\0');
    const auto n = sys::read(client.get(), bytes);
    return n && bytes.substr(0, *n) == "hello";
  }
};

// ---- Whose slots get connections.

TEST_F(ClusterBalanceTest, OnlyWorkersThatListenGetConnections) {
  serves(kA, 0);
  joins(kB, 1);
  asks(kB);  // Its slot is there, and it does not accept yet.
  EXPECT_THAT(spread({kA, kB}, 16), ElementsAre(16U, 0U));
  listens(kB);
  const auto both = spread({kA, kB}, 64);
  EXPECT_GT(both[0], 0U);
  EXPECT_GT(both[1], 0U);
}

TEST_F(ClusterBalanceTest, AWorkerThatLeavesGetsNoneAnyMore) {
  serves(kA, 0);
  serves(kB, 1);
  cluster_->leave_soon(kA);
  EXPECT_THAT(spread({kA, kB}, 16), ElementsAre(0U, 16U));
  next_daemon();
  EXPECT_THAT(spread({kA, kB}, 16), ElementsAre(0U, 16U));
}

TEST_F(ClusterBalanceTest, AWorkerThatLeavesByItselfGetsNoneAnyMore) {
  serves(kA, 0);
  serves(kB, 1);
  says(kA, "exitedAfterDisconnect", "", 3);
  EXPECT_THAT(spread({kA, kB}, 16), ElementsAre(0U, 16U));
}

TEST_F(ClusterBalanceTest, StickyKeepsAClientAtItsWorker) {
  serves(kA, 0, "sticky");
  serves(kB, 1, "sticky");
  const auto counts = spread({kA, kB}, 32);
  EXPECT_EQ(std::max(counts[0], counts[1]), 32U);
}

TEST_F(ClusterBalanceTest, StickyReachesTheSameInstanceWhileAndAfterSeveralAreReplacedAtOnce) {
  const std::vector<RunId> old{kA, kB, kC}, next{RunId{8}, RunId{10}, RunId{12}};
  for (unsigned i = 0; i < 3; ++i) serves(old[i], i, "sticky");
  const auto before = instances_of_clients(old);
  EXPECT_THAT(before, testing::IsSupersetOf({0U, 1U, 2U}));
  for (const unsigned i : {0U, 2U, 1U}) {
    cluster_->join(app("sticky"), next[i], {i, cluster_->free_number(app("sticky")), true});
    asks(next[i]);
    listens(next[i]);
    ASSERT_EQ(socket_number(socket_of(next[i])), socket_number(socket_of(old[i])));
  }
  for (const unsigned i : {1U, 2U, 0U}) {
    EXPECT_EQ(instances_of_clients(next), before);
    cluster_->admit(next[i]);
    cluster_->leave_soon(old[i]);
    EXPECT_EQ(instances_of_clients(next), before);
  }
  for (const RunId run : old) cluster_->ended(run);
  EXPECT_EQ(instances_of_clients(next), before);
  EXPECT_THAT(held("port."), SizeIs(3));
}

TEST_F(ClusterBalanceTest, AStickyInstanceThatIsStartedAgainHasItsClientsBack) {
  const std::vector<RunId> runs{kA, kB, kC};
  for (unsigned i = 0; i < 3; ++i) serves(runs[i], i, "sticky");
  const auto before = instances_of_clients(runs);
  cluster_->ended(kA);
  cluster_->ended(kB);
  // The later one is back first.
  const RunId next_a{8}, next_b{10};
  serves(next_b, 1, "sticky");
  serves(next_a, 0, "sticky");
  EXPECT_EQ(instances_of_clients({next_a, next_b, kC}), before);
}

// ---- Connections whose worker is gone.

TEST_F(ClusterBalanceTest, WhatWaitsForAWorkerThatHasEndedGoesToAnother) {
  waiting_at_a(2);
  cluster_->ended(kA);
  ASSERT_THAT(given_to(kB), SizeIs(2));
  EXPECT_EQ(given_to(kB)[0]->type, "net.Native");
  EXPECT_EQ(given_to(kB)[0]->message["key"].as_string(), *cluster_->listens_on(kB).begin());
  EXPECT_TRUE(talk(*given_to(kB)[0], clients_[0]));
  EXPECT_TRUE(talk(*given_to(kB)[1], clients_[1]));
}

TEST_F(ClusterBalanceTest, TheyGoToTheOthersInTurn) {
  waiting_at_a(4, {kB, kC});
  cluster_->ended(kA);
  EXPECT_THAT(given_to(kB), SizeIs(2));
  EXPECT_THAT(given_to(kC), SizeIs(2));
}

TEST_F(ClusterBalanceTest, WhatComesLaterToAnOrphanedSlotIsHandedOnToo) {
  waiting_at_a(1);
  cluster_->ended(kA);
  // Chosen by the kernel in the moment before it was steered away.
  kernel_chooses(kA);
  clients_wait_at(kA, 1);
  watches_.changed();
  EXPECT_THAT(given_to(kB), SizeIs(2));
}

TEST_F(ClusterBalanceTest, WithNobodyElseTheyWaitForTheNextRun) {
  serves(kA, 0);
  clients_wait_at(kA, 2);
  cluster_->ended(kA);
  watches_.changed();
  EXPECT_EQ(supervisor::waiting_connections(socket_of(kA)), 2U);
  // In the same slot it finds them by itself, in another one it is handed them.
  serves(kB, 0);
  const std::size_t found = arrivals(std::vector{socket_of(kB)}, 2 - given_to(kB).size())[0];
  EXPECT_EQ(found + given_to(kB).size(), 2U);
}

TEST_F(ClusterBalanceTest, AWorkerThatCannotBeToldIsPassedBy) {
  waiting_at_a(2, {kB, kC});
  deaf_ = {kB};
  cluster_->ended(kA);
  EXPECT_THAT(given_to(kC), SizeIs(2));
}

TEST_F(ClusterBalanceTest, AConnectionThatIsRefusedIsGivenToAnother) {
  waiting_at_a(1, {kB, kC});
  cluster_->ended(kA);
  const bool to_b = !given_to(kB).empty();
  const RunId first = to_b ? kB : kC, second = to_b ? kC : kB;
  answers(*given_to(first)[0], false);
  ASSERT_THAT(given_to(second), SizeIs(1));
  EXPECT_TRUE(talk(*given_to(second)[0], clients_[0]));
}

TEST_F(ClusterBalanceTest, AWorkerThatRefusesAllIsNotAskedInALoop) {
  waiting_at_a(1);
  cluster_->ended(kA);
  for (int i = 0; i < 50; ++i) {
    answers(*given_to(kB).back(), false);
    clock_.advance(1ms);
  }
  EXPECT_LE(given_to(kB).size(), 6U);
  EXPECT_GE(given_to(kB).size(), 5U);
}

TEST_F(ClusterBalanceTest, WhoEndsBeforeItHasTakenOneIsFollowed) {
  waiting_at_a(1, {kB, kC});
  cluster_->ended(kA);
  const bool to_b = !given_to(kB).empty();
  const RunId first = to_b ? kB : kC, second = to_b ? kC : kB;
  cluster_->ended(first);
  ASSERT_THAT(given_to(second), SizeIs(1));
  EXPECT_TRUE(talk(*given_to(second)[0], clients_[0]));
}

TEST_F(ClusterBalanceTest, AConnectionThatWasTakenIsNobodyElses) {
  waiting_at_a(1, {kB, kC});
  cluster_->ended(kA);
  const RunId first = given_to(kB).empty() ? kC : kB;
  answers(*given_to(first)[0], true);
  cluster_->ended(first);
  clock_.advance(1s);
  EXPECT_EQ(given_to(kB).size() + given_to(kC).size(), 1U);
}

TEST_F(ClusterBalanceTest, AnAnswerToWhatWasNotGivenIsNothing) {
  serves(kA, 0);
  cluster_->said(kA, R"({"cmd":"NODE_CLUSTER","ack":123,"accepted":false,"seq":9})");
  clock_.advance(1s);
  EXPECT_THAT(given_to(kA), SizeIs(0));
}

// ---- Workers that hang.

TEST_F(ClusterBalanceTest, WhatWaitsForAWorkerThatHangsGoesToOthersAfterASecond) {
  waiting_at_a(2);
  looks(2);
  EXPECT_THAT(given_to(kB), SizeIs(0));
  looks(1);
  EXPECT_THAT(given_to(kB), SizeIs(2));
  EXPECT_EQ(pings_to(kA), 1U);
  EXPECT_TRUE(noticed("2 connection(s) have waited for a second"));
  EXPECT_THAT(spread({kA, kB}, 16), ElementsAre(0U, 16U));
}

TEST_F(ClusterBalanceTest, AWorkerThatHangsComesBackWhenItSaysSo) {
  serves(kA, 0);
  has_hook(kA);
  clients_wait_at(kA, 2);
  serves(kB, 1);
  looks(3);
  ASSERT_THAT(spread({kA, kB}, 16), ElementsAre(0U, 16U));
  clock_.advance(10min);  // It has a hook: nobody guesses.
  ASSERT_THAT(spread({kA, kB}, 16), ElementsAre(0U, 16U));
  hook_says(kA, "alive");
  EXPECT_GT(spread({kA, kB}, 64)[0], 0U);
  looks(3);
  EXPECT_EQ(pings_to(kA), 1U);
}

TEST_F(ClusterBalanceTest, AWorkerThatTakesSomeIsLeftAlone) {
  waiting_at_a(4);
  for (int i = 0; i < 4; ++i) {
    looks(1);
    EXPECT_TRUE(supervisor::accept_waiting(socket_of(kA)));
  }
  looks(3);
  EXPECT_EQ(pings_to(kA), 0U);
}

TEST_F(ClusterBalanceTest, WhereAllAreSlowNobodyHangs) {
  waiting_at_a(4);
  kernel_chooses(kB);
  clients_wait_at(kB, 4);
  looks(5);
  EXPECT_EQ(pings_to(kA) + pings_to(kB), 0U);
}

TEST_F(ClusterBalanceTest, NobodyLooksAtAWorkerThatIsAlone) {
  serves(kA, 0);
  EXPECT_EQ(clock_.waiting(), 0U);
  serves(kB, 1);
  EXPECT_EQ(clock_.waiting(), 1U);
  cluster_->ended(kB);
  EXPECT_EQ(clock_.waiting(), 0U);
}

TEST_F(ClusterBalanceTest, AWorkerWithoutTheHookIsTriedAgainAfterTwoSeconds) {
  serves(kA, 0);
  clients_wait_at(kA, 2);
  serves(kB, 1);
  for (int i = 0; i < 3; ++i) clock_.advance(500ms);
  ASSERT_THAT(given_to(kB), SizeIs(2));  // Its queue is empty now.
  clock_.advance(2500ms);
  EXPECT_GT(spread({kA, kB}, 64)[0], 0U);
}

TEST_F(ClusterBalanceTest, StickyStaysStickyAfterADaemonsStart) {
  serves(kA, 0, "sticky");
  serves(kB, 1, "sticky");
  const auto before = spread({kA, kB}, 32);
  next_daemon();
  joins(kA, 0, "sticky");
  joins(kB, 1, "sticky");
  EXPECT_EQ(spread({kA, kB}, 32), before);
}

TEST_F(ClusterBalanceTest, WhatNobodyCanBeToldOfStaysInItsQueue) {
  serves(kA, 0);
  clients_wait_at(kA, 2);
  serves(kB, 1);
  deaf_ = {kB};  // Its channel is full for a moment.
  cluster_->ended(kA);
  deaf_.clear();
  watches_.changed();
  clock_.advance(1s);
  ASSERT_THAT(given_to(kB), SizeIs(1));  // Until it has shown that it takes them.
  answers(*given_to(kB)[0], true);
  EXPECT_THAT(given_to(kB), SizeIs(2));
}

// ---- A connection for one of them.

TEST_F(ClusterBalanceTest, AConnectionForOneWorkerIsHandedToItAndToNobodyElse) {
  for (const char* const balance : {"slots", "shared", "sticky"}) {
    told_.clear();
    serves(kA, 0, balance);
    serves(kB, 0, balance);  // As a successor of A's.
    const auto ours = cluster_->connect_to(kB, 0);
    ASSERT_TRUE(ours) << balance;
    EXPECT_THAT(given_to(kA), SizeIs(0));
    ASSERT_THAT(given_to(kB), SizeIs(1));
    ASSERT_TRUE(sys::send_bytes(ours->get(), balance));
    pollfd watched{given_to(kB)[0]->fd.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&watched, 1, 10'000), 1);
    std::string bytes(16, ' ');
    bytes.resize(sys::receive(watched.fd, bytes).value());
    EXPECT_EQ(bytes, balance);
    cluster_->ended(kA);
    cluster_->ended(kB);
    cluster_->close_unused(app_key());
  }
}

TEST_F(ClusterBalanceTest, OneThatNothingCanBeHandedToIsReachedByItsOwnSlot) {
  serves(kA, 0);
  serves(kB, 1);
  deaf_ = {kB};
  ASSERT_TRUE(cluster_->connect_to(kB, 0));
  EXPECT_TRUE(queue_reaches(socket_of(kB), 1));
  EXPECT_EQ(supervisor::waiting_connections(socket_of(kA)), 0U);
}

TEST_F(ClusterBalanceTest, WhereOneSharesItsQueueNobodyElseIsAskedInItsPlace) {
  serves(kA, 0, "sticky");
  serves(kB, 0, "sticky");
  deaf_ = {kB};
  EXPECT_FALSE(cluster_->connect_to(kB, 0));
}

TEST_F(ClusterBalanceTest, TheAddressThatItAskedForFirstIsTheOneUnlessAPortIsNamed) {
  joins(kA, 0);
  asks(kA, tcp(0, 1), 7);
  const std::string later = key_of(kA);
  says(kA, "listening", tcp(port_of(last(kA).fd.get()), 1), 8);
  asks(kA, tcp(0, 2), 3);
  const std::string first = key_of(kA);
  says(kA, "listening", tcp(port_of(last(kA).fd.get()), 2), 9);
  ASSERT_TRUE(cluster_->connect_to(kA, 0));
  ASSERT_THAT(given_to(kA), SizeIs(1));
  EXPECT_EQ(given_to(kA)[0]->message["key"], Json(first));
  EXPECT_NE(first, later);
  const auto elsewhere = cluster_->connect_to(kA, 9);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().message(), "it does not listen on 9");
}

TEST_F(ClusterBalanceTest, NoConnectionForOneThatListensOnNothing) {
  joins(kA, 0);
  EXPECT_FALSE(cluster_->connect_to(kA, 0));
  EXPECT_FALSE(cluster_->connect_to(kB, 0));
}

TEST_F(ClusterBalanceTest, OnlyAWorkerWithAHookIsAskedWhatItHasCounted) {
  serves(kA, 0);
  EXPECT_FALSE(cluster_->ask_traffic(kA));
  hook_says(kA, "alive");
  EXPECT_TRUE(cluster_->ask_traffic(kA));
  EXPECT_EQ(last(kA).message["act"], Json("count"));
  cluster_->said(kA,
                 R"({"cmd":"NODE_PMX","act":"traffic","open":3,"connections":40,"requests":5})");
  cluster_->said(kA, R"({"cmd":"NODE_PMX","act":"traffic","open":-3,"connections":"x"})");
  EXPECT_THAT(counted_, ElementsAre(supervisor::Traffic{3, 40, 5}));
}

}  // namespace
}  // namespace pmx::test
