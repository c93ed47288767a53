#include "supervisor/cluster_message.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace pmx::test {
namespace {

using supervisor::cluster_message;
using supervisor::ClusterMessage;
using supervisor::ListenAddress;
using Act = ClusterMessage::Act;
using Kind = ListenAddress::Kind;

// Lines as Node 18 to 26 write them.
constexpr std::string_view kQuery =
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"127.0.0.1",)"
    R"("port":3902,"addressType":4,"flags":0,"backlog":false,"seq":1})";

// queryServer with these fields beside those that all have.
ClusterMessage query(const std::string& fields) {
  return cluster_message(R"({"cmd":"NODE_CLUSTER","act":"queryServer","data":null,)" + fields +
                         R"(,"seq":1})");
}
ClusterMessage listening(const std::string& fields) {
  return cluster_message(R"({"cmd":"NODE_CLUSTER","act":"listening","data":null,)" + fields +
                         R"(,"seq":2})");
}

// ---- What workers say.

TEST(ClusterMessageTest, AWorkerIsOnline) {
  const auto message = cluster_message(R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})");
  EXPECT_EQ(message.act, Act::kOnline);
  EXPECT_EQ(message.seq, 0);
}

TEST(ClusterMessageTest, AWorkerAsksForATcpAddress) {
  const auto message = cluster_message(kQuery);
  EXPECT_EQ(message.act, Act::kQueryServer);
  EXPECT_EQ(message.seq, 1);
  EXPECT_EQ(message.refused, 0);
  ListenAddress expected;
  expected.address = "127.0.0.1";
  expected.port = 3902;
  EXPECT_EQ(message.address, expected);
  EXPECT_EQ(message.data, "");
}

TEST(ClusterMessageTest, AnyAddressIsNullOrLeftOut) {
  for (const char* const address : {R"("address":null,)", ""}) {
    const auto message = query(std::string(address) + R"("port":80,"addressType":4,"flags":0)");
    EXPECT_EQ(message.address.address, "");
    EXPECT_EQ(message.address.kind, Kind::kTcp);
    EXPECT_EQ(message.address.port, 80);
  }
}

TEST(ClusterMessageTest, AnIpv6AddressMayBeForIpv6Only) {
  const auto both = query(R"("address":"::","port":80,"addressType":6,"flags":0)");
  const auto only = query(R"("address":"fe80::1%eth0","port":80,"addressType":6,"flags":1)");
  EXPECT_TRUE(both.address.ipv6 && only.address.ipv6);
  EXPECT_FALSE(both.address.ipv6_only);
  EXPECT_TRUE(only.address.ipv6_only);
  EXPECT_EQ(only.address.address, "fe80::1%eth0");
  EXPECT_FALSE(
      query(R"("address":"1.2.3.4","port":80,"addressType":4,"flags":1)").address.ipv6_only);
}

TEST(ClusterMessageTest, AWorkerAsksForAUdpAddress) {
  const auto v4 =
      query(R"("address":"127.0.0.1","port":53,"addressType":"udp4","fd":-1,"flags":0)");
  EXPECT_EQ(v4.address.kind, Kind::kUdp);
  EXPECT_FALSE(v4.address.ipv6 || v4.address.reuse_address);
  const auto v6 = query(R"("address":"::1","port":53,"addressType":"udp6","fd":-1,"flags":4)");
  EXPECT_EQ(v6.address.kind, Kind::kUdp);
  EXPECT_TRUE(v6.address.ipv6 && v6.address.reuse_address);
  EXPECT_EQ(v6.refused, 0);
}

TEST(ClusterMessageTest, AWorkerAsksForAUnixSocket) {
  const auto plain = query(R"("address":"/run/web.sock","port":-1,"addressType":-1)");
  EXPECT_EQ(plain.address.kind, Kind::kUnix);
  EXPECT_EQ(plain.address.address, "/run/web.sock");
  EXPECT_EQ(plain.address.more_mode, 0U);
  const auto open = query(
      R"("address":"/run/web.sock","port":-1,"addressType":-1,"readableAll":true,"writableAll":true)");
  EXPECT_EQ(open.address.more_mode, 0666U);
  EXPECT_EQ(open.key, plain.key);
}

TEST(ClusterMessageTest, AnAbstractNameIsWhatStandsBehindTheDirectory) {
  const auto message = query(R"("address":"/srv/app/\u0000web","port":-1,"addressType":-1)");
  EXPECT_EQ(message.address.kind, Kind::kUnix);
  EXPECT_EQ(message.address.address, std::string("\0web", 4));
}

TEST(ClusterMessageTest, ABacklogIsTakenWithinReason) {
  const auto backlog = [](const std::string& text) {
    return query(R"("address":"::","port":80,"addressType":6,"backlog":)" + text).address.backlog;
  };
  EXPECT_EQ(backlog("128"), 128);
  for (const char* const unsaid : {"false", "null", "0", "-1"}) EXPECT_EQ(backlog(unsaid), 511);
  EXPECT_EQ(backlog("9007199254740991"), 1 << 20);
}

