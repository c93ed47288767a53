#include "cli/logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "base/fs.h"
#include "base/sys.h"
#include "cli/logs_sources.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::cli {
namespace {

using rotate::LogDir;
using test::SegmentBuilder;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr auto kOut = StreamKind::kOut;
constexpr auto kErr = StreamKind::kErr;
constexpr std::int64_t kTime = 1'795'428'000'000'000'000;  // 2026-11-23T10:00:00Z

// What run_logs() prints, read line by line while it runs on a thread of its own.
class Running {
 public:
  explicit Running(const LogsOptions& options) {
    auto pipe = sys::pipe();
    stream_ = ::fdopen(pipe->read_end.release(), "r");
    thread_ = std::thread([this, options, out = std::make_shared<Fd>(std::move(pipe->write_end))] {
      code_ = run_logs(options, out->get(), out->get());
    });
  }
  ~Running() { (void)stop(); }
  std::string line() {
    char text[4096];
    return std::fgets(text, sizeof text, stream_) != nullptr ? text : "(end)";
  }
  // Closes the pipe; what run_logs() answers to that.
  int stop() {
    if (thread_.joinable()) {
      (void)std::fclose(stream_);
      thread_.join();
    }
    return code_;
  }

 private:
  std::FILE* stream_ = nullptr;
  std::thread thread_;
  int code_ = -1;
};

class LogsRunTest : public ::testing::Test {
 protected:
  LogsRunTest() {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    options_.home = home_.path();
    options_.follow = false;
    list({"web"});
  }
  std::string log_path(const std::string& name) { return home_ / ("logs/" + name + ".log"); }
  void list(const std::vector<std::string>& names) {
    Json workers = Json::array();
    for (const std::string& name : names) {
      Json worker =
          Json::object({{"id", workers.items().size()}, {"name", name}, {"namespace", "default"}});
      worker.set("logs", Json::object({{"out", log_path(name + "-out")},
                                       {"err", log_path(name + "-error")},
                                       {"log", nullptr}}));
      workers.push_back(std::move(worker));
    }
    RealFs fs;
    ASSERT_TRUE(fs.make_directories(home_ / "state", 0700));
    ASSERT_TRUE(
        fs.replace_file(apps_path(home_.path()), Json::object({{"workers", workers}}).dump()));
  }
  // Lines of one worker, one batch each, at these seconds after kTime.
  std::unique_ptr<SegmentBuilder> write(const LogDir& dir, std::uint32_t id, StreamKind kind,
                                        const std::vector<std::pair<int, std::string>>& lines) {
    auto segment = std::make_unique<SegmentBuilder>(dir, 1);
    const auto stream = segment->stream(10 + id * 2, WorkerId{id}, kind);
    for (const auto& [second, text] : lines)
      segment->data(
          stream, text,
          {.flags = rotate::flags::kUnparsed, .time_ns = kTime + second * 1'000'000'000LL});
    segment->write();
    return segment;
  }
  LogDir dir_of(const std::string& name) { return {home_ / "state", log_path(name)}; }
  // out_ and err_ of a whole run.
  int run() {
    const auto out = sys::memfd_of("out", ""), err = sys::memfd_of("err", "");
    const int code = run_logs(options_, out->get(), err->get());
    for (const auto& [fd, text] : {std::pair{out->get(), &out_}, std::pair{err->get(), &err_}}) {
      ::lseek(fd, 0, SEEK_SET);
      *text = sys::read_all(fd, 1U << 20U).value_or("(unreadable)");
    }
    return code;
  }

  test::TempDir home_;
  LogDir web_out_ = dir_of("web-out"), web_err_ = dir_of("web-error"), api_out_ = dir_of("api-out");
  LogsOptions options_;
  std::string out_, err_;
};

TEST_F(LogsRunTest, MergesTheLogsByTimeUnderPm2sHeader) {
  list({"web", "api"});
  write(web_out_, 0, kOut, {{1, "one\n"}, {4, "four\n"}});
  write(web_err_, 0, kErr, {{2, "two\n"}});
  write(api_out_, 1, kOut, {{3, "three\nand more\n"}});
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(
      out_,
      "[TAILING] Tailing last 15 lines for [all] processes (change the value with --lines option)\n"
      "0|web      | one\n0|web      | two\n1|api      | three\n1|api      | and more\n0|web      | "
      "four\n");
  EXPECT_EQ(err_, "");
}

TEST_F(LogsRunTest, ShowsTheLastLinesOfEachLog) {
  write(web_out_, 0, kOut, {{1, "a\n"}, {2, "b\n"}, {3, "c\n"}});
  write(web_err_, 0, kErr, {{0, "x\n"}});
  options_.lines = 2;
  options_.raw = true;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_, "b\nc\n");
  EXPECT_EQ(err_, "x\n");
}

TEST_F(LogsRunTest, ShowsAllLinesOfASpanOfTime) {
  std::vector<std::pair<int, std::string>> lines;
  for (int i = 0; i < 100; ++i) lines.emplace_back(i, std::to_string(i) + "\n");
  write(web_out_, 0, kOut, lines);
  options_.raw = true;
  options_.since = "2026-11-23T10:00:10Z";
  options_.until = "2026-11-23T10:01:00Z";
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(out_, StartsWith("10\n11\n"));
  EXPECT_THAT(out_, EndsWith("59\n60\n"));
  options_.lines = 2;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_, "59\n60\n");
}

TEST_F(LogsRunTest, FiltersByLevelAndPattern) {
  write(web_out_, 0, kOut,
        {{1, "{\"level\":\"error\",\"msg\":\"a\"}\n"},
         {2, "{\"level\":\"info\",\"msg\":\"a\"}\n"},
         {3, "ERROR b\n"}});
  options_.raw = true;
  options_.level = "warn";
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_, "{\"level\":\"error\",\"msg\":\"a\"}\nERROR b\n");
  options_.grep = "msg.:.a";
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_, "{\"level\":\"error\",\"msg\":\"a\"}\n");
}

