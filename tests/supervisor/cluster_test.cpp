#include "supervisor/cluster.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <filesystem>

#include "supervisor/cluster_fixture.h"
#include "support/temp_dir.h"

namespace pmx::test {
namespace {

using supervisor::Balance;
using supervisor::Cluster;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::SizeIs;

class ClusterTest : public ClusterFixture {
 protected:
  TempDir dir_;
};

TEST_F(ClusterTest, KnowsTheBalanceByItsName) {
  EXPECT_EQ(supervisor::balance_of(app()), Balance::kSlots);
  EXPECT_EQ(supervisor::balance_of(app("shared")), Balance::kShared);
  EXPECT_EQ(supervisor::balance_of(app("sticky")), Balance::kSticky);
}

// ---- Questions.

TEST_F(ClusterTest, WorkersOnOneAddressGetSocketsOfOnePort) {
  joins(kA, 0);
  joins(kB, 1);
  asks(kA);
  asks(kB);
  EXPECT_EQ(error_of(kA), 0);
  EXPECT_EQ(error_of(kB), 0);
  EXPECT_EQ(last(kA).type, "net.Native");
  EXPECT_EQ(port_of(socket_of(kA)), port_of(socket_of(kB)));
  EXPECT_NE(socket_number(socket_of(kA)), socket_number(socket_of(kB)));
}

TEST_F(ClusterTest, OneSocketIsSharedWhereThatIsAskedFor) {
  serves(kA, 0, "shared");
  serves(kB, 1, "shared");
  EXPECT_EQ(socket_number(socket_of(kA)), socket_number(socket_of(kB)));
  EXPECT_THAT(held("port."), SizeIs(1));
}

TEST_F(ClusterTest, AUdpSocketIsAlwaysShared) {
  const std::string udp = R"("address":"127.0.0.1","port":0,"addressType":"udp4","fd":-1,)";
  for (const RunId run : {kA, kB}) {
    joins(run, run == kA ? 0 : 1);
    asks(run, udp);
    EXPECT_EQ(last(run).type, "dgram.Native");
  }
  EXPECT_EQ(socket_number(socket_of(kA)), socket_number(socket_of(kB)));
}

TEST_F(ClusterTest, AListenerIsOpenedWithTheBacklogOfItsQuestion) {
  for (const char* const balance : {"slots", "shared", "sticky", "rr"}) {
    joins(kA, 0, balance);
    asks(kA, tcp(0) + R"("backlog":37,)");
    joins(kB, 1, balance);
    asks(kB, tcp(0) + R"("backlog":37,)", 2);
    next_daemon();
    joins(kC, 2, balance);  // The slot that it needs is a new one.
    asks(kC, tcp(0), 3);
    EXPECT_EQ(error_of(kC), 0);
    const std::string kind = balance;
    const std::size_t expected = kind == "slots" || kind == "sticky" ? 3 : 1;
    const auto sockets = held_sockets();
    EXPECT_THAT(sockets, SizeIs(expected)) << balance;
    for (const Fd& socket : sockets) EXPECT_EQ(backlog_of(socket.get()), 37U) << balance;
    for (const RunId run : {kA, kB, kC}) cluster_->ended(run);
    cluster_->close_unused(app_key());
  }
}

TEST_F(ClusterTest, AUnixSocketIsOpenedWithTheBacklogOfItsQuestion) {
  joins(kA, 0);
  asks(kA, unix_path(dir_ / "s") + R"("backlog":1,)");
  // listen(2) lets one more in than was said.
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(clients_.emplace_back(unix_client_of(dir_ / "s")));
  EXPECT_FALSE(unix_client_of(dir_ / "s", SOCK_NONBLOCK));
}

TEST_F(ClusterTest, SeveralFreePortsOfAWorkerAreTheSameForAll) {
  joins(kA, 0);
  joins(kB, 1);
  std::vector<int> ports;
  for (const RunId run : {kA, kB}) {
    for (const int index : {0, 1}) {
      asks(run, tcp(0, index), 1 + index);
      ports.push_back(port_of(last(run).fd.get()));
    }
  }
  EXPECT_NE(ports[0], ports[1]);
  EXPECT_THAT(ports, ElementsAre(ports[0], ports[1], ports[0], ports[1]));
}

TEST_F(ClusterTest, AWorkerThatAsksForWhatItHasIsRefused) {
  joins(kA, 0);
  asks(kA, tcp(0), 1);
  asks(kA, tcp(0), 2);
  EXPECT_EQ(error_of(kA), -EADDRINUSE);
  EXPECT_FALSE(last(kA).fd);
}

TEST_F(ClusterTest, TheSameQuestionIsAnsweredAgain) {
  joins(kA, 0);
  asks(kA, tcp(0), 1);
  const ino_t first = socket_number(last(kA).fd.get());
  next_daemon();  // The one before died before it took the question out of the channel.
  asks(kA, tcp(0), 1);
  EXPECT_EQ(error_of(kA), 0);
  EXPECT_EQ(socket_number(last(kA).fd.get()), first);
  ASSERT_THAT(told_, SizeIs(2));
  EXPECT_GT(told_[1].message["seq"].as_int(), told_[0].message["seq"].as_int());
}

TEST_F(ClusterTest, AWorkerHearsWhatBindSaid) {
  const Fd foreign = std::move(supervisor::open_listener({.address = "127.0.0.1"}, true)).value();
  joins(kA, 0);
  asks(kA, tcp(port_of(foreign.get())));
  EXPECT_EQ(error_of(kA), -EADDRINUSE);
  EXPECT_FALSE(last(kA).fd);
  EXPECT_TRUE(noticed("app web: bind 127.0.0.1"));
  asks(kA, R"("address":"192.0.2.1","port":1,"addressType":4,)");
  EXPECT_EQ(error_of(kA), -EADDRNOTAVAIL);
  asks(kA, unix_path(dir_ / "missing/s"));
  EXPECT_EQ(error_of(kA), -EACCES);
  asks(kA, R"("address":null,"port":null,"addressType":null,"fd":3,)");
  EXPECT_EQ(error_of(kA), -EINVAL);
  EXPECT_THAT(held("port."), SizeIs(0));
}

TEST_F(ClusterTest, MayAskAgainForWhatItWasRefused) {
  Fd foreign = std::move(supervisor::open_listener({.address = "127.0.0.1"}, true)).value();
  const int port = port_of(foreign.get());
  joins(kA, 0);
  asks(kA, tcp(port), 1);
  foreign.reset();
  asks(kA, tcp(port), 2);
  EXPECT_EQ(error_of(kA), 0);
}

TEST_F(ClusterTest, AnAppHasABoundOfListeners) {
  joins(kA, 0);
  for (int i = 0; i < static_cast<int>(Cluster::kMaxListeners); ++i) asks(kA, tcp(0, i), i);
  EXPECT_EQ(error_of(kA), 0);
  asks(kA, tcp(0, 1000), 1000);
  EXPECT_EQ(error_of(kA), -EMFILE);
  EXPECT_TRUE(noticed("as many addresses as one app may"));
}

TEST_F(ClusterTest, TheFirstDataIsEveryones) {
  joins(kA, 0);
  joins(kB, 1);
  asks(kA, tcp(0, 0, R"(["ticket keys"])"));
  asks(kB, tcp(0, 0, R"(["others"])"));
  EXPECT_EQ(last(kA).message["data"].dump(), R"(["ticket keys"])");
  EXPECT_EQ(last(kB).message["data"].dump(), R"(["ticket keys"])");
  next_daemon();
  joins(kC, 2);
  asks(kC, tcp(0, 0, R"(["a later generation's"])"));
  EXPECT_EQ(last(kC).message["data"].dump(), R"(["ticket keys"])");
}

TEST_F(ClusterTest, AStrangerIsNotHeard) {
  asks(kA);
  hook_says(kA, "drained");
  EXPECT_THAT(told_, SizeIs(0));
  EXPECT_THAT(drained_, SizeIs(0));
}

// ---- What the keeper holds.

TEST_F(ClusterTest, TheKeeperHoldsAllThatAWorkerIsToldOfFirst) {
  joins(kA, 0);
  joins(kB, 1);
  asks(kA);
  ASSERT_THAT(held("port."), SizeIs(1));
  EXPECT_THAT(last(kA).held, IsSupersetOf(held("port.")));
  EXPECT_THAT(last(kA).held, IsSupersetOf(held("cluster.")));
  asks(kB);
  ASSERT_THAT(held("port."), SizeIs(2));
  EXPECT_THAT(last(kB).held, IsSupersetOf(held("port.")));
  EXPECT_EQ(socket_number(held_sockets()[1].get()), socket_number(socket_of(kB)));
}

TEST_F(ClusterTest, TheDescriptionIsOfTheMomentOfTheAnswer) {
  joins(kA, 0);
  asks(kA);
  // A daemon that dies with its answer on the way: the next one knows who has asked for what.
  next_daemon();
  says(kA, "listening", tcp(port_of(socket_of(kA))), 2);
  EXPECT_THAT(cluster_->listens_on(kA), ElementsAre(key_of(kA)));
}

TEST_F(ClusterTest, WhatTheKeeperDoesNotTakeIsNotGiven) {
  joins(kA, 0);
  link_.put_errno_ = ENFILE;
  asks(kA, tcp(0), 1);
  EXPECT_EQ(error_of(kA), -ENFILE);
  EXPECT_FALSE(last(kA).fd);
  link_.put_errno_ = 0;
  asks(kA, tcp(0), 2);
  EXPECT_EQ(error_of(kA), 0);
}

TEST_F(ClusterTest, ANewDaemonGoesOn) {
  serves(kA, 0);
  joins(kB, 1);
  next_daemon();
  EXPECT_THAT(cluster_->members(), ElementsAre(kA, kB));
  EXPECT_THAT(cluster_->listens_on(kA), ElementsAre(key_of(kA)));
  EXPECT_THAT(cluster_->listens_on(kB), SizeIs(0));
  EXPECT_EQ(cluster_->free_number(app()), 3);
  asks(kB);
  EXPECT_EQ(port_of(last(kB).fd.get()), port_);
  listens(kB);
  const auto counts = spread({kA, kB}, 64);
  EXPECT_GT(counts[0], 0U);
  EXPECT_GT(counts[1], 0U);
}

TEST_F(ClusterTest, ConnectionsWaitWhileNoDaemonLives) {
  serves(kA, 0);
  cluster_.reset();
  clients_wait_at(kA, 3);
  next_daemon();
  EXPECT_EQ(supervisor::waiting_connections(socket_of(kA)), 3U);
  EXPECT_THAT(given_to(kA), SizeIs(0));
}

TEST_F(ClusterTest, ASocketThatNobodyWasToldOfIsDropped) {
  serves(kA, 0);
  const auto before = held("port.");
  ASSERT_TRUE(link_.put("port.0123.0.0", socket_of(kA)));
  ASSERT_TRUE(link_.put(before[0] + "7", socket_of(kA)));
  next_daemon();
  EXPECT_EQ(held("port."), before);
}

TEST_F(ClusterTest, ADescriptionThatCannotBeReadIsSaid) {
  serves(kA, 0);
  const Fd garbage = std::move(sys::memfd_of("t", "{")).value();
  ASSERT_TRUE(link_.put("cluster.0123", garbage.get()));
  next_daemon();
  EXPECT_TRUE(noticed("what the keeper holds of a cluster app: "));
  EXPECT_THAT(cluster_->members(), ElementsAre(kA));
}

// ---- Members.

TEST_F(ClusterTest, ANumberIsFreeAgainWhenItsRunHasEnded) {
  for (const RunId run : {kA, kB, kC}) joins(run, 0);
  EXPECT_EQ(cluster_->free_number(app()), 4);
  cluster_->ended(kB);
  EXPECT_FALSE(cluster_->has(kB));
  EXPECT_EQ(cluster_->free_number(app()), 2);
  AppSpec other = app();
  other.app_namespace = "other";
  EXPECT_EQ(cluster_->free_number(other), 1);
}

TEST_F(ClusterTest, TellsOfEachAddressThatAWorkerListensOn) {
  joins(kA, 0);
  std::set<std::string> keys;
  for (const int index : {0, 1}) {
    asks(kA, tcp(0, index), 1 + index);
    keys.insert(key_of(kA));
    listens(kA, index);
  }
  EXPECT_THAT(listening_, ElementsAre(kA, kA));
  EXPECT_EQ(cluster_->listens_on(kA), keys);
}

TEST_F(ClusterTest, WhatAWorkerBindsByItselfIsNotOurs) {
  joins(kA, 0);
  says(kA, "listening", tcp(4000), 1);  // `exclusive: true`
  EXPECT_THAT(cluster_->listens_on(kA), SizeIs(0));
  EXPECT_THAT(listening_, SizeIs(0));
}

TEST_F(ClusterTest, AWorkerThatLeavesByItselfIsAnswered) {
  joins(kA, 0);
  says(kA, "exitedAfterDisconnect", "", 17);
  EXPECT_EQ(last(kA).message["ack"].as_int(), 17);
}

TEST_F(ClusterTest, TheHookTellsWhenClientsAreGone) {
  joins(kA, 0);
  hook_says(kA, "drained");
  EXPECT_THAT(drained_, ElementsAre(kA));
}

TEST_F(ClusterTest, DisconnectIsSaidAsNodesPrimarySaysIt) {
  serves(kA, 0);
  EXPECT_TRUE(cluster_->disconnect(kA));
  EXPECT_EQ(last(kA).message["act"].as_string(), "disconnect");
  deaf_ = {kA};
  EXPECT_FALSE(cluster_->disconnect(kA));
}

// ---- Closing.

TEST_F(ClusterTest, AWorkerThatLeavesLeavesItsListenerToOthers) {
  serves(kA, 0);
  const std::string key = key_of(kA);
  ASSERT_TRUE(cluster_->disconnect(kA));
  closes(kA, key);
  EXPECT_THAT(cluster_->listens_on(kA), SizeIs(0));
  cluster_->ended(kA);
  EXPECT_THAT(held("port."), SizeIs(1));
  EXPECT_TRUE(client_of(port_));
}

TEST_F(ClusterTest, TheLastOneThatClosesItsServerClosesTheAddress) {
  serves(kA, 0);
  const std::string key = key_of(kA);
  serves(kB, 1);
  closes(kA, key);
  EXPECT_EQ(spread({kB}, 4)[0], 4U);
  closes(kB, key);
  EXPECT_THAT(held("port."), SizeIs(0));
  told_.clear();  // The workers' own descriptors.
  EXPECT_FALSE(client_of(port_));
}

TEST_F(ClusterTest, AfterACloseTheSameAddressCanBeAskedFor) {
  serves(kA, 0);
  closes(kA, key_of(kA));
  asks(kA, tcp(0), 5);
  EXPECT_EQ(error_of(kA), 0);
  EXPECT_THAT(held("port."), SizeIs(1));
}

TEST_F(ClusterTest, AUnixSocketsFileGoesWhenItIsClosed) {
  const std::string path = dir_ / "s";
  joins(kA, 0);
  asks(kA, unix_path(path));
  says(kA, "listening", unix_path(path), 2);
  EXPECT_TRUE(unix_client_of(path));
  cluster_->ended(kA);
  EXPECT_TRUE(unix_client_of(path));  // Held for whoever comes next.
  joins(kB, 0);
  asks(kB, unix_path(path));
  EXPECT_EQ(error_of(kB), 0);
  closes(kB, key_of(kB));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ClusterTest, AnAbstractNameLeavesFilesAlone) {
  std::string name = dir_ / "web";
  std::filesystem::create_directory(name);
  name.insert(0, 1, '\0');
  joins(kA, 0);
  asks(kA, unix_path("/cwd/" + name));
  EXPECT_EQ(error_of(kA), 0);
  EXPECT_TRUE(unix_client_of(name));
  closes(kA, key_of(kA));
  told_.clear();
  EXPECT_FALSE(unix_client_of(name));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "web"));
}

TEST_F(ClusterTest, WhatNobodyServesIsClosedWithTheLastMember) {
  serves(kA, 0);
  cluster_->close_unused(app_key());
  EXPECT_THAT(held("port."), SizeIs(1));  // It has a member.
  cluster_->ended(kA);
  EXPECT_THAT(held("port."), SizeIs(1));  // Its next run is on its way.
  cluster_->close_unused(app_key());
  EXPECT_THAT(held(""), SizeIs(0));
  EXPECT_EQ(clock_.waiting(), 0U);
  EXPECT_EQ(watches_.count(), 0U);
  cluster_->close_unused(app_key());  // Of an app that is not there.
}

TEST_F(ClusterTest, AnAddressThatNobodyAsksForAnyMoreIsClosed) {
  serves(kA, 0);
  const int old_port = port_;
  joins(kB, 1);
  cluster_->ended(kA);
  cluster_->close_unasked(app_key());
  EXPECT_THAT(held("port."), SizeIs(1));  // B may still ask for it.
  asks(kB, tcp(0, 1), 1);
  listens(kB, 1);
  cluster_->close_unasked(app_key());
  EXPECT_THAT(held("port."), testing::Each(testing::HasSubstr(".1.")));
  told_.erase(told_.begin());  // A's own descriptor.
  EXPECT_FALSE(client_of(old_port));
  EXPECT_TRUE(client_of(port_));
  next_daemon();
  EXPECT_THAT(cluster_->listens_on(kB), SizeIs(1));
}

TEST_F(ClusterTest, AUnixSocketThatTheKeeperDidNotTakeLeavesNoFile) {
  joins(kA, 0);
  link_.put_errno_ = ENFILE;
  asks(kA, unix_path(dir_ / "s"), 1);
  link_.put_errno_ = 0;
  asks(kA, unix_path(dir_ / "s"), 2);
  EXPECT_EQ(error_of(kA), 0);
}

}  // namespace
}  // namespace pmx::test
