#include "rotate/segment_index.h"

#include <gtest/gtest.h>

namespace pmx::rotate {
namespace {

Record record(RecordType type) {
  Record made;
  made.type = static_cast<std::uint8_t>(type);
  return made;
}

class SegmentIndexTest : public ::testing::Test {
 protected:
  SegmentIndexTest() {
    Record head = record(RecordType::kHead);
    head.raw_end = 7;
    head.file_end = 1000;
    head.seq = 50;
    head.time_ns = 99;
    index_.apply(head);
    Record open = record(RecordType::kOpen);
    open.raw_end = 4242;
    index_.apply(open);
    Record bind = record(RecordType::kStream);
    bind.seq = 6;
    bind.raw_len = 3;
    bind.raw_end = 20;
    bind.lines = 2;
    index_.apply(bind);
  }
  void data(std::uint8_t flags = 0) {
    Record batch = record(RecordType::kData);
    batch.raw_end = 30;
    batch.raw_len = batch.file_len = 10;
    batch.file_end = 10;
    batch.seq = 50;
    batch.time_ns = 200;
    batch.lines = 2;
    batch.flags = flags;
    index_.apply(batch);
  }
  SegmentIndex index_;
};

TEST_F(SegmentIndexTest, GoesOnFromItsHead) {
  EXPECT_EQ(index_.segment(), 7U);
  EXPECT_EQ(index_.base(), 1000U);
  EXPECT_EQ(index_.next_seq(), 50U);
  EXPECT_EQ(index_.inode(), 4242U);
  EXPECT_TRUE(index_.opened());
  ASSERT_TRUE(index_.local({6}));
  EXPECT_EQ(index_.streams()[0].kind, StreamKind::kErr);
}

TEST_F(SegmentIndexTest, ABatchMovesTailNumbersAndTime) {
  data();
  EXPECT_EQ(index_.streams()[0].tail, 30U);
  EXPECT_EQ(index_.next_seq(), 52U);
  EXPECT_EQ(index_.last_time_ns(), 201);
  EXPECT_EQ(index_.file_end(), 10U);
  EXPECT_FALSE(index_.mid_line());
}

TEST_F(SegmentIndexTest, APartialBatchLeavesTheFileInTheMiddleOfALine) {
  data(flags::kPartial);
  EXPECT_TRUE(index_.mid_line());
  EXPECT_TRUE(index_.streams()[0].mid_line);
}

TEST_F(SegmentIndexTest, APartialBatchThatGotANewlineDoesNot) {
  data(flags::kPartial | flags::kCut);
  EXPECT_FALSE(index_.mid_line());
  EXPECT_TRUE(index_.streams()[0].mid_line);  // The stream's next batch still continues the line.
}

TEST_F(SegmentIndexTest, DroppedLinesTakeTheirNumbers) {
  Record dropped = record(RecordType::kDropped);
  dropped.seq = 50;
  dropped.raw_end = 1000;
  index_.apply(dropped);
  EXPECT_EQ(index_.next_seq(), 1050U);
  EXPECT_EQ(index_.dropped_lines(), 1000U);
}

}  // namespace
}  // namespace pmx::rotate
