#include "supervisor/release.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "support/temp_dir.h"

namespace pmx::test {
namespace {

namespace fs = std::filesystem;
using supervisor::back_to;
using supervisor::links_of;
using supervisor::Release;
using supervisor::same_program;
using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

// A deploy as many tools make it: releases/1, releases/2 and a link `current` to one of them.
class ReleaseTest : public testing::Test {
 protected:
  ReleaseTest() {
    for (const char* const release : {"1", "2"}) {
      fs::create_directories(root_ + "/releases/" + release + "/bin");
      std::ofstream(root_ + "/releases/" + release + "/app.js") << "//";
      fs::create_symlink("/bin/sh", root_ + "/releases/" + release + "/bin/python");
    }
    deploy("1");
  }
  void deploy(const std::string& release) {
    fs::remove(root_ + "/current");
    fs::create_directory_symlink("releases/" + release, root_ + "/current");
  }
  AppSpec app() const {
    AppSpec spec;
    spec.name = "web";
    spec.script = root_ + "/current/app.js";
    spec.cwd = root_ + "/current";
    spec.interpreter = root_ + "/current/bin/python";
    spec.args = {"--config", root_ + "/current/app.js", "plain"};
    spec.env_file = {root_ + "/current/.env?"};
    spec.env = {{"PORT", "80"}, {"SSH_CLIENT", "10.0.0.1"}};
    return spec;
  }
  Release release() const { return {app(), links_of(app()), 1}; }

  TempDir dir_;
  const std::string root_ = fs::canonical(dir_.path()).string();
};

TEST_F(ReleaseTest, KnowsWhereTheLinksOnItsPathsLead) {
  const std::string one = root_ + "/releases/1";
  EXPECT_THAT(links_of(app()),
              UnorderedElementsAre(Pair(root_ + "/current/app.js", one + "/app.js"),
                                   Pair(root_ + "/current", one),
                                   // A virtual environment's python is called by its link.
                                   Pair(root_ + "/current/bin/python", one + "/bin/python"),
                                   Pair(root_ + "/current/.env", one + "/.env")));
  AppSpec plain;
  plain.script = root_ + "/releases/1/app.js";
  plain.interpreter = "none";
  EXPECT_TRUE(links_of(plain).empty());
}

TEST_F(ReleaseTest, ASessionsVariablesMakeNoOtherProgram) {
  AppSpec other = app();
  other.env["SSH_CLIENT"] = "10.0.0.2";
  EXPECT_TRUE(same_program(app(), other));
  other.max_restarts = 3;
  EXPECT_TRUE(same_program(app(), other));
  other.env["PORT"] = "81";
  EXPECT_FALSE(same_program(app(), other));
  other = app();
  other.own_env.insert("SSH_CLIENT");  // The app's own now.
  EXPECT_FALSE(same_program(app(), other));
  other = app();
  other.args.pop_back();
  EXPECT_FALSE(same_program(app(), other));
}

TEST_F(ReleaseTest, GoesBackToWhereALinkLedBefore) {
  const Release first = release();
  deploy("2");
  const auto back = back_to(first, app());
  ASSERT_TRUE(back);
  const AppSpec runs = supervisor::with_pinned_paths(*back);
  EXPECT_EQ(back->script, root_ + "/current/app.js");  // The next deploy is followed again.
  EXPECT_EQ(runs.script, root_ + "/releases/1/app.js");
  EXPECT_EQ(runs.cwd, root_ + "/releases/1");
  EXPECT_EQ(runs.interpreter, root_ + "/releases/1/bin/python");
  EXPECT_EQ(runs.args[1], root_ + "/releases/1/app.js");
  EXPECT_EQ(runs.args[2], "plain");
  EXPECT_EQ(links_of(*back), first.links);  // So a rollback from here leads forward.
}

TEST_F(ReleaseTest, PinsNothingWhereTheLinkLeadsThereAgain) {
  const Release first = release();
  AppSpec now = app();
  now.pinned["/x"] = "/y";
  const auto back = back_to(first, now);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->pinned.empty());
}

TEST_F(ReleaseTest, TakesTheProgramAndLeavesTheRest) {
  Release first = release();
  first.app.max_restarts = 3;
  AppSpec now = app();
  now.args = {"--new"};
  now.env["PORT"] = "81";
  now.max_restarts = 7;
  const auto back = back_to(first, now);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->args, app().args);
  EXPECT_EQ(back->env.at("PORT"), "80");
  EXPECT_EQ(back->max_restarts, 7);
}

TEST_F(ReleaseTest, AReleaseThatIsGoneIsSaid) {
  std::ofstream(root_ + "/releases/1/.env") << "A=1\n";
  const Release first = release();
  deploy("2");
  fs::remove_all(root_ + "/releases/1");
  const auto back = back_to(first, app());
  ASSERT_FALSE(back);
  EXPECT_THAT(back.error().message(), HasSubstr("web cannot go back: " + root_ + "/releases/1"));
}

}  // namespace
}  // namespace pmx::test
