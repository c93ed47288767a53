#include "cli/daemon_boot.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/sys.h"

namespace pmx::cli {
namespace {

TEST(DaemonBootTest, RefusesAHomeInWhichPm2Lives) {
  std::string root = (std::filesystem::temp_directory_path() / "pmx-boot-XXXXXX").string();
  ASSERT_NE(::mkdtemp(root.data()), nullptr);
  const Result<Fd> pm2 = sys::listen_unix(root + "/rpc.sock", 0600);
  const Result<void> booted = boot_daemon(root);
  ASSERT_FALSE(booted);
  EXPECT_NE(booted.error().message().find("PM2 daemon lives in"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(root + "/state"));
  std::filesystem::remove_all(root);
}

TEST(DaemonBootTest, NoticesAtOnceThatAProcessHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  EXPECT_TRUE(wait_for_end(child));
  (void)::waitpid(child, nullptr, 0);
  EXPECT_TRUE(wait_for_end(child));  // Long gone.
}

}  // namespace
}  // namespace pmx::cli
