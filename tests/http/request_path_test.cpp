#include "http/request_path.h"

#include <gtest/gtest.h>

namespace pmx::http {
namespace {

std::string path_of(std::string_view target) {
  const auto parsed = parse_target(target);
  return parsed ? parsed->path + (parsed->folder ? "/" : "") : "refused";
}
bool is_dotfile(std::string_view target) {
  const auto parsed = parse_target(target);
  return parsed && parsed->dotfile;
}

TEST(RequestPathTest, IsWhatStandsBelowTheFolder) {
  EXPECT_EQ(path_of("/"), "/");
  EXPECT_EQ(path_of("/a"), "a");
  EXPECT_EQ(path_of("/a/b.js"), "a/b.js");
  EXPECT_EQ(path_of("/a/"), "a/");
  EXPECT_EQ(path_of("//a///b"), "a/b");
  EXPECT_EQ(path_of("http://host:80/a/b"), "a/b");
  EXPECT_EQ(path_of("https://host"), "/");
}

TEST(RequestPathTest, KeepsTheQueryAsItCame) {
  const auto parsed = parse_target("/a/b?x=%2e%2e/..&y");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->path, "a/b");
  EXPECT_EQ(parsed->query, "?x=%2e%2e/..&y");
  EXPECT_FALSE(parsed->folder);
  EXPECT_EQ(parse_target("/?")->query, "?");
}

TEST(RequestPathTest, IsDecodedOnceAndNotTwice) {
  EXPECT_EQ(path_of("/a%20b%C3%A4"), "a b\xC3\xA4");
  EXPECT_EQ(path_of("/%61%2Ejs"), "a.js");
  EXPECT_EQ(path_of("/%252e%252e"), "%2e%2e");
  EXPECT_EQ(path_of("/a+b"), "a+b");
}

TEST(RequestPathTest, WhatNoBrowserSendsIsRefused) {
  for (const char* const target : {"/%", "/%2", "/%zz", "/%2g", "/a%00b", "/%0d%0aSet-Cookie:x",
                                   "/%7f", "/%1F", "a", "", "*", "../a", "http://host?x"})
    EXPECT_EQ(path_of(target), "refused") << target;
}

TEST(RequestPathTest, DotsAreNeverResolved) {
  for (const char* const target : {"/..", "/../a", "/a/../b", "/a/..", "/./a", "/.", "/%2e%2e/a",
                                   "/.%2E/a", "/a/%2E/b", "//..//a", "/../", "/.well-known/../a"})
    EXPECT_EQ(path_of(target), "refused") << target;
}

TEST(RequestPathTest, NamesThatBeginWithADotAreMarked) {
  for (const char* const target :
       {"/.env", "/.git/config", "/a/.b", "/%2eenv", "/...", "/.well-known/.env",
        "/a/.well-known/x", "/..%2f..%2fetc/passwd"})
    EXPECT_TRUE(is_dotfile(target)) << target;
  for (const char* const target : {"/a.b", "/.well-known/acme-challenge/x", "/a./b", "/"})
    EXPECT_FALSE(is_dotfile(target)) << target;
}

TEST(RequestPathTest, ASlashInANameBelongsToNoFile) {
  EXPECT_TRUE(parse_target("/a%2fb")->nameless);
  EXPECT_TRUE(parse_target("/a/%2F")->nameless);
  EXPECT_FALSE(parse_target("/a/b")->nameless);
  EXPECT_FALSE(parse_target("/a%5cb")->nameless);
}

TEST(RequestPathTest, NamesAreEncodedForAUrl) {
  EXPECT_EQ(percent_encoded("a-b_c.d~1"), "a-b_c.d~1");
  EXPECT_EQ(percent_encoded("a b/\\?#\xC3\xA4"), "a%20b%2F%5C%3F%23%C3%A4");
  EXPECT_EQ(last_name("a/b/c.js"), "c.js");
  EXPECT_EQ(last_name("c.js"), "c.js");
}

}  // namespace
}  // namespace pmx::http