TEST(ClusterMessageTest, DescriptorsOfOursAreRefused) {
  const auto message = query(R"("address":null,"port":null,"addressType":null,"fd":3)");
  EXPECT_EQ(message.act, Act::kQueryServer);
  EXPECT_EQ(message.refused, EINVAL);
  EXPECT_EQ(message.descriptor, 3);
  EXPECT_EQ(query(R"("address":null,"port":null,"addressType":null,"fd":0)").refused, EINVAL);
  EXPECT_EQ(query(R"("address":"::","port":80,"addressType":6,"fd":null)").refused, 0);
}

TEST(ClusterMessageTest, APortThatIsNoneIsRefused) {
  EXPECT_EQ(query(R"("address":"::","port":65535,"addressType":6)").refused, 0);
  EXPECT_EQ(query(R"("address":"::","port":65536,"addressType":6)").refused, EINVAL);
}

TEST(ClusterMessageTest, TheKeyTellsListenersOfAnAppApart) {
  const std::string base = query(R"("address":"::","port":80,"addressType":6,"index":0)").key;
  EXPECT_NE(base, "");
  // The same address once more, from the same or another worker.
  EXPECT_EQ(query(R"("address":"::","port":80,"addressType":6,"index":1)").key, base);
  for (const char* const other : {R"("address":"::1","port":80,"addressType":6)",
                                  R"("address":"::","port":81,"addressType":6)",
                                  R"("address":"::","port":80,"addressType":"udp6")"})
    EXPECT_NE(query(other).key, base) << other;
}

TEST(ClusterMessageTest, OnPortZeroTheKeyTellsWhichOfSeveral) {
  const auto key = [](int index) {
    return query(R"("address":"::","port":0,"addressType":6,"index":)" + std::to_string(index)).key;
  };
  EXPECT_EQ(key(0), key(0));
  EXPECT_NE(key(0), key(1));
  EXPECT_EQ(query(R"("address":"::","port":0,"addressType":6,"index":0)").address.port, 0);
}

TEST(ClusterMessageTest, ListeningNamesWhatWasAskedFor) {
  const std::string fields = R"("address":"127.0.0.1","port":3902,"addressType":4,"index":0)";
  const auto message = listening(fields);
  EXPECT_EQ(message.act, Act::kListening);
  EXPECT_EQ(message.seq, 2);
  EXPECT_EQ(message.key, query(fields).key);
}

TEST(ClusterMessageTest, ListeningHasTheBoundPortWherePortZeroWasAskedFor) {
  const auto asked = query(R"("address":"127.0.0.1","port":0,"addressType":4,"index":1)");
  const auto message = listening(R"("address":"127.0.0.1","port":40123,"addressType":4,"index":1)");
  EXPECT_EQ(message.asked_key, asked.key);
  EXPECT_NE(message.key, asked.key);
}

TEST(ClusterMessageTest, CloseNamesTheKey) {
  const auto message = cluster_message(
      R"({"cmd":"NODE_CLUSTER","act":"close","key":"127.0.0.1:3902:4:null","seq":5})");
  EXPECT_EQ(message.act, Act::kClose);
  EXPECT_EQ(message.key, "127.0.0.1:3902:4:null");
}

TEST(ClusterMessageTest, AnAckSaysWhetherTheConnectionWasTaken) {
  const auto taken = cluster_message(R"({"cmd":"NODE_CLUSTER","ack":7,"accepted":true,"seq":3})");
  EXPECT_EQ(taken.act, Act::kAck);
  EXPECT_EQ(taken.ack, 7);
  EXPECT_TRUE(taken.accepted);
  const auto refused =
      cluster_message(R"({"cmd":"NODE_CLUSTER","ack":8,"accepted":false,"seq":4})");
  EXPECT_EQ(refused.ack, 8);
  EXPECT_FALSE(refused.accepted);
}

TEST(ClusterMessageTest, AWorkerLeavesByItsOwnWish) {
  const auto message =
      cluster_message(R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":6})");
  EXPECT_EQ(message.act, Act::kLeaving);
  EXPECT_EQ(message.seq, 6);
}

TEST(ClusterMessageTest, OurOwnHookIsHeard) {
  EXPECT_EQ(cluster_message(R"({"cmd":"NODE_PMX","act":"drained"})").act, Act::kDrained);
  EXPECT_EQ(cluster_message(R"({"cmd":"NODE_PMX","act":"alive"})").act, Act::kAlive);
  EXPECT_EQ(cluster_message(R"({"cmd":"NODE_PMX","act":"close"})").act, Act::kOther);
}

TEST(ClusterMessageTest, WhatIsNotOfTheProtocolIsNothing) {
  for (const char* const line :
       {"", "{", "null", "[]", "\"online\"", "17", "{}", R"({"cmd":7,"act":"online"})",
        R"({"cmd":"NODE_HANDLE_ACK"})", R"({"cmd":"NODE_CLUSTER"})",
        R"({"cmd":"NODE_CLUSTER","act":"rebind","seq":1})", R"({"act":"online","seq":0})",
        R"({"cmd":"NODE_CLUSTER","act":["online"],"seq":0})",
        R"({"cmd":"NODE_CLUSTER","act":"online")", R"({"cmd":"node_cluster","act":"online"})"})
    EXPECT_EQ(cluster_message(line).act, Act::kOther) << line;
}

