#include "cli/shown_value.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

TEST(ShownValueTest, KnowsSecretsByTheWordsOfTheirNames) {
  for (const char* name :
       {"PASSWORD",        "DB_PASSWORD",       "dbPassword",  "PGPASSWORD",   "MY_PASSWD",
        "SSH_PASSPHRASE",  "CLIENT_SECRET",     "JWT_SECRETS", "GITHUB_TOKEN", "authToken",
        "AWS_CREDENTIALS", "API_KEY",           "apiKey",      "APIKEY",       "KEY",
        "STRIPE_KEY",      "AWS_ACCESS_KEY_ID", "SENTRY_DSN",  "DB_PASS",      "DB_PWD",
        "BASIC_AUTH",      "SESSION_COOKIE",    "HASH_SALT",   "private.key"})
    EXPECT_TRUE(looks_secret(name)) << name;
  for (const char* name : {"PATH", "PWD", "OLDPWD", "SSH_AUTH_SOCK", "KEYBOARD", "MONKEY",
                           "COMPASS", "AUTHOR", "NODE_ENV", "DSNOW", "HOME", "PM2_HOME", "", "_"})
    EXPECT_FALSE(looks_secret(name)) << name;
}

TEST(ShownValueTest, HidesWhatLooksSecretUnlessItIsToBeRevealed) {
  EXPECT_EQ(shown_value("DB_PASSWORD", "s3cret", Reveal::kNo), "[secret]");
  EXPECT_EQ(shown_value("DB_PASSWORD", "s3cret", Reveal::kYes), "s3cret");
  EXPECT_EQ(shown_value("DB_PASSWORD", "", Reveal::kNo), "");
  EXPECT_EQ(shown_value("PORT", "80", Reveal::kNo), "80");
  EXPECT_EQ(shown_value("PEM", "-----BEGIN PRIVATE KEY-----\nx", Reveal::kNo), "[secret]");
}

TEST(ShownValueTest, HidesThePasswordOfAUrl) {
  const auto shown = [](const char* url) { return shown_value("DATABASE", url, Reveal::kNo); };
  EXPECT_EQ(shown("postgres://me:p@ss@db:5432/x?a=b@c"), "postgres://me:[secret]@db:5432/x?a=b@c");
  EXPECT_EQ(shown("redis://:pw@h"), "redis://:[secret]@h");
  for (const char* plain : {"http://h:80/a:b@c", "http://me@h", "a:b@c", "http://h", "see ://"})
    EXPECT_EQ(shown(plain), plain);
}

}  // namespace
}  // namespace pmx::cli
