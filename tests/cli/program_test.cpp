#include "cli/program.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace pmx::cli {
namespace {

// Commands that need no daemon. The home is one in which none can be started.
class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override { ::setenv("PMX_HOME", "/nonexistent/pmx", 1); }
  int run(std::vector<std::string> words) {
    words.insert(words.begin(), "pmx");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = run_program(static_cast<int>(words.size()), argv.data());
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }
  std::string out_, err_;
};

TEST_F(ProgramTest, PrintsItsVersion) {
  EXPECT_EQ(run({"--version"}), 0);
  EXPECT_EQ(out_, PMX_VERSION "\n");
  EXPECT_EQ(run({"version"}), 0);
}

TEST_F(ProgramTest, ShowsHowItIsUsedWithoutACommand) {
  EXPECT_EQ(run({}), 1);
  EXPECT_NE(out_.find("Usage: pmx"), std::string::npos);
  EXPECT_EQ(run({"-h"}), 0);
  EXPECT_EQ(run({"start", "--help"}), 0);
  EXPECT_EQ(out_.find("Usage: pmx start"), 0U);
}

TEST_F(ProgramTest, SuggestsTheNearestCommand) {
  EXPECT_EQ(run({"lsit"}), 1);
  EXPECT_EQ(err_.find("[PM2][ERROR] Command not found: lsit (did you mean \"list\"?)"), 0U) << err_;
}

TEST_F(ProgramTest, RefusesUnknownOptions) {
  EXPECT_EQ(run({"list", "--nonsense"}), 1);
  EXPECT_EQ(err_, "[PM2][ERROR] unknown option `--nonsense'\n");
}

TEST_F(ProgramTest, OptionsOfServeAreTakenFromNoAppOfAnotherCommand) {
  EXPECT_EQ(run({"start", "server.js", "--port", "3000"}), 1);
  EXPECT_EQ(err_, "[PM2][ERROR] unknown option `--port': an app's own stand behind --\n");
}

TEST_F(ProgramTest, RefusesToServeWhatCannotBeServed) {
  EXPECT_EQ(run({"serve", "/nonexistent/site"}), 1);
  EXPECT_EQ(err_, "[PM2][ERROR] serve: there is no folder /nonexistent/site\n");
  EXPECT_EQ(run({"serve", "/tmp", "80a"}), 1);
  EXPECT_EQ(err_, "[PM2][ERROR] serve: a port is a number from 1 to 65535, not \"80a\"\n");
  EXPECT_EQ(run({"serve", "/tmp", "--port", "0"}), 1);
  EXPECT_EQ(run({"serve", "/tmp", "80", "x"}), 1);
  EXPECT_EQ(run({"expose", "/tmp", "--basic-auth-username", "me"}), 1);
  EXPECT_NE(err_.find("go together"), std::string::npos);
}

TEST_F(ProgramTest, NamesAMissingScriptAndStartsNoDaemon) {
  EXPECT_EQ(run({"start", "./none.js"}), 1);
  EXPECT_EQ(err_, "[PM2][ERROR] Script not found: " + std::filesystem::current_path().string() +
                      "/none.js\n");
}

TEST_F(ProgramTest, EndsNothingWhereNoDaemonRuns) {
  EXPECT_EQ(run({"kill"}), 0);
  EXPECT_EQ(out_, "[PM2] No daemon runs in /nonexistent/pmx: nothing to end\n");
  EXPECT_EQ(err_, "");
}

TEST_F(ProgramTest, SaysThatRotationIsBuiltIn) {
  EXPECT_EQ(run({"install", "pm2-logrotate"}), 0);
  EXPECT_NE(out_.find("built in"), std::string::npos);
  EXPECT_EQ(run({"install", "pm2-server-monit"}), 1);
}

TEST_F(ProgramTest, SaysThatASettingHasNoMeaningHere) {
  EXPECT_EQ(run({"set", "pm2-logrotate:dateFormat", "YYYY"}), 0);
  EXPECT_NE(err_.find("has no meaning here"), std::string::npos);
  EXPECT_EQ(run({"set", "pm2-logrotate:max_size", "much"}), 1);
  EXPECT_NE(err_.find("\"much\" is not allowed"), std::string::npos);
  EXPECT_EQ(run({"get", "rotate.max_size"}), 0);
  EXPECT_EQ(out_, "10M\n");
}

TEST_F(ProgramTest, SaysHowToShipWhereNothingIsShipped) {
  EXPECT_EQ(run({"ship", "status"}), 0);
  EXPECT_EQ(out_.find("Nothing is shipped yet."), 0U) << out_;
  EXPECT_EQ(err_, "");
  EXPECT_EQ(run({"ship", "--json"}), 0);
  EXPECT_EQ(out_, "{\n  \"sinks\": []\n}\n");
}

TEST_F(ProgramTest, RefusesAWrongWordOfShipBeforeADaemonIsAsked) {
  EXPECT_EQ(run({"ship", "stats"}), 1);
  EXPECT_EQ(err_,
            "[PM2][ERROR] ship: \"stats\" is none of status, test, pause, resume and retry (did "
            "you mean \"status\"?)\n");
  for (const char* word : {"test", "pause", "resume", "retry"})
    EXPECT_EQ(run({"ship", word}), 1) << word;
  EXPECT_EQ(run({"ship", "test", "loki+http://h?tennant=a"}), 1);
  EXPECT_EQ(err_,
            "[PM2][ERROR] sink loki+http://h: \"tennant\" is no option (did you mean "
            "\"tenant\"?)\n");
}

TEST_F(ProgramTest, WantsAWordWhereACommandNeedsOne) {
  for (const char* command : {"stop", "restart", "delete", "describe", "env", "id", "set", "run"})
    EXPECT_EQ(run({command}), 1) << command;
}

}  // namespace
}  // namespace pmx::cli