TEST(ClusterMessageTest, FieldsOfAnotherTypeAreAsIfTheyWereLeftOut) {
  const auto message = query(
      R"("address":{"a":1},"port":"80","addressType":null,"index":"0","flags":[],"backlog":"9")");
  EXPECT_EQ(message.address.address, "");
  EXPECT_EQ(message.address.backlog, 511);
  EXPECT_FALSE(message.address.ipv6_only);
  EXPECT_EQ(cluster_message(R"({"cmd":"NODE_CLUSTER","act":"close","key":3,"seq":1})").key, "");
  EXPECT_EQ(cluster_message(R"({"cmd":"NODE_CLUSTER","ack":"7","accepted":1,"seq":3})").ack, 0);
}

// ---- What they are told.

TEST(ClusterMessageTest, ASocketGoesWithItsReply) {
  EXPECT_EQ(listener_reply(cluster_message(kQuery), "", 40),
            R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","errno":0,)"
            R"("key":"127.0.0.1:3902:4:null","ack":1,"data":null,"seq":40}})");
}

TEST(ClusterMessageTest, AUdpSocketIsOneOfAnotherType) {
  const auto message = query(R"("address":null,"port":53,"addressType":"udp4","fd":-1)");
  EXPECT_EQ(listener_reply(message, "", 2),
            R"({"cmd":"NODE_HANDLE","type":"dgram.Native","msg":{"cmd":"NODE_CLUSTER","errno":0,)"
            R"("key":":53:\"udp4\":-1","ack":1,"data":null,"seq":2}})");
}

TEST(ClusterMessageTest, DataGoesBackAsItCame) {
  const auto message = cluster_message(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","data":[1,"\u00e4",{"b":null}],"address":"::",)"
      R"("port":443,"addressType":6,"seq":9})");
  EXPECT_EQ(message.data, "[1,\"\u00e4\",{\"b\":null}]");
  EXPECT_EQ(listener_reply(message, message.data, 3),
            R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","errno":0,)"
            R"("key":"::)"
            R"(:443:6:null","ack":9,"data":[1,")"
            "\u00e4"
            R"(",{"b":null}],"seq":3}})");
}

TEST(ClusterMessageTest, WhereConnectionsAreHandedOverThereIsANameAndNoSocket) {
  const auto message = cluster_message(kQuery);
  EXPECT_EQ(handover_reply(message, "", supervisor::BoundName{"::1", true, 3902}, 4),
            R"({"cmd":"NODE_CLUSTER","errno":0,"key":"127.0.0.1:3902:4:null","ack":1,"data":null,)"
            R"("sockname":{"address":"::1","family":"IPv6","port":3902},"seq":4})");
  EXPECT_EQ(handover_reply(message, "[7]", std::nullopt, 4),
            R"({"cmd":"NODE_CLUSTER","errno":0,"key":"127.0.0.1:3902:4:null","ack":1,"data":[7],)"
            R"("seq":4})");
}

TEST(ClusterMessageTest, ARefusalIsANegativeErrnoWithoutASocket) {
  EXPECT_EQ(refusal(cluster_message(kQuery), EADDRINUSE, 41),
            R"({"cmd":"NODE_CLUSTER","errno":-98,"key":"127.0.0.1:3902:4:null","ack":1,)"
            R"("data":null,"seq":41})");
}

TEST(ClusterMessageTest, AConnectionGoesWithItsMessage) {
  EXPECT_EQ(supervisor::new_connection("::1:80:6:null", 7),
            R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER",)"
            R"("act":"newconn","key":"::1:80:6:null","seq":7}})");
}

TEST(ClusterMessageTest, TheOtherMessagesAreAsNodesPrimarySendsThem) {
  EXPECT_EQ(supervisor::acknowledgement(6, 8), R"({"cmd":"NODE_CLUSTER","ack":6,"seq":8})");
  EXPECT_EQ(supervisor::disconnect_request(9),
            R"({"cmd":"NODE_CLUSTER","act":"disconnect","seq":9})");
  EXPECT_EQ(supervisor::kDrainRequest, R"({"cmd":"NODE_PMX","act":"drain"})");
  EXPECT_EQ(supervisor::kPing, R"({"cmd":"NODE_PMX","act":"ping"})");
}

TEST(ClusterMessageTest, NothingThatIsSentHasALineEndInIt) {
  // A worker ends at a line that is none.
  const auto message = query(R"("address":"/tmp/a\nb","port":-1,"addressType":-1)");
  ASSERT_EQ(message.address.address, "/tmp/a\nb");
  for (const std::string& line : {listener_reply(message, message.data, 1), refusal(message, 98, 1),
                                  supervisor::new_connection(message.key, 1)})
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
}

}  // namespace
}  // namespace pmx::test