TEST_F(LogsRunTest, PrintsJson) {
  write(web_err_, 0, kErr, {{1, "a\n"}});
  options_.json = true;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_,
            "{\"message\":\"a\",\"timestamp\":\"2026-11-23T10:00:01.000Z\",\"type\":\"err\","
            "\"process_id\":0,\"app_name\":\"web\"}\n");
}

TEST_F(LogsRunTest, ShowsALastLineWithoutNewline) {
  auto segment = write(web_out_, 0, kOut, {{1, "a\n"}});
  segment->data(0, "half", {.flags = rotate::flags::kPartial});
  segment->write();
  options_.raw = true;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_, "a\nhalf\n");
}

TEST_F(LogsRunTest, ShowsOurOwnLog) {
  test::write_bytes(home_ / "pmx.log", "daemon started\n");
  options_.target = "pmx";
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(out_, EndsWith("PM2        | daemon started\n"));
}

TEST_F(LogsRunTest, SaysWhatIsWrongInOneLine) {
  options_.target = "nobody";
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(err_, "[PM2][ERROR] Process or Namespace nobody not found\n");
  EXPECT_EQ(out_, "");
  for (std::string LogsOptions::*const option :
       {&LogsOptions::since, &LogsOptions::until, &LogsOptions::level, &LogsOptions::grep}) {
    LogsOptions bad;
    bad.*option = "(nonsense";
    bad.home = options_.home;
    options_ = bad;
    EXPECT_EQ(run(), 1);
    EXPECT_THAT(err_, StartsWith("[PM2][ERROR] --"));
  }
}

TEST_F(LogsRunTest, SaysWhatItCannotRead) {
  write(web_out_, 0, kOut, {{1, "a\n"}, {2, "b\n"}});
  test::write_bytes(log_path("web-out"), "a\n");
  options_.raw = true;
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_, "a\n");
  EXPECT_THAT(err_, HasSubstr("was cut at byte 2"));
}

TEST_F(LogsRunTest, FollowsALogOverItsRotationUntilNobodyReads) {
  auto first = write(web_out_, 0, kOut, {{1, "a\n"}});
  options_.follow = options_.raw = true;
  Running running(options_);
  EXPECT_EQ(running.line(), "a\n");
  first->data(0, "b\n");
  first->seal("2026-11-23T10-00-00Z");
  SegmentBuilder second(web_out_, 2, first->next());
  second.data(second.stream(10, WorkerId{0}, kOut), "c\n");
  second.write();
  EXPECT_EQ(running.line(), "b\n");
  EXPECT_EQ(running.line(), "c\n");
  EXPECT_EQ(running.stop(), 0);
}

