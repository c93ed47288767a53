#include "rotate/segment_format.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pmx::rotate {
namespace {

Record head(std::uint64_t segment) {
  Record record;
  record.type = static_cast<std::uint8_t>(RecordType::kHead);
  record.raw_end = segment;
  record.file_len = kFormatVersion;
  record.crc = record_crc(record, segment);
  return record;
}

TEST(SegmentFormatTest, ARecordOfAnotherSegmentIsNotValid) {
  const Record record = head(3);
  EXPECT_TRUE(valid(record, 3));
  EXPECT_FALSE(valid(record, 4));
}

TEST(SegmentFormatTest, AChangeOfAnyByteMakesARecordInvalid) {
  const Record record = head(3);
  for (std::size_t at = 0; at < kRecordBytes; ++at) {
    Record changed = record;
    reinterpret_cast<unsigned char*>(&changed)[at] ^= 0x40U;
    EXPECT_FALSE(valid(changed, 3)) << "byte " << at;
  }
}

TEST(SegmentFormatTest, AnIndexWithoutItsHeadHasNoRecords) {
  Record open;
  open.type = static_cast<std::uint8_t>(RecordType::kOpen);
  open.crc = record_crc(open, 3);
  EXPECT_TRUE(valid_records(bytes_of(std::span(&open, 1)), 3).empty());
}

TEST(SegmentFormatTest, ReadsUpToTheFirstDamagedRecord) {
  std::vector<Record> records{head(3), Record(), Record()};
  for (std::size_t i = 1; i < 3; ++i) {
    records[i].type = static_cast<std::uint8_t>(RecordType::kPrev);
    records[i].crc = record_crc(records[i], 3);
  }
  records[1].raw_end ^= 1U;
  EXPECT_EQ(valid_records(bytes_of(records), 3).size(), 1U);
}

// The worked layout of docs/FORMATS.md, byte by byte: a change here is a change of the format.
TEST(SegmentFormatTest, LaysADataRecordOutAsDocumented) {
  Record data;
  data.type = static_cast<std::uint8_t>(RecordType::kData);
  data.stream = 0x0102;
  data.raw_end = 8;
  data.file_end = 9;
  data.seq = 10;
  data.time_ns = 11;
  data.raw_len = 12;
  data.file_len = 13;
  data.data_sum = 14;
  data.lines = 15;
  data.severities = {16, 17, 18, 19, 20};
  unsigned char bytes[kRecordBytes];
  std::memcpy(bytes, &data, kRecordBytes);
  const std::pair<std::size_t, unsigned> expected[] = {
      {4, 5},   {6, 2},   {7, 1},   {8, 8},   {16, 9},  {24, 10}, {32, 11}, {40, 12},
      {44, 13}, {48, 14}, {52, 15}, {54, 16}, {56, 17}, {58, 18}, {60, 19}, {62, 20}};
  for (const auto& [at, value] : expected) EXPECT_EQ(bytes[at], value) << "offset " << at;
}

}  // namespace
}  // namespace pmx::rotate
