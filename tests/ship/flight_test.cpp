#include "ship/flight.h"

#include <gtest/gtest.h>

#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

class FlightTest : public ::testing::Test {
 protected:
  static Batch batch() {
    Batch batch;
    batch.serial = 9;
    batch.coding = "loki/json";
    batch.sources = {"/logs/a.log", "/logs/b.log"};
    batch.after["/logs/a.log"].at.next_seq = 3;
    batch.after["/logs/b.log"].at.next_seq = 2;
    for (std::uint32_t i = 0; i < 2; ++i) {
      Parcel parcel;
      parcel.group = i == 0 ? "{stream=\"out\"}" : "{stream=\"err\"}";
      parcel.framed = {std::string("\0body", 5) + std::to_string(i), Codec::kSnappy, 4, 1};
      parcel.items = {{3, 1, 1, 1'000, i}, {2, 2, 2, 2'000, i}};
      batch.parcels.push_back(std::move(parcel));
    }
    return batch;
  }
  test::TempDir dir_;
  test::FaultFs fs_;
  FlightFile file_{fs_, dir_.path() + "/lane"};
};

TEST_F(FlightTest, ComesBackByteForByte) {
  Batch saved = batch();
  ASSERT_TRUE(file_.save(saved));
  const auto loaded = file_.load();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->serial, 9U);
  EXPECT_EQ(loaded->coding, "loki/json");
  EXPECT_EQ(loaded->after, saved.after);
  ASSERT_EQ(loaded->parcels.size(), 2U);
  EXPECT_EQ(loaded->parcels[0].framed.body, saved.parcels[0].framed.body);
  EXPECT_EQ(loaded->parcels[1].group, "{stream=\"err\"}");
  EXPECT_EQ(loaded->parcels[1].framed.codec, Codec::kSnappy);
  EXPECT_EQ(loaded->parcels[1].framed.suffix_bytes, 1U);
  EXPECT_EQ(loaded->parcels[1].items[1].lines, 2U);
  EXPECT_EQ(loaded->parcels[1].items[1].source, 1U);
}

TEST_F(FlightTest, AParcelThatIsMarkedComesBackCounted) {
  Batch saved = batch();
  ASSERT_TRUE(file_.save(saved));
  file_.mark_settled(saved, 1);
  const auto loaded = file_.load();
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->parcels[0].settled);
  EXPECT_TRUE(loaded->parcels[1].settled);
  EXPECT_EQ(loaded->after.at("/logs/b.log").tally.delivered, 3U);
  EXPECT_EQ(loaded->after.at("/logs/a.log").tally.delivered, 0U);
}

TEST_F(FlightTest, SavingLeavesOutWhatIsSettledAndCounted) {
  Batch saved = batch();
  saved.settle_all(0, true);
  ASSERT_TRUE(file_.save(saved));
  ASSERT_EQ(saved.parcels.size(), 1U);
  const auto loaded = file_.load();
  ASSERT_TRUE(loaded);
  ASSERT_EQ(loaded->parcels.size(), 1U);
  EXPECT_EQ(loaded->after.at("/logs/a.log").tally.delivered, 3U);
  EXPECT_EQ(loaded->after.at("/logs/a.log").tally.duplicates, 3U);
}

TEST_F(FlightTest, NothingIsMarkedInAnOlderFile) {
  Batch saved = batch();
  ASSERT_TRUE(file_.save(saved));
  fs_.fail(test::FaultFs::Call::kRename, ".flight", ENOSPC);
  std::swap(saved.parcels[0], saved.parcels[1]);
  ASSERT_FALSE(file_.save(saved));
  file_.mark_settled(saved, 0);
  const auto loaded = file_.load();
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->parcels[0].settled);
}

TEST_F(FlightTest, WhatIsPutAwayIsFetchedAsItWas) {
  Batch saved = batch();
  ASSERT_TRUE(file_.save(saved));
  file_.mark_settled(saved, 1);
  saved.settle_all(1, false);
  const LaneCursor after = saved.after;
  file_.put_away(saved);
  EXPECT_TRUE(saved.parcels[0].framed.body.empty());
  EXPECT_TRUE(saved.parcels[0].items.empty());
  ASSERT_TRUE(file_.fetch(saved));
  EXPECT_EQ(saved.parcels[0].framed.body, batch().parcels[0].framed.body);
  EXPECT_EQ(saved.parcels[0].items.size(), 2U);
  EXPECT_TRUE(saved.parcels[1].settled);
  EXPECT_EQ(saved.after, after);
}

TEST_F(FlightTest, WhatIsNotInTheFileIsNotPutAway) {
  Batch saved = batch();
  fs_.fail(test::FaultFs::Call::kRename, ".flight", ENOSPC);
  ASSERT_FALSE(file_.save(saved));
  file_.put_away(saved);
  EXPECT_FALSE(saved.parcels[0].framed.body.empty());
  EXPECT_TRUE(file_.fetch(saved));
}

TEST_F(FlightTest, AFileCutAnywhereIsNoFlight) {
  Batch saved = batch();
  ASSERT_TRUE(file_.save(saved));
  const std::string whole = *fs_.read_file(dir_.path() + "/lane.flight");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    ASSERT_TRUE(fs_.replace_file(dir_.path() + "/lane.flight", whole.substr(0, cut)));
    EXPECT_FALSE(file_.load()) << "cut at byte " << cut;
  }
}

TEST_F(FlightTest, AFileWithAWrongByteIsNoFlight) {
  Batch saved = batch();
  ASSERT_TRUE(file_.save(saved));
  const std::string whole = *fs_.read_file(dir_.path() + "/lane.flight");
  for (std::size_t at = 0; at + 2 < whole.size(); ++at) {  // Not the marks.
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    ASSERT_TRUE(fs_.replace_file(dir_.path() + "/lane.flight", wrong));
    EXPECT_FALSE(file_.load()) << "byte " << at;
  }
}

}  // namespace
}  // namespace pmx::ship
