#include "http/access_line.h"

#include <gtest/gtest.h>

namespace pmx::http {
namespace {

Access usual() {
  Access access;
  access.client = "10.0.0.7";
  access.user = "me";
  access.time_ns = 1'795'428'309'000'000'000;
  access.method = "GET";
  access.target = "/a.js?v=1";
  access.version = "HTTP/1.1";
  access.status = 200;
  access.size_bytes = 1234;
  access.referer = "http://h/";
  access.user_agent = "curl/8";
  return access;
}

TEST(AccessLineTest, IsTheCombinedFormat) {
  EXPECT_EQ(access_line(usual()),
            "10.0.0.7 - me [23/Nov/2026:10:05:09 +0000] \"GET /a.js?v=1 HTTP/1.1\" 200 1234 "
            "\"http://h/\" \"curl/8\"\n");
}

TEST(AccessLineTest, WhatIsNotThereIsADash) {
  Access access = usual();
  access.user = access.referer = access.user_agent = "";
  EXPECT_NE(access_line(access).find("10.0.0.7 - - ["), std::string::npos);
  EXPECT_NE(access_line(access).find(" 1234 \"-\" \"-\"\n"), std::string::npos);
}

TEST(AccessLineTest, NobodyWritesAFieldOrALineOfHisOwn) {
  Access access = usual();
  access.target = "/\" 200 1 \"x";
  access.user_agent = "a\nb\x1b[31m\\";
  const std::string line = access_line(access);
  EXPECT_NE(line.find("\"GET /\\x22 200 1 \\x22x HTTP/1.1\""), std::string::npos) << line;
  EXPECT_NE(line.find("\"a\\x0Ab\\x1B[31m\\x5C\""), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

}  // namespace
}  // namespace pmx::http
