#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "supervisor/cluster_fixture.h"
#include "support/temp_dir.h"

namespace pmx::test {
namespace {

using supervisor::ListenSpec;
using testing::Each;
using testing::ElementsAre;
using testing::Gt;
using testing::HasSubstr;
using testing::SizeIs;

// Workers that are started with a socket of one free port of 127.0.0.1.
class ClusterListenTest : public ClusterFixture {
 protected:
  ClusterListenTest() {
    const Fd free = std::move(supervisor::open_listener({.address = "127.0.0.1"}, false)).value();
    port_ = port_of(free.get());
  }
  std::string here() const { return "127.0.0.1:" + std::to_string(port_); }
  struct As {
    bool candidate = false, trapped = true;
    std::string balance = "slots";
  };
  // Its errno.
  int begins(RunId run, std::int64_t instance, const As& as, std::vector<std::string> entries) {
    cluster_->join(app(as.balance), run,
                   {instance, cluster_->free_number(app(as.balance)), as.candidate, as.trapped});
    const auto specs = supervisor::listen_specs_of(entries);
    auto sockets = cluster_->sockets_for(run, *specs, std::nullopt);
    if (!sockets) return sockets.error().sys_errno();
    EXPECT_THAT(*sockets, SizeIs(entries.size()));
    sockets_[run] = std::move(*sockets);
    return 0;
  }
  int begins(RunId run, std::int64_t instance, const As& as) {
    return begins(run, instance, as, {here()});
  }
  int begins(RunId run, std::int64_t instance) { return begins(run, instance, As()); }
  int socket(RunId run, std::size_t i = 0) const { return sockets_.at(run).at(i).get(); }
  bool is_one(RunId a, RunId b) const {
    return socket_number(socket(a)) == socket_number(socket(b));
  }
  static bool blocks(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }
  std::vector<std::size_t> spread_over(const std::vector<RunId>& runs, std::size_t count) {
    std::vector<Fd> open;
    for (std::size_t i = 0; i < count; ++i) open.push_back(client_of(port_));
    std::vector<int> sockets;
    for (const RunId run : runs) sockets.push_back(socket(run));
    for (const int fd : sockets) EXPECT_TRUE(sys::set_nonblocking(fd, true));
    return arrivals(sockets, count);
  }
  static std::string by_descriptor(int descriptor) {
    return R"("address":null,"port":null,"addressType":null,"data":null,"index":0,"fd":)" +
           std::to_string(descriptor) + ",";
  }