TEST_F(LogsRunTest, FollowsWorkersThatAreStartedMeanwhile) {
  write(web_out_, 0, kOut, {{1, "a\n"}});
  options_.follow = true;
  Running running(options_);
  EXPECT_THAT(running.line(), StartsWith("[TAILING]"));
  EXPECT_EQ(running.line(), "0|web      | a\n");
  list({"web", "api"});
  const std::int64_t year_2100 = (4'102'444'800 - 1'795'428'000);
  write(api_out_, 1, kOut, {{static_cast<int>(year_2100 / 2), "old or new\n"}});
  EXPECT_EQ(running.line(), "1|api      | old or new\n");
}

TEST_F(LogsRunTest, ShowsAPromptWhenItHasBeenQuietForAMoment) {
  auto segment = write(web_out_, 0, kOut, {{1, "a\n"}});
  options_.follow = options_.raw = true;
  Running running(options_);
  EXPECT_EQ(running.line(), "a\n");
  segment->data(0, "Name: ", {.flags = rotate::flags::kPartial});
  segment->write();
  EXPECT_EQ(running.line(), "Name: \n");
  segment->data(0, "Bob\n", {.flags = rotate::flags::kContinues});
  segment->write();
  EXPECT_EQ(running.line(), "Bob\n");
}

TEST_F(LogsRunTest, ShowsEventsWholeWherePretty) {
  list({"web", "api"});
  write(web_err_, 0, kErr, {{1, "old\n"}, {2, "Error: boom\n"}});
  auto segment = write(web_out_, 0, kOut, {{3, "{\"level\":40,\"msg\":\"careful\",\"a\":1}\n"}});
  write(api_out_, 1, kOut, {{2, "between\n    at f\n"}});
  options_.pretty = true;
  options_.lines = 1;
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(out_, EndsWith("0|web      | Error: boom\n"
                             "1|api      | between\n"
                             "           |       at f\n"
                             "0|web      | 2026-11-23 10:00:03.000 WARN  careful a=1\n"));
  options_.level = "warn";
  options_.lines.reset();
  options_.since = "2026-11-23T10:00:00Z";
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_,
            "0|web      | Error: boom\n0|web      | 2026-11-23 10:00:03.000 WARN  careful a=1\n");
  options_.level = "";
  options_.grep = "at f";
  EXPECT_EQ(run(), 0);
  EXPECT_EQ(out_, "1|api      | between\n           |       at f\n");
}

TEST_F(LogsRunTest, FollowsEventsWherePretty) {
  auto segment = write(web_out_, 0, kOut, {{1, "a\n"}});
  options_.follow = options_.pretty = true;
  Running running(options_);
  EXPECT_THAT(running.line(), StartsWith("[TAILING]"));
  EXPECT_EQ(running.line(), "0|web      | a\n");
  segment->data(0, "Error: boom\n    at f\n", {.time_ns = kTime + 5'000'000'000LL});
  segment->data(0, "    at g", {.flags = rotate::flags::kPartial});
  segment->write();
  EXPECT_EQ(running.line(), "0|web      | Error: boom\n");
  EXPECT_EQ(running.line(), "           |       at f\n");
  EXPECT_THAT(running.line(), HasSubstr("    at g\n"));
  EXPECT_EQ(running.stop(), 0);
}

TEST_F(LogsRunTest, RefusesTwoFormsAtOnce) {
  options_.pretty = options_.raw = true;
  EXPECT_EQ(run(), 1);
  EXPECT_EQ(err_,
            "[PM2][ERROR] --pretty lays lines out for people, --raw leaves them as they are: use "
            "one of the two\n");
  options_.raw = false;
  options_.json = true;
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(err_, HasSubstr("--json is for programs"));
}

TEST_F(LogsRunTest, EndsWithZeroOnCtrlC) {
  write(web_out_, 0, kOut, {{1, "a\n"}});
  options_.follow = options_.raw = true;
  auto pipe = sys::pipe();
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run_logs(options_, pipe->write_end.get(), pipe->write_end.get()) + 7);
  char byte = 0;
  EXPECT_EQ(::read(pipe->read_end.get(), &byte, 1), 1);  // It is past its start.
  ::kill(child, SIGINT);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

}  // namespace
}  // namespace pmx::cli
