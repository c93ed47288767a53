#include "cli/why_view.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

constexpr std::int64_t kNowMs = 1'700'000'100'000;

struct Process {
  std::string status = "waiting restart";
  std::string cause = "itself";
  Json code = 1, signal = nullptr;
  std::int64_t ran_ms = 300, lives_ms = 200'000, last_minute = 1, restarts = 1, open_runs = 0;
  bool ended = true, autorestart = true;
  std::string trouble, log_trouble;
};

std::string told(const Process& process) {
  const Json exit = !process.ended ? Json()
                                   : Json::object({{"code", process.code},
                                                   {"signal", process.signal},
                                                   {"at", 1'700'000'000'000},
                                                   {"ran_ms", process.ran_ms},
                                                   {"max_rss", 50 << 20},
                                                   {"cause", process.cause}});
  Json logs = Json::array();
  logs.push_back(Json::object({{"trouble", process.log_trouble}}));
  return why_text(Json::object({{"name", "web"},
                                {"pm_id", 3},
                                {"pm2_env", Json::object({{"status", process.status},
                                                          {"restart_time", process.restarts},
                                                          {"pm_uptime", kNowMs - process.lives_ms},
                                                          {"autorestart", process.autorestart},
                                                          {"kill_timeout", 1600},
                                                          {"prev_restart_delay", 150}})},
                                {"pmx", Json::object({{"last_exit", exit},
                                                      {"restarts_last_minute", process.last_minute},
                                                      {"open_runs", process.open_runs},
                                                      {"logs", logs},
                                                      {"trouble", process.trouble}})}}),
                  kNowMs);
}

void expect_told(const Process& process, std::initializer_list<const char*> words) {
  const std::string text = told(process);
  for (const char* const word : words)
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
}

TEST(WhyViewTest, ARunThatFailsAtOnceIsToldApartFromOneThatLasted) {
  expect_told({}, {"web (id 3) has ended", "after 0.3 s it ended by itself with exit code 1",
                   "at 2023-11-14T22:13:20.000Z", "50.0mb", "first second"});
  Process lasted;
  lasted.ran_ms = 3 * 3600 * 1000;
  expect_told(lasted, {"after 3h it ended by itself"});
  EXPECT_EQ(told(lasted).find("first second"), std::string::npos);
}

TEST(WhyViewTest, SaysWhoEndedIt) {
  Process process;
  process.code = nullptr;
  process.signal = "SIGKILL";
  process.cause = "kill_timeout";
  expect_told(process, {"kill_timeout (1600 ms)", "raise kill_timeout"});
  process.cause = "out_of_memory";
  expect_told(process, {"out-of-memory killer", "max_memory_restart"});
  process.cause = "somebody";
  expect_told(process, {"sent SIGKILL by somebody else than pmx", "kill -9"});
  process.cause = "itself";
  process.signal = "SIGSEGV";
  expect_told(process, {"crashed by SIGSEGV", "core dump"});
  process.signal = "SIGABRT";
  expect_told(process, {"crashed by SIGABRT", "--max-old-space-size"});
  process.cause = "asked";
  expect_told(process, {"was told to stop, and did"});
  process.cause = "pmx_lost";
  process.signal = nullptr;
  expect_told(process, {"keeper and daemon had both ended"});
}

TEST(WhyViewTest, ACrashLoopIsNotHiddenBehindOnline) {
  Process process;
  process.status = "online";
  process.lives_ms = 900;
  process.last_minute = 12;
  process.restarts = 40;
  expect_told(process, {"is in a crash loop: 12 restarts in the last minute", "restarts so far: 40",
                        "by itself in the last minute: 12"});
}

TEST(WhyViewTest, ACrashLoopIsOverOnceItLivesForLongerThanItUsedTo) {
  Process process;
  process.status = "online";
  process.last_minute = process.restarts = 20;
  process.lives_ms = 17'000;
  expect_told(process, {"runs since 17s, after 20 restarts in the last minute"});
  EXPECT_EQ(told(process).find("crash loop"), std::string::npos);
  process.ran_ms = 12'000;  // It used to live nearly as long.
  expect_told(process, {"is in a crash loop"});
}

TEST(WhyViewTest, TellsOfALogThatCannotBeWritten) {
  Process process;
  process.status = "online";
  process.ended = false;
  process.restarts = process.last_minute = 0;
  process.log_trouble = "open /ro/out.log: Permission denied";
  expect_told(process, {"log:      open /ro/out.log: Permission denied", "tries to write"});
}

TEST(WhyViewTest, SaysWhatPmxDoesNext) {
  Process process;
  process.status = "errored";
  process.trouble = "crash loop: 16 ends";
  expect_told(process, {"was given up", "trouble:  crash loop: 16 ends", "pmx restart"});
  process.status = "stopped";
  process.autorestart = false;
  expect_told(process, {"autorestart is off"});
  process.open_runs = 1;
  expect_told(process, {"still holds its output"});
}

TEST(WhyViewTest, OneThatHasNeverEndedRuns) {
  Process process;
  process.status = "online";
  process.ended = false;
  process.restarts = process.last_minute = 0;
  EXPECT_EQ(told(process), "web (id 3) runs since 3m\n  pmx:      has nothing to do\n");
}

}  // namespace
}  // namespace pmx::cli
