#include "api/own_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "base/sys.h"

namespace pmx::api {
namespace {

class OwnLogTest : public ::testing::Test {
 protected:
  OwnLogTest() {
    char path[] = "/tmp/pmx-log-XXXXXX";
    directory_ = ::mkdtemp(path);
  }
  ~OwnLogTest() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(OwnLogTest, WritesPm2sForm) {
  OwnLog::open(directory_ + "/pmx.log")->line("App [web:0] {online}");
  EXPECT_THAT(*sys::read_file(directory_ + "/pmx.log"),
              ::testing::MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}: "
                                      "PMX log: App \\[web:0\\] \\{online\\}\n"));
}

TEST_F(OwnLogTest, IsBounded) {
  const auto log = OwnLog::open(directory_ + "/pmx.log");
  const std::string line(100'000, 'x');
  for (std::size_t i = 0; i < 3 * kOwnLogBytes / line.size(); ++i) log->line(line);
  std::uintmax_t all = 0, files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    all += entry.file_size();
    ++files;
  }
  EXPECT_EQ(files, 2U);
  EXPECT_LE(all, 2 * kOwnLogBytes + 2 * line.size());
}

TEST_F(OwnLogTest, WithoutAFileItStillTakesLines) {
  const auto log = OwnLog::open("/proc/no/such/place/pmx.log");
  ASSERT_NE(log, nullptr);
  log->line("to stderr");
}

}  // namespace
}  // namespace pmx::api
