#include "ship/bulk_target.h"

#include <gtest/gtest.h>

namespace pmx::ship {
namespace {

class BulkTargetTest : public ::testing::Test {
 protected:
  BulkTargetTest() {
    spec_.type = SinkType::kOpenSearch;
    origin_.app = "api";
    origin_.host = "web-1";
    origin_.log = {7};
    event_.origin = &origin_;
  }
  SinkSpec spec_;
  Origin origin_;
  Event event_;
};

TEST_F(BulkTargetTest, IsKeptWhileNothingChanges) {
  BulkTargets targets(spec_);
  BulkTarget& first = targets.of(event_);
  first.group = 3;
  Origin other = origin_;  // The same log's, at another address.
  event_.origin = &other;
  EXPECT_EQ(targets.of(event_).group, 3U);
  other.log = {8};
  EXPECT_EQ(targets.of(event_).group, std::nullopt);
  event_.origin = &origin_;
  EXPECT_EQ(targets.of(event_).group, 3U);  // Logs that take turns are all kept.
}

TEST_F(BulkTargetTest, IsMadeAnewWhereTheOriginSaysSomethingElse) {
  BulkTargets targets(spec_);
  const auto change = [&](std::string Origin::*field) {
    targets.of(event_).group = 3;
    origin_.*field += "x";
    EXPECT_EQ(targets.of(event_).group, std::nullopt);
    EXPECT_EQ(targets.of(event_).origin.*field, origin_.*field);
  };
  change(&Origin::app);
  change(&Origin::app_namespace);
  change(&Origin::env);
  change(&Origin::host);
  change(&Origin::version);
  EXPECT_EQ(targets.of(event_).index, "logs-apix-x");
}

TEST_F(BulkTargetTest, TheIndexGoesWithTheEventsTime) {
  spec_.index = "logs-%H";
  spec_.data_stream = false;
  BulkTargets targets(spec_);
  EXPECT_EQ(targets.of(event_).index, "logs-00");
  event_.time_ns = 3'600'000'000'000;
  EXPECT_EQ(targets.of(event_).index, "logs-01");
  event_.time_ns -= 1;
  EXPECT_EQ(targets.of(event_).index, "logs-00");
}

TEST_F(BulkTargetTest, ForgetsInsteadOfGrowingForEver) {
  BulkTargets targets(spec_);
  targets.of(event_).group = 3;
  for (std::uint64_t log = 100; log < 100 + BulkTargets::kMaxTargets; ++log) {
    Origin other = origin_;
    other.log = {log};
    Event of_other = event_;
    of_other.origin = &other;
    EXPECT_EQ(targets.of(of_other).index, "logs-api-default");
  }
  EXPECT_EQ(targets.of(event_).group, std::nullopt);
}

TEST_F(BulkTargetTest, ADataStreamsFieldsAreLeftOutWhereTheNameHasNoParts) {
  spec_.index = "mylogs";
  EXPECT_FALSE(BulkTargets(spec_).of(event_).in_data_stream);
  spec_.index = "logs-{app}-x";
  EXPECT_TRUE(BulkTargets(spec_).of(event_).in_data_stream);
  spec_.data_stream = false;
  EXPECT_FALSE(BulkTargets(spec_).of(event_).in_data_stream);
}

}  // namespace
}  // namespace pmx::ship
