#include "http/basic_auth.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace pmx::http {
namespace {

bool lets_in(const std::string& credentials, const std::string& scheme = "Basic ") {
  return is_authorised(scheme + base64_encode(credentials), "me", "s:cret");
}

TEST(BasicAuthTest, LetsInWhoHasNameAndPassword) {
  EXPECT_TRUE(lets_in("me:s:cret"));
  EXPECT_TRUE(lets_in("me:s:cret", "basic "));
  EXPECT_TRUE(lets_in("me:s:cret", "Basic   "));
}

TEST(BasicAuthTest, KeepsEverybodyElseOut) {
  for (const char* const wrong : {"me:s:cre", "me:s:crett", "me:S:cret", "you:s:cret", "me:", "me",
                                  ":s:cret", "", "me:s:cretme:s:cret"})
    EXPECT_FALSE(lets_in(wrong)) << wrong;
  for (const char* const header : {"", "Basic", "Basic ", "Basic !!!", "Bearer bWU6czpjcmV0",
                                   "Digest username=\"me\"", "BasicbWU6czpjcmV0"})
    EXPECT_FALSE(is_authorised(header, "me", "s:cret")) << header;
}

TEST(BasicAuthTest, EqualMeansEqual) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_FALSE(equal_in_constant_time("abc", ""));
  EXPECT_FALSE(equal_in_constant_time("", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abcabc", "abc"));
  EXPECT_FALSE(equal_in_constant_time(std::string("a\0", 2), "a"));
}

}  // namespace
}  // namespace pmx::http
