#include "http/byte_range.h"

#include <gtest/gtest.h>

#include <string>

namespace pmx::http {
namespace {

// "offset+size" of a file of 100 bytes; "all" where there is no range.
std::string part(std::string_view header, std::uint64_t file_size = 100) {
  const auto range = parse_range(header, file_size);
  return range ? std::to_string(range->offset) + "+" + std::to_string(range->size) : "all";
}

TEST(ByteRangeTest, IsFromAndToAndBothIncluded) {
  EXPECT_EQ(part("bytes=0-0"), "0+1");
  EXPECT_EQ(part("bytes=10-19"), "10+10");
  EXPECT_EQ(part("bytes=90-"), "90+10");
  EXPECT_EQ(part("bytes=-10"), "90+10");
  EXPECT_EQ(part("bytes=0-99"), "0+100");
}

TEST(ByteRangeTest, EndsWithTheFile) {
  EXPECT_EQ(part("bytes=90-1000"), "90+10");
  EXPECT_EQ(part("bytes=-1000"), "0+100");
  EXPECT_EQ(part("bytes=99-99999999999999999999999"), "99+1");
  EXPECT_EQ(part("bytes=-99999999999999999999999"), "0+100");
}

TEST(ByteRangeTest, BehindTheEndThereIsNothing) {
  EXPECT_EQ(part("bytes=100-"), "0+0");
  EXPECT_EQ(part("bytes=100-200"), "0+0");
  EXPECT_EQ(part("bytes=99999999999999999999999-"), "0+0");
  EXPECT_EQ(parse_range("bytes=-0", 100)->size, 0U);
  EXPECT_EQ(part("bytes=0-", 0), "0+0");
  EXPECT_EQ(part("bytes=-1", 0), "0+0");
}

TEST(ByteRangeTest, WhatIsNoSingleRangeIsAllOfTheFile) {
  for (const char* const header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=a-b", "bytes=5-4", "bytes=0-1,3-4",
        "bytes= 0-1", "bytes=+0-1", "bytes=--1", "lines=0-1", "bytes=0x1-2", "bytes=1-2 "})
    EXPECT_EQ(part(header), "all") << header;
}

}  // namespace
}  // namespace pmx::http
