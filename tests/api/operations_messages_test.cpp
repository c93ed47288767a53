// What api/operations_messages.cpp answers: PM2's words, and who was spoken to.
#include <gtest/gtest.h>
#include <signal.h>

#include "api/api_fixture.h"
#include "api/operations.h"

namespace pmx::test {
namespace {

class OperationsMessagesTest : public ApiFixture {
 protected:
  // An app whose worker has a channel.
  WorkerId runs(const std::string& name, const std::string& space = "default") {
    AppSpec spec = app(name);
    spec.interpreter = "/usr/bin/node";
    spec.script = "/srv/" + name + ".js";
    spec.app_namespace = space;
    return online(spec);
  }
  void declares(WorkerId id, const std::string& action) {
    says(id, R"({"type":"axm:action","data":{"action_name":")" + action + "\"}}");
    settle();
  }
  void replies(WorkerId id, const std::string& value) {
    says(id, R"({"type":"axm:reply","data":{"return":)" + value + "}}");
  }
  std::string heard_by(WorkerId id) { return all_of(link_.channel_of(record(id).run)); }
  std::optional<api::Response> signal(const std::string& name, const std::string& target) {
    return post("/v1/signal", Json::object({{"signal", name}, {"target", target}}));
  }
  std::optional<api::Response> send(const std::string& id, const std::string& line) {
    return post("/v1/send", Json::object({{"id", id}, {"line", line}}));
  }
  std::optional<api::Response> trigger(const std::string& target, const std::string& action,
                                       Json parameter = nullptr) {
    return post("/v1/trigger",
                Json::object(
                    {{"target", target}, {"action", action}, {"parameter", std::move(parameter)}}));
  }
};

TEST_F(OperationsMessagesTest, ASignalGoesToTheWorkersOwnProcess) {
  const WorkerId one = runs("web"), other = runs("web");
  EXPECT_EQ(signal("SIGUSR2", "web")->body["ids"].items().size(), 2U);
  EXPECT_EQ(link_.signals_,
            (std::vector<FakeKeeperLink::Signal>{{record(one).run, SIGUSR2, false},
                                                 {record(other).run, SIGUSR2, false}}));
  exits(one, 0);
  EXPECT_EQ(signal("SIGHUP", "web")->body["ids"].items().size(), 1U);
}

TEST_F(OperationsMessagesTest, ASignalThatReachesNobodyIsAnError) {
  const WorkerId id = runs("web");
  EXPECT_EQ(error_of(signal("SIGFOO", "web")), "Unknown signal: SIGFOO (names are as SIGUSR2)");
  EXPECT_EQ(error_of(signal("SIGUSR2", "nope")), "Unknown process name");
  EXPECT_EQ(error_of(signal("SIGUSR2", "7")), "7 id unknown");
  supervisor_->stop(id, supervisor::Worker::Wanted::kNoLonger, nullptr);
  exits(id, SIGINT);
  link_.signals_.clear();
  EXPECT_EQ(error_of(signal("SIGUSR2", "web")),
            "web is not running: the signal was sent to nobody");
  EXPECT_TRUE(link_.signals_.empty());
}

TEST_F(OperationsMessagesTest, EverySignalOfNodeHasItsNumber) {
  (void)runs("web");
  for (const char* name : {"SIGHUP", "SIGABRT", "SIGIOT", "SIGKILL", "SIGUSR1", "SIGSTKFLT",
                           "SIGWINCH", "SIGIO", "SIGPOLL", "SIGPWR", "SIGSYS"})
    EXPECT_EQ(signal(name, "web")->status, 200) << name;
}

TEST_F(OperationsMessagesTest, ALineReachesTheStandardInput) {
  const WorkerId id = runs("web");
  EXPECT_EQ(send("0", "hello\n")->status, 200);
  std::string line(16, '\0');
  line.resize(sys::read(link_.stdin_of(record(id).run), line).value());
  EXPECT_EQ(line, "hello\n");
}

TEST_F(OperationsMessagesTest, ALineThatCannotBeSentIsSaidInPm2sWords) {
  AppSpec cluster = app("cluster");
  cluster.exec_mode = "cluster_mode";
  const WorkerId id = runs("web");
  (void)online(cluster);
  EXPECT_EQ(error_of(send("7", "x\n")), "Process with ID <7> unknown.");
  EXPECT_EQ(error_of(send("web", "x\n")), "Process with ID <web> unknown.");
  EXPECT_EQ(error_of(send("1", "x\n")), "Cannot send line to processes in cluster mode");
  std::optional<api::Response> last = send("0", "x\n");
  for (int i = 0; i < 100 && last->body.find("full") == nullptr; ++i)
    last = send("0", std::string(4000, 'x') + "\n");
  EXPECT_EQ(last->body["full"].as_string(),
            "Process with ID <0> has not read what was sent to it before");
  supervisor_->stop(id, supervisor::Worker::Wanted::kNoLonger, nullptr);
  EXPECT_EQ(error_of(send("0", "x\n")), "Process with ID <0> offline.");
}

TEST_F(OperationsMessagesTest, ATriggerIsAnsweredWhenAllHaveReplied) {
  const WorkerId one = runs("web"), other = runs("web"), without = runs("web");
  for (const WorkerId id : {one, other}) declares(id, "gc");
  EXPECT_FALSE(trigger("web", "gc"));
  EXPECT_EQ(heard_by(one) + heard_by(other) + heard_by(without), "\"gc\"\n\"gc\"\n");
  replies(one, "1");
  EXPECT_FALSE(late_);
  replies(other, "{}");
  ASSERT_TRUE(late_);
  EXPECT_EQ(late_->body.dump(), R"([{"name":"web","pm_id":0,"namespace":"default","return":1},)"
                                R"({"name":"web","pm_id":1,"namespace":"default","return":{}}])");
}

TEST_F(OperationsMessagesTest, AParameterMakesTheMessageAnObject) {
  const WorkerId id = runs("web");
  declares(id, "set");
  (void)trigger("web", "set", "5");
  EXPECT_EQ(heard_by(id), R"({"msg":"set","opts":"5","name":"web"})"
                          "\n");
  (void)trigger("0", "set", "5");
  EXPECT_EQ(heard_by(id), R"({"msg":"set","opts":"5","id":"0"})"
                          "\n");
}

TEST_F(OperationsMessagesTest, ATriggerFindsAppsByNameScriptNamespaceAndAll) {
  const WorkerId id = runs("web", "front");
  declares(id, "gc");
  for (const char* target : {"web", "web.js", "front", "all", "0"}) {
    EXPECT_FALSE(trigger(target, "gc")) << target;
    replies(id, "null");
    EXPECT_EQ(late_->status, 200) << target;
  }
}

TEST_F(OperationsMessagesTest, ATriggerThatReachesNobodyIsSaidInPm2sWords) {
  const WorkerId id = runs("web");
  declares(id, "gc");
  const std::string nobody = "Not any process has received a command (offline or unexistent)";
  EXPECT_EQ(error_of(trigger("web", "nope")), nobody);
  EXPECT_EQ(error_of(trigger("nobody", "gc")), nobody);
  EXPECT_EQ(error_of(trigger("0", "nope")), "Action doesn't exist nope for web");
  EXPECT_EQ(error_of(trigger("7", "gc")), "7 id unknown");
}

TEST_F(OperationsMessagesTest, WhoDoesNotReplyIsNamed) {
  const WorkerId id = runs("web"), ends = runs("web");
  for (const WorkerId worker : {id, ends}) declares(worker, "gc");
  (void)trigger("web", "gc");
  exits(ends, 0);
  clock_.advance(30s);
  ASSERT_TRUE(late_);
  EXPECT_EQ(late_->body.items()[0]["trouble"].as_string(), "has not replied in 30000 ms");
  EXPECT_EQ(late_->body.items()[1]["trouble"].as_string(), "ended before it replied");
}

TEST_F(OperationsMessagesTest, TheListShowsWhatAppsReport) {
  const WorkerId id = runs("web");
  declares(id, "gc");
  says(id, R"({"type":"axm:monitor","data":{"Queue":{"value":3}}})");
  const Json list = list_.jlist();
  const Json& env = list.items()[0]["pm2_env"];
  EXPECT_EQ(env["axm_actions"].dump(), R"([{"action_name":"gc"}])");
  EXPECT_EQ(env["axm_monitor"].dump(), R"({"Queue":{"value":3}})");
}

TEST_F(OperationsMessagesTest, WhatAWorkerHasCountedIsAskedAndWhatItHasNotIsNull) {
  AppSpec cluster = app("web");
  cluster.exec_mode = "cluster_mode";
  cluster.interpreter = "/usr/bin/node";
  const WorkerId counts = online(cluster), silent = online(cluster);
  (void)online(app("job"));
  for (const WorkerId id : {counts, silent}) says(id, R"({"cmd":"NODE_PMX","act":"alive"})");
  EXPECT_FALSE(post("/v1/traffic", Json::object({{"target", "all"}})));
  says(counts, R"({"cmd":"NODE_PMX","act":"traffic","open":2,"connections":30,"requests":400})");
  EXPECT_FALSE(late_);  // The other one may still answer.
  clock_.advance(1s);
  ASSERT_TRUE(late_);
  ASSERT_EQ(late_->body.items().size(), 3U);
  const Json &first = late_->body.items()[0], &second = late_->body.items()[1];
  EXPECT_EQ(first["open"], Json(2));
  EXPECT_EQ(first["connections"], Json(30));
  EXPECT_EQ(first["requests"], Json(400));
  EXPECT_EQ(first["balance"], Json("slots"));
  EXPECT_TRUE(second["requests"].is_null());
  EXPECT_TRUE(late_->body.items()[2]["balance"].is_null());
  EXPECT_EQ(post("/v1/traffic", Json::object({{"target", "nobody"}}))->status, 404);
}

}  // namespace
}  // namespace pmx::test
