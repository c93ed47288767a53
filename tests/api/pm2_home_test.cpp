#include "api/pm2_home.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/sys.h"

namespace pmx::api {
namespace {

class Pm2HomeTest : public ::testing::Test {
 protected:
  Pm2HomeTest() {
    char path[] = "/tmp/pmx-pm2home-XXXXXX";
    home_ = ::mkdtemp(path);
  }
  ~Pm2HomeTest() override { std::filesystem::remove_all(home_); }
  std::string home_;
};

TEST_F(Pm2HomeTest, AnEmptyHomeIsFree) { EXPECT_FALSE(pm2_lives_in(home_)); }

TEST_F(Pm2HomeTest, ASocketThatAnswersIsADaemon) {
  const auto socket = sys::listen_unix(home_ + "/rpc.sock", 0600);
  ASSERT_TRUE(socket);
  const auto line = pm2_lives_in(home_);
  ASSERT_TRUE(line);
  EXPECT_NE(line->find("pm2 kill"), std::string::npos);
  EXPECT_EQ(line->find('\n'), std::string::npos);
}

TEST_F(Pm2HomeTest, WhatADeadDaemonLeftIsNoDaemon) {
  { const auto socket = sys::listen_unix(home_ + "/rpc.sock", 0600); }
  std::ofstream(home_ + "/pm2.pid") << ::getpid() << "\n";  // Alive, but not PM2.
  EXPECT_FALSE(pm2_lives_in(home_));
}

}  // namespace
}  // namespace pmx::api
