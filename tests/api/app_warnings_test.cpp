#include "api/app_warnings.h"

#include <gtest/gtest.h>

#include <map>

namespace pmx::api {
namespace {

constexpr std::uint64_t kGib = 1U << 30U;

MemoryBound bound_of(const std::map<std::string, std::string>& files) {
  return memory_bound([&](const std::string& path) {
    const auto found = files.find(path);
    return found == files.end() ? std::string() : found->second;
  });
}

const std::pair<const std::string, std::string> kMachine{
    "/proc/meminfo", "MemTotal:       16777216 kB\nMemFree:   1 kB\n"};

TEST(MemoryBoundTest, IsTheMachinesWithoutACgroup) {
  EXPECT_EQ(bound_of({kMachine}).bytes, 16 * kGib);
  EXPECT_FALSE(bound_of({kMachine}).of_cgroup);
  EXPECT_EQ(bound_of({}).bytes, 0U);
}

TEST(MemoryBoundTest, IsTheLeastOfTheGroupsOnTheWayUp) {
  const auto bound = bound_of({kMachine,
                               {"/proc/self/cgroup", "0::/a/b\n"},
                               {"/sys/fs/cgroup/a/b/memory.max", "max\n"},
                               {"/sys/fs/cgroup/a/memory.max", "1073741824\n"}});
  EXPECT_EQ(bound.bytes, kGib);
  EXPECT_TRUE(bound.of_cgroup);
}

TEST(MemoryBoundTest, KnowsTheFirstVersionsFiles) {
  const auto bound =
      bound_of({kMachine,
                {"/proc/self/cgroup", "5:cpu,memory:/x\n0::/\nnonsense\n"},
                {"/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "2147483648\n"},
                {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}});
  EXPECT_EQ(bound.bytes, 2 * kGib);
  EXPECT_TRUE(bound.of_cgroup);
}

TEST(StartWarningsTest, TellOfInstancesThatShareNoPort) {
  AppSpec app;
  app.name = "web";
  app.instances = 2;
  EXPECT_TRUE(start_warnings(app, {}, "bind(2) answered by pmx").empty());
  const std::string none = "none: separate processes, because seccomp: Device or resource busy";
  const auto lines = start_warnings(app, {}, none);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0],
            "web: its 2 instances share no port: they are separate processes, because seccomp: "
            "Device or resource busy");
  app.instances = 1;
  EXPECT_TRUE(start_warnings(app, {}, none).empty());
}

TEST(StartWarningsTest, TellOfMessagesThatAreNotSpoken) {
  AppSpec app;
  app.name = "web";
  app.interpreter = "node";
  app.env["NODE_CHANNEL_SERIALIZATION_MODE"] = "advanced";
  EXPECT_TRUE(start_warnings(app, {}, "").empty());  // The shell's does not reach it.
  app.own_env = {"NODE_CHANNEL_SERIALIZATION_MODE"};
  const auto lines = start_warnings(app, {}, "");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0],
            "web: NODE_CHANNEL_SERIALIZATION_MODE=advanced is not spoken here: messages of "
            "process.send() are JSON");
  app.env["NODE_CHANNEL_SERIALIZATION_MODE"] = "json";
  EXPECT_TRUE(start_warnings(app, {}, "").empty());
}

TEST(StartWarningsTest, TellOfLimitsThatAreTogetherMoreThanThereIs) {
  AppSpec app;
  app.name = "web";
  app.instances = 4;
  app.max_memory_restart = kGib;
  EXPECT_TRUE(start_warnings(app, {4 * kGib, false}, "").empty());
  EXPECT_TRUE(start_warnings(app, {0, false}, "").empty());
  const auto lines = start_warnings(app, {3 * kGib, true}, "");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0],
            "web: 4 x max_memory_restart (1.0gb) is more than the 3.0gb of this cgroup: the kernel "
            "may kill it before pmx restarts it");
  app.max_memory_restart = 0;
  EXPECT_TRUE(start_warnings(app, {1, false}, "").empty());
}

TEST(StartWarningsTest, SayWhereNobodyIsAskedForItsHealth) {
  AppSpec app;
  app.name = "web";
  app.health.path = "/health";
  EXPECT_TRUE(start_warnings(app, {}, "Node's cluster protocol").empty());
  EXPECT_EQ(start_warnings(app, {}, "").size(), 1U);
}

TEST(StartWarningsTest, SayWherePassedSocketsAreNoWayToAskForItsHealth) {
  AppSpec app;
  app.name = "web";
  app.health.path = "/health";
  app.listen = {"unix:/run/a.sock"};
  EXPECT_EQ(start_warnings(app, {}, "sockets passed as LISTEN_FDS").size(), 1U);
  app.listen.emplace_back("3000");
  EXPECT_TRUE(start_warnings(app, {}, "sockets passed as LISTEN_FDS").empty());
  app.balance = "sticky";
  EXPECT_EQ(start_warnings(app, {}, "sockets passed as LISTEN_FDS").size(), 1U);
}

TEST(StartWarningsTest, SayWhereLinesGoThatAreSentToADevice) {
  AppSpec app;
  app.name = "web";
  app.out_file = "/dev/stdout";
  app.error_file = "/dev/null";
  EXPECT_EQ(start_warnings(app, {}, ""),
            std::vector<std::string>{"web: out_file /dev/stdout is no file that can be kept: its "
                                     "lines go to the home's logs"});
  app.out_file = "/var/log/web.log";
  EXPECT_TRUE(start_warnings(app, {}, "").empty());
}

TEST(StopWarningsTest, NameEachAppThatCronStartsAgain) {
  supervisor::WorkerRecord one, two, plain;
  one.spec.name = two.spec.name = "job";
  one.spec.cron_restart = two.spec.cron_restart = "0 3 * * *";
  plain.spec.name = "web";
  const auto lines = stop_warnings({&one, &two, &plain});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0],
            "App job stopped but CRON RESTART is still UP 0 3 * * *: pmx restart job "
            "--cron-restart 0 ends it, or pmx delete");
}

}  // namespace
}  // namespace pmx::api
