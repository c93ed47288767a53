#include <gmock/gmock.h>

#include "supervisor/cluster_fixture.h"

namespace pmx::test {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

class ClusterRenameTest : public ClusterFixture {
 protected:
  static AppSpec called(const std::string& name) {
    AppSpec spec = app();
    spec.name = name;
    return spec;
  }
  static supervisor::AppKey key(const std::string& name) {
    return supervisor::app_key(called(name));
  }
  // Returns the port that it was given.
  int asks_as(const std::string& name, RunId run) {
    cluster_->join(called(name), run, {0, cluster_->free_number(called(name))});
    asks(run);
    return port_of(last(run).fd.get());
  }
};

TEST_F(ClusterRenameTest, WhatAnAppHasGoesWithItsName) {
  serves(kA, 0);
  cluster_->rename(key("web"), key("api"));
  EXPECT_EQ(asks_as("api", kB), port_);
  next_daemon();
  EXPECT_THAT(cluster_->apps(), ElementsAre(key("api")));
  EXPECT_THAT(cluster_->members(), ElementsAre(kA, kB));
  EXPECT_EQ(asks_as("api", kC), port_);
  for (const RunId run : {kA, kB, kC}) cluster_->ended(run);
  cluster_->close_unused(key("api"));
  EXPECT_THAT(held(""), SizeIs(0));
}

TEST_F(ClusterRenameTest, AnotherAppMayHaveTheNameThatItHad) {
  serves(kA, 0);
  cluster_->rename(key("web"), key("api"));
  EXPECT_NE(asks_as("web", kB), port_);
  EXPECT_THAT(held("cluster."), SizeIs(2));
  next_daemon();
  EXPECT_THAT(cluster_->apps(), ElementsAre(key("api"), key("web")));
  cluster_->ended(kB);
  cluster_->close_unused(key("web"));
  EXPECT_EQ(asks_as("api", kC), port_);
}

TEST_F(ClusterRenameTest, ANameThatAnotherHasIsNotTaken) {
  serves(kA, 0);
  (void)asks_as("api", kB);
  cluster_->rename(key("web"), key("api"));
  EXPECT_EQ(cluster_->app_of(kA), key("web"));
  cluster_->rename(key("none"), key("other"));
  EXPECT_THAT(cluster_->apps(), ElementsAre(key("api"), key("web")));
}

}  // namespace
}  // namespace pmx::test