  std::map<RunId, std::vector<Fd>> sockets_;
};

TEST_F(ClusterListenTest, EachHasAListeningSocketOfItsOwnThatTheKeeperHolds) {
  ASSERT_EQ(begins(kA, 0), 0);
  ASSERT_EQ(begins(kB, 1), 0);
  EXPECT_FALSE(is_one(kA, kB));
  EXPECT_THAT(held("port."), SizeIs(2));
  EXPECT_THAT(spread_over({kA, kB}, 400), Each(Gt(120U)));
}

TEST_F(ClusterListenTest, SocketsBlockAsSystemdsDo) {
  ASSERT_EQ(begins(kA, 0), 0);
  EXPECT_TRUE(blocks(socket(kA)));
  ASSERT_TRUE(sys::set_nonblocking(socket(kA), true));  // Its program's wish.
  cluster_->ended(kA);
  ASSERT_EQ(begins(kB, 0), 0);
  EXPECT_TRUE(is_one(kA, kB));
  EXPECT_TRUE(blocks(socket(kB)));
}

TEST_F(ClusterListenTest, WhatAnotherHasMadeNonblockingStaysSo) {
  ASSERT_EQ(begins(kA, 0, {.balance = "shared"}), 0);
  ASSERT_TRUE(sys::set_nonblocking(socket(kA), true));
  ASSERT_EQ(begins(kB, 1, {.balance = "shared"}), 0);
  EXPECT_TRUE(is_one(kA, kB));
  EXPECT_FALSE(blocks(socket(kB)));
}

TEST_F(ClusterListenTest, ACandidateGetsNothingBeforeItIsAdmitted) {
  ASSERT_EQ(begins(kA, 0), 0);
  ASSERT_EQ(begins(kB, 0, {.candidate = true}), 0);
  EXPECT_THAT(spread_over({kA, kB}, 50), ElementsAre(50U, 0U));
  cluster_->admit(kB);
  cluster_->leave_soon(kA);
  EXPECT_THAT(spread_over({kA, kB}, 50), ElementsAre(0U, 50U));
}

TEST_F(ClusterListenTest, ConnectionsWaitWhileNobodyLives) {
  ASSERT_EQ(begins(kA, 0), 0);
  cluster_->ended(kA);
  clients(3);
  ASSERT_EQ(begins(kB, 0), 0);
  EXPECT_TRUE(queue_reaches(socket(kB), 3));
  EXPECT_EQ(cluster_->waiting_at(kB), 3U);
}

TEST_F(ClusterListenTest, OneThatHangsGetsNoConnectionsUntilItTakesThemAgain) {
  ASSERT_EQ(begins(kA, 0), 0);
  clients(2);
  ASSERT_TRUE(queue_reaches(socket(kA), 2));
  ASSERT_EQ(begins(kB, 1), 0);
  for (int look = 0; look < 3; ++look) {
    EXPECT_THAT(notices_, SizeIs(0));
    clock_.advance(supervisor::Cluster::kLookEvery);
  }
  EXPECT_TRUE(noticed("2 connection(s) have waited for a second"));
  EXPECT_THAT(spread_over({kB}, 16), ElementsAre(16U));
  EXPECT_EQ(cluster_->waiting_at(kA), 2U);  // Those only it can take.
  ASSERT_TRUE(sys::set_nonblocking(socket(kA), true));
  EXPECT_THAT(arrivals(std::vector{socket(kA)}, 2), ElementsAre(2U));
  clock_.advance(2s);
  EXPECT_THAT(spread_over({kA, kB}, 60), Each(Gt(10U)));
}

TEST_F(ClusterListenTest, ANewDaemonFindsThemAgain) {
  ASSERT_EQ(begins(kA, 0), 0);
  next_daemon();
  EXPECT_TRUE(cluster_->is_trapped(kA));
  ASSERT_EQ(begins(kB, 1), 0);
  EXPECT_THAT(spread_over({kA, kB}, 400), Each(Gt(120U)));
  EXPECT_THAT(cluster_->listens_on(kA), SizeIs(0));
}

TEST_F(ClusterListenTest, NobodySeesWhetherTheyAcceptThere) {
  ASSERT_EQ(begins(kA, 0), 0);
  EXPECT_THAT(cluster_->listens_on(kA), SizeIs(0));
  EXPECT_THAT(listening_, SizeIs(0));
}

TEST_F(ClusterListenTest, AQuestionGoesToItsOwnSlot) {
  ASSERT_EQ(begins(kA, 0), 0);
  ASSERT_EQ(begins(kB, 0, {.candidate = true}), 0);
  const auto question = cluster_->connect_to(kB, 0);
  ASSERT_TRUE(question);
  EXPECT_TRUE(queue_reaches(socket(kB), 1));
  EXPECT_THAT(told_, SizeIs(0));  // A channel would know nothing of it.
}

TEST_F(ClusterListenTest, WhereTheyShareOneSocketNobodyCanBeAskedAlone) {
  ASSERT_EQ(begins(kA, 0, {.balance = "shared"}), 0);
  EXPECT_THAT(cluster_->connect_to(kA, 0).error().message(),
              HasSubstr("no socket that is its alone"));
}

TEST_F(ClusterListenTest, APortThatSomebodyHasIsItsError) {
  const Fd other =
      std::move(supervisor::open_listener({.address = "127.0.0.1", .port = port_}, false)).value();
  EXPECT_EQ(begins(kA, 0), EADDRINUSE);
  const auto checked =
      cluster_->check_listen(app_key(), {std::move(*supervisor::listen_spec_of(here()))});
  EXPECT_THAT(checked.error().message(), HasSubstr(here() + ": Address already in use"));
}

TEST_F(ClusterListenTest, WhatItHasAlreadyItMayHaveAgain) {
  ASSERT_EQ(begins(kA, 0), 0);
  EXPECT_TRUE(cluster_->check_listen(app_key(), {std::move(*supervisor::listen_spec_of(here()))}));
}

TEST_F(ClusterListenTest, AReleaseMayTakeOverFromOneThatBoundThePortItself) {
  cluster_->join(app(), kA, {0, 1, false, true});
  ASSERT_TRUE(cluster_->binds(kA, {.address = "127.0.0.1", .port = port_}));
  cluster_->ended(kA);
  EXPECT_EQ(begins(kB, 0), 0);
  EXPECT_THAT(held("port."), SizeIs(1));
  cluster_->ended(kB);
  cluster_->join(app(), kC, {0, 1, false, true});
  EXPECT_TRUE(cluster_->binds(kC, {.address = "127.0.0.1", .port = port_}));
}

TEST_F(ClusterListenTest, AUnixSocketIsOneForAllAndGoesWithTheLast) {
  const TempDir dir;
  const std::string path = dir.path() + "/app.sock";
  ASSERT_EQ(begins(kA, 0, As(), {"unix:" + path}), 0);
  ASSERT_EQ(begins(kB, 1, As(), {"unix:" + path}), 0);
  EXPECT_TRUE(is_one(kA, kB));
  cluster_->ended(kA);
  cluster_->ended(kB);
  cluster_->close_unused(app_key());
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST_F(ClusterListenTest, ASocketFileThatNobodyServesIsReplaced) {
  const TempDir dir;
  const std::string path = dir.path() + "/app.sock";
  const supervisor::ListenAddress address{.kind = supervisor::ListenAddress::Kind::kUnix,
                                          .address = path};
  auto other = std::move(supervisor::open_listener(address, false)).value();
  EXPECT_EQ(begins(kA, 0, As(), {"unix:" + path}), EADDRINUSE);
  other.reset();
  EXPECT_EQ(begins(kB, 0, As(), {"unix:" + path}), 0);
}

TEST_F(ClusterListenTest, NodeHasItForAskingByItsDescriptor) {
  const As node{.trapped = false};
  ASSERT_EQ(begins(kA, 0, node), 0);
  EXPECT_FALSE(blocks(socket(kA)));
  EXPECT_THAT(cluster_->listens_on(kA), SizeIs(0));
  asks(kA, by_descriptor(3));
  EXPECT_EQ(socket_number(last(kA).fd.get()), socket_number(socket(kA)));
  says(kA, "listening", by_descriptor(3), 2);
  EXPECT_THAT(cluster_->listens_on(kA), ElementsAre(key_of(kA)));
  EXPECT_THAT(listening_, ElementsAre(kA));
  asks(kA, by_descriptor(4), 3);
  EXPECT_EQ(error_of(kA), -EINVAL);
}

TEST_F(ClusterListenTest, WhatAProgramHasShutDownIsListenedOnAgain) {
  const TempDir dir;
  const std::vector<std::string> entries{here(), "unix:" + dir.path() + "/app.sock"};
  ASSERT_EQ(begins(kA, 0, As(), entries), 0);
  for (std::size_t i = 0; i < 2; ++i) ASSERT_EQ(::shutdown(socket(kA, i), SHUT_RDWR), 0);
  cluster_->ended(kA);
  ASSERT_EQ(begins(kB, 0, As(), entries), 0);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(supervisor::is_listening(socket(kB, i))) << i;
  const Fd client = client_of(port_);
  EXPECT_TRUE(queue_reaches(socket(kB), 1));
}

TEST_F(ClusterListenTest, WhoComesWhileAnotherBindsThePortSharesIt) {
  cluster_->join(app(), kA, {0, 1, false, true});
  const auto bound = cluster_->binds(kA, {.address = "127.0.0.1", .port = port_});
  ASSERT_TRUE(bound);
  ASSERT_EQ(begins(kB, 1), 0);
  EXPECT_NE(socket_number(bound->get()), socket_number(socket(kB)));
  EXPECT_EQ(port_of(socket(kB)), port_);
  EXPECT_THAT(held("port."), SizeIs(2));
}

TEST_F(ClusterListenTest, AStartThatFailsLeavesNoSocketOfOursBlocking) {
  const std::string port = tcp(port_);
  joins(kA, 0);
  asks(kA, port);
  joins(kC, 1);
  asks(kC, port);
  says(kC, "listening", port, 2);
  cluster_->ended(kA);  // From now on we accept what lies in its slot.
  const Fd taken = std::move(supervisor::open_listener({.address = "127.0.0.1"}, false)).value();
  const std::string other = "127.0.0.1:" + std::to_string(port_of(taken.get()));
  EXPECT_EQ(begins(kB, 0, As(), {here(), other}), EADDRINUSE);
  cluster_->ended(kB);
  for (const Fd& socket : held_sockets()) EXPECT_FALSE(blocks(socket.get()));
}

TEST_F(ClusterListenTest, WhatASuccessorIsStartedWithNobodyHasToSee) {
  cluster_->join(app(), kA, {0, 1, false, true});
  ASSERT_TRUE(cluster_->binds(kA, {.address = "127.0.0.1", .port = port_}));
  ASSERT_EQ(begins(kB, 0, {.candidate = true}), 0);
  EXPECT_THAT(cluster_->to_take_over(kA, kB), SizeIs(0));
  cluster_->ended(kA);
  const TempDir dir;
  ASSERT_EQ(begins(kA, 0, {.candidate = true}, {"unix:" + dir.path() + "/a.sock"}), 0);
  EXPECT_THAT(cluster_->to_take_over(kB, kA), SizeIs(0));  // An address less, as it was asked for.
  cluster_->ended(kA);
  cluster_->join(app(), kC, {0, 2, true, true});  // It binds again, which is seen.
  EXPECT_THAT(cluster_->to_take_over(kB, kC), SizeIs(1));
  ASSERT_TRUE(cluster_->binds(kC, {.address = "127.0.0.1", .port = port_}));
  EXPECT_EQ(cluster_->to_take_over(kB, kC), cluster_->listens_on(kC));
}

TEST_F(ClusterListenTest, OneThatHasAskedForNothingYetKeepsWhatWasThereBefore) {
  joins(kA, 0);
  asks(kA);
  ASSERT_EQ(begins(kB, 1, {.trapped = false}), 0);
  cluster_->ended(kA);
  cluster_->close_unasked(app_key());
  EXPECT_THAT(held("port."), SizeIs(3));  // It may ask for it still.
  asks(kB, by_descriptor(3));
  cluster_->close_unasked(app_key());
  EXPECT_THAT(held("port."), SizeIs(2));
}

TEST_F(ClusterListenTest, ANodeThatClosesItsServerKeepsTheAddress) {
  ASSERT_EQ(begins(kA, 0, {.trapped = false}), 0);
  asks(kA, by_descriptor(3));
  says(kA, "listening", by_descriptor(3), 2);
  closes(kA, key_of(kA));
  EXPECT_THAT(held("port."), SizeIs(1));
  asks(kA, by_descriptor(3), 4);
  EXPECT_EQ(error_of(kA), 0);
}

}  // namespace
}  // namespace pmx::test
