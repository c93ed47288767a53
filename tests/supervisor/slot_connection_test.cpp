#include "supervisor/slot_connection.h"

#include <gtest/gtest.h>

#include <array>

#include "support/loopback.h"

namespace pmx::test {
namespace {

using supervisor::Balance;
using supervisor::connect_to_slot;
using supervisor::ListenAddress;

class SlotConnectionTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ListenAddress address;
    address.address = GetParam();
    address.ipv6 = address.address.find(':') != std::string::npos;
    auto first = supervisor::open_listener(address, true);
    if (!first) GTEST_SKIP() << first.error().message();  // A machine without IPv6.
    slots_.push_back(std::move(*first));
    while (slots_.size() < 3)
      slots_.push_back(std::move(supervisor::open_slot(address, slots_[0].get())).value());
    for (const Fd& slot : slots_) all_.push_back(slot.get());
    ASSERT_TRUE(supervisor::steer(all_[0], live_, 3, Balance::kSlots));
  }
  const std::array<unsigned, 2> live_{0, 1};
  std::vector<Fd> slots_;
  std::vector<int> all_;
};

TEST_P(SlotConnectionTest, ReachesTheSlotAndNoOther) {
  for (std::size_t count = 1; count <= 50; ++count) {
    const auto connection = connect_to_slot(all_[0], 2, live_, 3);
    ASSERT_TRUE(connection) << connection.error().message();
    EXPECT_TRUE(queue_reaches(all_[2], 1));
    EXPECT_TRUE(supervisor::accept_waiting(all_[2]));
  }
  EXPECT_EQ(arrivals(all_, 0), (std::vector<std::size_t>{0, 0, 0}));
}

TEST_P(SlotConnectionTest, LeavesTheOthersConnectionsWhereTheyWere) {
  ASSERT_TRUE(connect_to_slot(all_[0], 2, live_, 3));
  EXPECT_TRUE(supervisor::accept_waiting(all_[2]));
  std::vector<Fd> clients;
  const std::string to = std::string(GetParam()).empty() ? "::1" : GetParam();
  while (clients.size() < 40) clients.push_back(client_of(port_of(all_[0]), to));
  const auto counts = arrivals(all_, 40);
  EXPECT_EQ(counts[2], 0U);
  EXPECT_EQ(counts[0] + counts[1], 40U);
}

TEST_P(SlotConnectionTest, ReachesItAlsoWhereNoOtherIsLive) {
  ASSERT_TRUE(connect_to_slot(all_[0], 1, {}, 3));
  EXPECT_TRUE(supervisor::accept_waiting(all_[1]));
}

INSTANTIATE_TEST_SUITE_P(Addresses, SlotConnectionTest, testing::Values("127.0.0.1", "::1", ""));

}  // namespace
}  // namespace pmx::test
