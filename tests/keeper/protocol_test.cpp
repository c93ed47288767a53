#include "keeper/protocol.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/sys.h"

namespace pmx::keeper {
namespace {

TEST(ProtocolTest, CarriesHeaderNameAndDescriptors) {
  const sys::SocketPair pair = std::move(*sys::seqpacket_pair());
  const int fd = 0;
  ASSERT_TRUE(send(pair.first.get(), {Op::kPut, 1, 2, 3}, "pipe.2", {&fd, 1}));
  const auto message = sys::receive_message(pair.second.get(), kMaxMessageBytes);
  ASSERT_TRUE(message && *message);
  const auto header = header_of((*message)->bytes);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->op, Op::kPut);
  EXPECT_EQ(header->value, 1U);
  EXPECT_EQ(header->run, 2U);
  EXPECT_EQ(header->extra, 3U);
  EXPECT_EQ(name_of((*message)->bytes), "pipe.2");
  EXPECT_EQ((*message)->fds.size(), 1U);
}

TEST(ProtocolTest, RefusesWhatIsTooShortOrTooLong) {
  EXPECT_FALSE(header_of("short"));
  const sys::SocketPair pair = std::move(*sys::seqpacket_pair());
  EXPECT_FALSE(send(pair.first.get(), {Op::kPut}, std::string(kMaxMessageBytes, 'x')));
}

TEST(ProtocolTest, MapsOnlyATableOfItsOwnSizeThatNobodyCanCut) {
  EXPECT_TRUE(map_table(sys::memfd("table", sizeof(ChildTable))->get(), true));
  EXPECT_FALSE(map_table(sys::memfd("table", sizeof(ChildTable) - 1)->get(), true));
  const Fd unsealed = std::move(*sys::memfd_of("table", std::string(sizeof(ChildTable), '\0')));
  EXPECT_FALSE(map_table(unsealed.get(), true));
}

TEST(ProtocolTest, ShowsOneProcessWhatAnotherWritesIntoTheTable) {
  const Fd memory = std::move(*sys::memfd("table", sizeof(ChildTable)));
  ChildTable* const writer = *map_table(memory.get(), true);
  const ChildTable* const reader = *map_table(memory.get(), false);
  writer->children[7].run = 42;
  EXPECT_EQ(reader->children[7].run, 42U);
}

TEST(ProtocolTest, RefusesAnOrderThatExecWouldCutShort) {
  const std::vector<std::string> arguments{"sh", std::string("a\0b", 3)};
  SpawnOrder order;
  order.program = "/bin/sh";
  order.arguments = arguments;
  const auto written = write_order(order);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), Errc::kInvalidArgument);
}

TEST(ProtocolTest, RefusesAnOrderPastWhatExecTakes) {
  const std::vector<std::string> arguments{"sh", std::string(kMaxOrderBytes, 'x')};
  SpawnOrder order;
  order.program = "/bin/sh";
  order.arguments = arguments;
  EXPECT_FALSE(write_order(order));
}

}  // namespace
}  // namespace pmx::keeper
