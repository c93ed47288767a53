#include "cli/logs_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rotate/segment_reader.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kOut = StreamKind::kOut;
constexpr auto kErr = StreamKind::kErr;

class LogsSourcesTest : public ::testing::Test {
 protected:
  static std::vector<std::string> paths(const std::vector<LogSource>& sources) {
    std::vector<std::string> paths;
    for (const LogSource& source : sources) paths.push_back(source.path);
    return paths;
  }
  std::vector<LogSource> sources(std::string_view target, WantedKinds kinds = {}) {
    auto found = sources_of(workers_, target, "/home", kinds);
    error_ = found ? "" : found.error().message();
    return found ? *found : std::vector<LogSource>();
  }
  static rotate::LogLine line_of(WorkerId worker, StreamKind kind = kOut) {
    rotate::LogLine line;
    line.worker = worker;
    line.kind = kind;
    return line;
  }

  std::vector<LogWorker> workers_{
      {WorkerId{0}, "web", "shop", "/l/web-out.log", "/l/web-error.log", ""},
      {WorkerId{1}, "api", "shop", "/l/api.log", "/l/api.log", ""},
      {WorkerId{2}, "job", "default", "/l/job.log", "/dev/null", ""},
      {WorkerId{3}, "job", "default", "/l/job.log", "/dev/null", ""}};
  std::string error_;
};

TEST_F(LogsSourcesTest, ChoosesByNameIdNamespaceAndPattern) {
  EXPECT_THAT(paths(sources("web")), ElementsAre("/l/web-out.log", "/l/web-error.log"));
  EXPECT_THAT(paths(sources("1")), ElementsAre("/l/api.log"));
  EXPECT_THAT(paths(sources("shop")),
              ElementsAre("/l/web-out.log", "/l/web-error.log", "/l/api.log"));
  EXPECT_THAT(paths(sources("/^j/")), ElementsAre("/l/job.log"));
  EXPECT_EQ(sources("all").size(), 4U);
}

TEST_F(LogsSourcesTest, SaysThatNobodyIsMeant) {
  EXPECT_THAT(sources("nobody"), IsEmpty());
  EXPECT_EQ(error_, "Process or Namespace nobody not found");
  workers_.clear();
  EXPECT_THAT(sources("all"), IsEmpty());
  EXPECT_EQ(error_, "");
}

TEST_F(LogsSourcesTest, ReadsOurOwnLogUnlessAnAppHasItsName) {
  EXPECT_THAT(paths(sources("pmx")), ElementsAre("/home/pmx.log"));
  EXPECT_THAT(paths(sources("PM2")), ElementsAre("/home/pmx.log"));
  workers_[0].name = "pmx";
  EXPECT_THAT(paths(sources("pmx")), ElementsAre("/l/web-out.log", "/l/web-error.log"));
}

TEST_F(LogsSourcesTest, LeavesOutTheOtherKind) {
  EXPECT_THAT(paths(sources("web", {.out = false, .err = true})), ElementsAre("/l/web-error.log"));
  const auto errors = sources("api", {.out = false, .err = true});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_TRUE(errors[0].wants(WorkerId{1}, kErr));
  EXPECT_FALSE(errors[0].wants(WorkerId{1}, kOut));
}

TEST_F(LogsSourcesTest, TellsTheWorkersOfASharedLogApart) {
  const auto one = sources("3");
  ASSERT_EQ(one.size(), 1U);
  EXPECT_TRUE(one[0].wants(WorkerId{3}, kOut));
  EXPECT_FALSE(one[0].wants(WorkerId{2}, kOut));
  EXPECT_TRUE(one[0].wants(rotate::kUnknownWorker, kOut));
  const auto both = sources("job");
  ASSERT_EQ(both.size(), 1U);
  EXPECT_TRUE(both[0].wants(WorkerId{9}, kOut));  // An instance that is gone.
  EXPECT_EQ(both[0].label_of(line_of(WorkerId{3})), "3|job");
  EXPECT_EQ(both[0].label_of(line_of(WorkerId{9})), "9|job");
}

TEST_F(LogsSourcesTest, ShowsOldLinesUnderTheWorkersNewId) {
  const auto web = sources("web");
  EXPECT_TRUE(web[0].wants(WorkerId{7}, kOut));
  EXPECT_EQ(web[0].label_of(line_of(WorkerId{7})), "0|web");
  EXPECT_EQ(web[1].kind_of(line_of(rotate::kUnknownWorker, kOut)), kErr);
}

TEST_F(LogsSourcesTest, TakesTheCombinedLogWhereThereIsNoOther) {
  workers_ = {{WorkerId{0}, "web", "default", "/dev/null", "/dev/null", "/l/web.log"}};
  const auto web = sources("web");
  ASSERT_EQ(paths(web), std::vector<std::string>{"/l/web.log"});
  EXPECT_TRUE(web[0].wants(WorkerId{0}, kErr) && web[0].wants(WorkerId{0}, kOut));
}

TEST_F(LogsSourcesTest, ReadsTheDaemonsList) {
  const test::TempDir home;
  test::write_bytes(
      apps_path(home.path()),
      R"({"workers":[{"id":4,"name":"web","namespace":"shop","logs":{"out":"/l/o","err":"/l/e","log":null}}]})");
  RealFs fs;
  const auto workers = read_log_workers(fs, home.path());
  ASSERT_TRUE(workers && workers->size() == 1);
  const LogWorker& web = workers->front();
  EXPECT_EQ(web.id, WorkerId{4});
  EXPECT_EQ(web.name + web.app_namespace + web.out + web.err + web.log, "webshop/l/o/l/e");
}

TEST_F(LogsSourcesTest, GuessesTheWorkersFromTheLogsWhereThereIsNoList) {
  const test::TempDir home;
  RealFs fs;
  EXPECT_TRUE(read_log_workers(fs, home.path()).value_or(workers_).empty());
  for (const std::string name : {"web-out", "web-error"}) {
    const std::string path = home / ("logs/" + name + ".log");
    const rotate::LogDir dir(home / "state", path);
    test::write_bytes(dir.index_directory() + "/log.json", "{\"path\":\"" + path + "\"}");
  }
  workers_ = read_log_workers(fs, home.path()).value_or({});
  EXPECT_THAT(paths(sources("web")),
              ElementsAre(home / "logs/web-out.log", home / "logs/web-error.log"));
  const auto web = sources("all");
  ASSERT_EQ(web.size(), 2U);
  EXPECT_EQ(web[0].label_of(line_of(WorkerId{5})), "5|web");
  EXPECT_EQ(web[0].label_of(line_of(rotate::kUnknownWorker)), "web");
}

}  // namespace
}  // namespace pmx::cli
