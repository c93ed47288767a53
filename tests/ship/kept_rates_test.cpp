#include "ship/internal/kept_rates.h"

#include <gtest/gtest.h>

namespace pmx::ship::internal {
namespace {

using namespace std::chrono_literals;

TEST(KeptRatesTest, WhatOneProcessWroteTheNextReadsOnce) {
  KeptRates first, second;
  const std::string text = first.text({{"{app=\"api\"}", {4, 1000, 1h, 7s}}});
  second.read(text, 1h + 1s);
  const auto rate = second.take("{app=\"api\"}");
  ASSERT_TRUE(rate);
  EXPECT_EQ(rate->count, 4U);
  EXPECT_EQ(rate->bytes, 1000U);
  EXPECT_EQ(rate->begin, 1h);
  EXPECT_EQ(rate->quiet, 7s);
  EXPECT_FALSE(second.take("{app=\"api\"}"));
}

TEST(KeptRatesTest, WhatNobodyHasTakenIsWrittenAgain) {
  KeptRates rates;
  rates.read(R"({"a":{"shards":2,"begin_ns":5},"b":{"shards":4,"begin_ns":5}})", 10ns);
  (void)rates.take("a");
  rates.put("c", {8, 0, 9ns, 0ns});
  KeptRates next;
  next.read(rates.text({{"d", {16, 0, 9ns, 0ns}}}), 10ns);
  EXPECT_FALSE(next.take("a"));
  EXPECT_EQ(next.take("b")->count, 4U);
  EXPECT_EQ(next.take("c")->count, 8U);
  EXPECT_EQ(next.take("d")->count, 16U);
}

TEST(KeptRatesTest, OldOnesThoseOfAnEarlierBootAndNonsenseAreLeftOut) {
  KeptRates rates;
  rates.read("nonsense", 1h);
  rates.read("[1]", 1h);
  rates.read(R"({"old":{"shards":2,"begin_ns":1},"later":{"shards":2,"begin_ns":3600000000001}})",
             1h);
  EXPECT_EQ(rates.text({}), "{}");
}

}  // namespace
}  // namespace pmx::ship::internal
