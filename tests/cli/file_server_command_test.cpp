#include "cli/file_server_command.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

using http::SharePort;

class FileServerCommandTest : public ::testing::Test {
 protected:
  FileServerOptions options(const std::vector<std::string>& arguments = {}) {
    auto parsed = parse_file_server_options(arguments, env_, "/srv");
    EXPECT_TRUE(parsed) << parsed.error().message();
    return parsed ? *parsed : FileServerOptions();
  }
  std::string error(const std::vector<std::string>& arguments = {}) {
    const auto parsed = parse_file_server_options(arguments, env_, "/srv");
    return parsed ? "" : parsed.error().message();
  }
  Environment env_;
};

TEST_F(FileServerCommandTest, NothingSaidIsTheWorkingDirectoryOnPort8080) {
  const FileServerOptions usual = options();
  EXPECT_EQ(usual.site.folder, "/srv");
  EXPECT_EQ(usual.host, "0.0.0.0");
  EXPECT_EQ(usual.port, 8080);
  EXPECT_EQ(usual.share, SharePort::kNo);
  EXPECT_FALSE(usual.site.single_page || usual.site.listing || usual.site.dotfiles);
  EXPECT_FALSE(usual.access_log);
  EXPECT_EQ(usual.site.user, "");
}

TEST_F(FileServerCommandTest, TheEnvironmentSaysIt) {
  env_ = {{"PM2_SERVE_PATH", "dist"},       {"PM2_SERVE_PORT", "9000"},
          {"PM2_SERVE_HOST", "::1"},        {"PM2_SERVE_SPA", "true"},
          {"PM2_SERVE_FTP", "true"},        {"PM2_SERVE_DOTFILES", "true"},
          {"PM2_SERVE_ACCESS_LOG", "true"}, {"PM2_SERVE_HOMEPAGE", "/start.html"}};
  const FileServerOptions said = options({"--share-port"});
  EXPECT_EQ(said.site.folder, "/srv/dist");
  EXPECT_EQ(said.port, 9000);
  EXPECT_EQ(said.host, "::1");
  EXPECT_EQ(said.share, SharePort::kYes);
  EXPECT_TRUE(said.site.single_page && said.site.listing && said.site.dotfiles && said.access_log);
  EXPECT_EQ(said.site.homepage, "/start.html");
}

TEST_F(FileServerCommandTest, ArgumentsStandBelowItAsInPm2) {
  EXPECT_EQ(options({"dist", "9000", "127.0.0.1"}).site.folder, "/srv/dist");
  EXPECT_EQ(options({"dist", "9000", "127.0.0.1"}).port, 9000);
  EXPECT_EQ(options({"dist", "9000", "127.0.0.1"}).host, "127.0.0.1");
  env_["PM2_SERVE_PORT"] = "7000";
  EXPECT_EQ(options({"/dist", "9000"}).port, 7000);
  EXPECT_NE(error({"a", "1", "c", "d"}), "");
}

TEST_F(FileServerCommandTest, WhatPm2sDumpHasForNothingIsNothing) {
  env_ = {{"PM2_SERVE_SPA", "undefined"},
          {"PM2_SERVE_FTP", "false"},
          {"PM2_SERVE_HOST", "null"},
          {"PM2_SERVE_BASIC_AUTH", "false"},
          {"PM2_SERVE_BASIC_AUTH_USERNAME", "null"}};
  EXPECT_EQ(options().host, "0.0.0.0");
  EXPECT_FALSE(options().site.single_page);
}

TEST_F(FileServerCommandTest, AWrongValueIsNamed) {
  env_["PM2_SERVE_PORT"] = "80a";
  EXPECT_EQ(error(), "PM2_SERVE_PORT: a number from 0 to 65535, not \"80a\"");
  env_ = {{"PM2_SERVE_SPA", "yes"}};
  EXPECT_EQ(error(), "PM2_SERVE_SPA: true or false, not \"yes\"");
}

TEST_F(FileServerCommandTest, APasswordThatIsHalfSaidOpensNothing) {
  env_["PM2_SERVE_BASIC_AUTH_PASSWORD"] = "hidden-word";
  EXPECT_NE(error().find("go together"), std::string::npos);
  EXPECT_EQ(error().find("hidden-word"), std::string::npos);
  env_["PM2_SERVE_BASIC_AUTH_USERNAME"] = "me";
  EXPECT_EQ(options().site.user, "me");  // Also without PM2_SERVE_BASIC_AUTH.
  env_["PM2_SERVE_BASIC_AUTH"] = "true";
  EXPECT_EQ(options().site.password, "hidden-word");
  env_["PM2_SERVE_BASIC_AUTH_USERNAME"] = "a:b";
  EXPECT_NE(error().find("colon"), std::string::npos);
  env_ = {{"PM2_SERVE_BASIC_AUTH", "true"}};
  EXPECT_NE(error(), "");
}

TEST_F(FileServerCommandTest, APasswordCanBeSwitchedOff) {
  env_ = {{"PM2_SERVE_BASIC_AUTH", "false"},
          {"PM2_SERVE_BASIC_AUTH_USERNAME", "me"},
          {"PM2_SERVE_BASIC_AUTH_PASSWORD", "x"}};
  EXPECT_EQ(options().site.user, "");
}

}  // namespace
}  // namespace pmx::cli
