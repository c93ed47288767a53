#include "http/content_type.h"

#include <gtest/gtest.h>

namespace pmx::http {
namespace {

TEST(ContentTypeTest, FollowsFromTheLastEnding) {
  EXPECT_EQ(content_type("index.html"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type("app.min.js"), "text/javascript; charset=utf-8");
  EXPECT_EQ(content_type("app.mjs"), "text/javascript; charset=utf-8");
  EXPECT_EQ(content_type("x.png"), "image/png");
  EXPECT_EQ(content_type("x.wasm"), "application/wasm");
  EXPECT_EQ(content_type("x.tar.gz"), "application/gzip");
}

TEST(ContentTypeTest, EveryEndingOfARowCounts) {
  EXPECT_EQ(content_type("a.jpg"), content_type("a.jpeg"));
  EXPECT_EQ(content_type("a.yml"), content_type("a.yaml"));
}

TEST(ContentTypeTest, CapitalsMakeNoDifference) {
  EXPECT_EQ(content_type("A.HTML"), content_type("a.html"));
}

TEST(ContentTypeTest, TextIsSaidToBeUtf8) {
  for (const char* const name : {"a.css", "a.json", "a.svg", "a.xml", "a.md", "a.webmanifest"})
    EXPECT_NE(content_type(name).find("; charset=utf-8"), std::string::npos) << name;
}

TEST(ContentTypeTest, UnknownEndingsAreBytesAndNoEndingIsText) {
  EXPECT_EQ(content_type("a.unknown"), "application/octet-stream");
  EXPECT_EQ(content_type("a."), "application/octet-stream");
  EXPECT_EQ(content_type("a.js css"), "application/octet-stream");
  EXPECT_EQ(content_type("LICENSE"), "text/plain; charset=utf-8");
}

}  // namespace
}  // namespace pmx::http
