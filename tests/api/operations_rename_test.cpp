#include <gmock/gmock.h>

#include "api/api_fixture.h"

namespace pmx::test {
namespace {

using testing::HasSubstr;

// Two workers in cluster mode that listen on one address.
class OperationsRenameTest : public ApiFixture {
 protected:
  void SetUp() override {
    Json app = app_json("web", 2);
    app.set("exec_mode", "cluster_mode");
    app.set("interpreter", "/usr/bin/node");
    (void)start(app);
    all_run();
    settle();
    for (const std::uint32_t id : {0, 1}) asks(record(WorkerId{id}).run);
  }
  void asks(RunId run) {
    ASSERT_TRUE(sys::send_bytes(link_.channel_of(run),
                                R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,"index":0,)"
                                R"("address":"127.0.0.1","addressType":4,"data":null,"port":0})"
                                "\n"));
    watches_.changed();
    settle();
  }
  std::optional<api::Response> rename(const std::string& action, const std::string& target,
                                      const std::string& name) {
    return post("/v1/act", Json::object({{"action", action},
                                         {"target", target},
                                         {"changes", Json::object({{"name", name}})}}));
  }
  std::string name(std::uint32_t id) const { return record(WorkerId{id}).spec.name; }
  std::size_t ports() const {
    std::size_t count = 0;
    for (const std::string& held : link_.names()) count += held.starts_with("port.") ? 1U : 0U;
    return count;
  }
};

TEST_F(OperationsRenameTest, TheSocketsOfAllGoWithTheName) {
  EXPECT_FALSE(rename("restart", "web", "api"));
  for (const std::uint32_t id : {0, 1}) exits(WorkerId{id}, SIGINT);
  EXPECT_EQ(ports(), 2U);
  all_run();
  settle();
  EXPECT_EQ(late_->status, 200);
  EXPECT_EQ(late_->body["names"].items()[0].as_string(), "api");
  for (const std::uint32_t id : {0, 1}) {
    EXPECT_EQ(name(id), "api");
    asks(record(WorkerId{id}).run);
  }
  EXPECT_EQ(ports(), 2U);
}

TEST_F(OperationsRenameTest, OneOfThemKeepsItsName) {
  EXPECT_THAT(error_of(rename("restart", "0", "api")),
              HasSubstr("web keeps its name: its instances share what they listen on, so that all "
                        "of them are renamed at once: pmx restart web --name api"));
  EXPECT_EQ(status(WorkerId{0}), "online");
}

TEST_F(OperationsRenameTest, ANameThatAnotherAppHasIsRefused) {
  (void)start(app_json("api"));
  all_run();
  settle();
  EXPECT_THAT(error_of(rename("restart", "web", "api")),
              HasSubstr("web keeps its name: there is an app api already"));
  EXPECT_EQ(name(0), "web");
}

TEST_F(OperationsRenameTest, TwoAppsDoNotBecomeOne) {
  Json other = app_json("shop");
  other.set("exec_mode", "cluster_mode");
  other.set("interpreter", "/usr/bin/node");
  (void)start(other);
  all_run();
  settle();
  EXPECT_THAT(error_of(rename("restart", "all", "api")),
              HasSubstr("keeps its name: another app would be api as well"));
  EXPECT_EQ(name(0), "web");
  EXPECT_EQ(name(2), "shop");
}

TEST_F(OperationsRenameTest, AReloadDoesNotRename) {
  EXPECT_THAT(error_of(rename("reload", "web", "api")),
              HasSubstr("web keeps its name, which a reload cannot change: pmx restart web --name "
                        "api"));
  EXPECT_FALSE(record(WorkerId{0}).reload_to);
}

TEST_F(OperationsRenameTest, AReloadThatGoesOnIsNotDisturbed) {
  (void)act("reload", "web");
  EXPECT_THAT(error_of(rename("restart", "web", "api")), HasSubstr("it is being reloaded"));
  EXPECT_EQ(name(0), "web");
}

TEST_F(OperationsRenameTest, WhoHoldsNoSocketsIsRenamedOneByOne) {
  (void)start(app_json("jobs", 2));
  all_run();
  settle();
  EXPECT_FALSE(rename("restart", "2", "first"));
  exits(WorkerId{2}, SIGINT);
  all_run();
  EXPECT_EQ(late_->status, 200);
  EXPECT_EQ(name(2), "first");
  EXPECT_EQ(name(3), "jobs");
}

}  // namespace
}  // namespace pmx::test
