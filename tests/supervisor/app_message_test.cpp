#include "supervisor/app_message.h"

#include <gtest/gtest.h>

#include <string>

namespace pmx::supervisor {
namespace {

using Kind = AppMessage::Kind;

TEST(AppMessageTest, KnowsReadyByItsLetters) {
  EXPECT_EQ(app_message("\"ready\"").kind, Kind::kReady);
  EXPECT_EQ(app_message(" \"ready\" \r").kind, Kind::kReady);
  EXPECT_EQ(app_message("\"Ready\"").kind, Kind::kOther);
  EXPECT_EQ(app_message("ready").kind, Kind::kOther);
  EXPECT_EQ(app_message("{\"type\":\"process:msg\",\"data\":\"ready\"}").kind, Kind::kOther);
}

TEST(AppMessageTest, LeavesToNodeAndBunWhatIsTheirs) {
  EXPECT_EQ(app_message("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}").kind,
            Kind::kInternal);
  EXPECT_EQ(app_message("\x02{\"cmd\":\"NODE_CLUSTER\"}").kind, Kind::kInternal);
  EXPECT_EQ(app_message("{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":1}").kind,
            Kind::kHandle);
  EXPECT_EQ(app_message("{\"cmd\":\"NODE_HANDLE_ACK\"}").kind, Kind::kInternal);
}

TEST(AppMessageTest, ReadsWhatAppsReport) {
  const AppMessage action =
      app_message(R"({"type":"axm:action","data":{"action_name":"hello","arity":1}})");
  EXPECT_EQ(action.kind, Kind::kAction);
  EXPECT_EQ(action.data["action_name"].as_string(), "hello");
  EXPECT_EQ(app_message(R"({"data":{"a":{"value":1}},"type":"axm:monitor"})").kind, Kind::kMonitor);
  EXPECT_EQ(app_message(R"({"type":"axm:reply","data":{"return":1}})").kind, Kind::kReply);
}

TEST(AppMessageTest, IgnoresWhatIsNoneOfThese) {
  for (const char* line :
       {"", "1", "true", "\"shutdown\"", "{\"type\":\"axm:", "{\"type\":\"axm:action\"}",
        "{\"type\":\"axm:action\",\"data\":\"x\"}", "{\"type\":\"axm:trace\",\"data\":{}}",
        "{\"type\":1,\"data\":{\"axm:action\":\"axm:reply\"}}", "[\"axm:action\"]"})
    EXPECT_EQ(app_message(line).kind, *line == '\0' ? Kind::kInternal : Kind::kOther) << line;
  EXPECT_EQ(app_message("{\"type\":\"axm:reply\",\"data\":" + std::string(500'000, '[')).kind,
            Kind::kOther);
}

TEST(AppMessageTest, KeepsEachActionOnceAndNotTooMany) {
  Json actions;
  const auto action = [](const std::string& name) { return Json::object({{"action_name", name}}); };
  EXPECT_TRUE(add_action(actions, action("a")));
  EXPECT_FALSE(add_action(actions, action("a")));
  EXPECT_FALSE(add_action(actions, action("")));
  EXPECT_FALSE(add_action(actions, action(std::string(kMaxReportBytes, 'x'))));
  EXPECT_TRUE(knows_action(actions, "a"));
  EXPECT_FALSE(knows_action(actions, "b"));
  for (std::size_t i = 0; i < 2 * kMaxActions; ++i)
    (void)add_action(actions, action(std::to_string(i)));
  EXPECT_EQ(actions.items().size(), kMaxActions);
}

TEST(AppMessageTest, MergesFiguresByName) {
  Json monitor = Json::object();
  merge_monitor(monitor, Json::object({{"a", 1}, {"b", 2}}));
  merge_monitor(monitor, Json::object({{"b", 3}, {"c", std::string(kMaxReportBytes, 'x')}}));
  EXPECT_EQ(monitor.dump(), R"({"a":1,"b":3})");
  for (std::size_t i = 0; i < 2 * kMaxMonitorKeys; ++i)
    merge_monitor(monitor, Json::object({{std::to_string(i), 1}}));
  EXPECT_EQ(monitor.members().size(), kMaxMonitorKeys);
}

}  // namespace
}  // namespace pmx::supervisor
