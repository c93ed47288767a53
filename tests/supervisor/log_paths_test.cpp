#include "supervisor/log_paths.h"

#include <gtest/gtest.h>

namespace pmx::supervisor {
namespace {

class LogPathsTest : public ::testing::Test {
 protected:
  LogPathsTest() {
    app_.name = "web";
    app_.cwd = "/srv/web";
  }
  LogFiles files(std::uint32_t id = 3) const { return log_files(app_, WorkerId{id}, "/h/logs"); }
  LogPlan plan(const std::vector<std::string>& shared = {}) const {
    return plan_logs(app_, WorkerId{3}, "/h/logs", std::nullopt, shared);
  }
  AppSpec app_;
};

TEST_F(LogPathsTest, ASingleProcessHasPlainNames) {
  EXPECT_EQ(files(), (LogFiles{"/h/logs/web-out.log", "/h/logs/web-error.log", ""}));
}

TEST_F(LogPathsTest, OddCharactersOfANameBecomeDashes) {
  app_.name = "api v1/ä.b-c_d";
  EXPECT_EQ(files().out, "/h/logs/api-v1---.b-c-d-out.log");
}

TEST_F(LogPathsTest, SeveralInstancesAreToldApartById) {
  app_.instances = 2;
  app_.instances_given = true;
  EXPECT_EQ(files().out, "/h/logs/web-out-3.log");
  EXPECT_EQ(files().err, "/h/logs/web-error-3.log");
  app_.out_file = "logs/all.txt";
  EXPECT_EQ(files().out, "/srv/web/logs/all-3.txt");
}

TEST_F(LogPathsTest, MergedInstancesShareOneFileOfWholeLines) {
  app_.instances = 2;
  app_.instances_given = true;
  app_.merge_logs = true;
  EXPECT_EQ(files().out, "/h/logs/web-out.log");
  EXPECT_TRUE(plan().out.at(0).merged);
}

TEST_F(LogPathsTest, ASingleProcessIsNotMerged) { EXPECT_FALSE(plan().out.at(0).merged); }

TEST_F(LogPathsTest, BothStreamsInOneFileAreMerged) {
  app_.out_file = app_.error_file = "/var/log/web.log";
  EXPECT_TRUE(plan().out.at(0).merged);
  EXPECT_TRUE(plan().err.at(0).merged);
}

TEST_F(LogPathsTest, AFileThatAnotherWorkerUsesIsMerged) {
  EXPECT_TRUE(plan({"/h/logs/web-out.log"}).out.at(0).merged);
  EXPECT_FALSE(plan({"/h/logs/web-out.log"}).err.at(0).merged);
}

TEST_F(LogPathsTest, TheCombinedLogComesOnTopAndIsMerged) {
  app_.log_file = "true";
  const LogPlan both = plan();
  ASSERT_EQ(both.out.size(), 2U);
  EXPECT_EQ(both.out[1].path, "/h/logs/web.log");
  EXPECT_TRUE(both.out[1].merged);
  EXPECT_EQ(both.err[1].path, "/h/logs/web.log");
  EXPECT_FALSE(both.out[0].merged);
}

TEST_F(LogPathsTest, ALogNamedTwiceIsFedOnce) {
  app_.out_file = app_.log_file = "/var/log/one.log";
  EXPECT_EQ(plan().out.size(), 1U);
  EXPECT_TRUE(plan().out[0].merged);
}

TEST_F(LogPathsTest, NullMeansNoFile) {
  for (const char* const nothing : {"NULL", "/dev/null"}) {
    app_.out_file = nothing;
    EXPECT_EQ(files().out, "");
    EXPECT_TRUE(plan().out.empty());
    EXPECT_EQ(plan().err.size(), 1U);
  }
}

TEST_F(LogPathsTest, StdoutAsAFileKeepsTheLinesWhereTheyAlwaysAre) {
  const std::string usual = plan().out.at(0).path;
  app_.out_file = "/dev/stdout";
  EXPECT_EQ(plan().out.at(0).path, usual);
}

TEST_F(LogPathsTest, TheAppsUserOpensWhatIsNotInOurDirectory) {
  app_.error_file = "/home/user/error.log";
  const LogPlan as_user = plan_logs(app_, WorkerId{1}, "/h/logs", FileOwner{7, 7}, {});
  EXPECT_TRUE(as_user.err.at(0).owner);
  EXPECT_FALSE(as_user.out.at(0).owner);  // Root's home may be closed to the user.
}

TEST_F(LogPathsTest, DisabledLogsFeedNothing) {
  app_.disable_logs = true;
  app_.log_file = "true";
  EXPECT_EQ(files(), LogFiles());
  EXPECT_TRUE(plan().out.empty() && plan().err.empty());
}

TEST_F(LogPathsTest, OneFileHasOneName) {
  app_.out_file = "./a/../b//x.log";
  EXPECT_EQ(files().out, "/srv/web/b/x.log");
}

TEST_F(LogPathsTest, DatesAndJsonAreRendered) {
  app_.time = true;
  EXPECT_EQ(plan().out.at(0).render.kind, RenderSpec::Kind::kDate);
  EXPECT_EQ(plan().out.at(0).render.date_format, "YYYY-MM-DDTHH:mm:ss");
  app_.log_type = "json";
  EXPECT_EQ(plan().out.at(0).render.kind, RenderSpec::Kind::kJson);
  EXPECT_EQ(plan().out.at(0).render.app_name, "web");
}

TEST_F(LogPathsTest, EveryLogOfAnAppThatRedactsDoes) {
  app_.redact.keys = {"ssn"};
  app_.log_file = "both.log";
  ASSERT_EQ(plan().err.size(), 2U);
  for (const auto& logs : {plan().out, plan().err})
    for (const LogSpec& log : logs) EXPECT_EQ(log.render.redact, app_.redact) << log.path;
}

}  // namespace
}  // namespace pmx::supervisor
