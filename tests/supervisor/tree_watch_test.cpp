#include "supervisor/tree_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support/fake_clock.h"
#include "support/fake_watches.h"
#include "support/temp_dir.h"

namespace pmx::supervisor {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

// A real inotify in a temporary directory; the test says when the loop looks at it.
class TreeWatchTest : public ::testing::Test {
 protected:
  TreeWatchTest() { fs::create_directories(at("app/src/deep")); }

  std::string at(const std::string& name) const { return dir_ / name; }
  void write(const std::string& name, const std::string& text = "x") const {
    std::ofstream(at(name)) << text;
  }
  void touch(const std::string& name) const {
    ::close(::open(at(name).c_str(), O_WRONLY | O_CLOEXEC));
  }
  void watch(const std::vector<std::string>& roots = {"app"},
             std::size_t max_directories = TreeWatch::kMaxDirectories) {
    std::vector<std::string> paths;
    for (const std::string& root : roots) paths.push_back(at(root));
    tree_ = std::make_unique<TreeWatch>(
        paths, TreeWatch::Parts{watches_, clock_,
                                [this](const std::string& path, std::string_view) {
                                  return !ignored_.empty() && path.ends_with(ignored_);
                                },
                                [this](const std::string& path) {
                                  changes_.insert(path.substr(dir_.path().size() + 1));
                                },
                                [this](const std::string& line) { notices_.push_back(line); },
                                max_directories});
    settle();
  }
  void settle() {
    watches_.changed();
    clock_.run_due();
    while (tree_->is_scanning()) clock_.run_due();
  }
  std::set<std::string> changes() {
    settle();
    return std::exchange(changes_, {});
  }
  using Paths = std::set<std::string>;

  test::TempDir dir_;
  test::FakeClock clock_;
  test::FakeWatches watches_;
  std::string ignored_;
  std::set<std::string> changes_;
  std::vector<std::string> notices_;
  std::unique_ptr<TreeWatch> tree_;
};

TEST_F(TreeWatchTest, TellsOfFilesThatAreWrittenMadeRenamedAndRemoved) {
  write("app/a");
  write("app/src/deep/b");
  watch();
  EXPECT_THAT(changes(), IsEmpty());
  write("app/a");
  EXPECT_EQ(changes(), Paths{"app/a"});
  write("app/src/deep/c");
  EXPECT_EQ(changes(), Paths{"app/src/deep/c"});
  fs::rename(at("app/a"), at("app/d"));
  EXPECT_EQ(changes(), (Paths{"app/a", "app/d"}));
  fs::remove(at("app/src/deep/b"));
  EXPECT_EQ(changes(), Paths{"app/src/deep/b"});
}

TEST_F(TreeWatchTest, WaitsForAFileToBeClosed) {
  write("app/a");
  watch();
  std::ofstream file(at("app/a"));
  file << "half" << std::flush;
  EXPECT_THAT(changes(), IsEmpty());
  file.close();
  EXPECT_EQ(changes(), Paths{"app/a"});
}

TEST_F(TreeWatchTest, WatchesDirectoriesThatAppearAndCountsWhatIsInThem) {
  watch();
  fs::create_directories(at("app/new/inner"));
  write("app/new/inner/a");
  EXPECT_EQ(changes(), (Paths{"app/new", "app/new/inner", "app/new/inner/a"}));
  write("app/new/inner/b");
  EXPECT_EQ(changes(), Paths{"app/new/inner/b"});
}

TEST_F(TreeWatchTest, FollowsADirectoryThatIsRenamedAndForgetsOneThatLeaves) {
  watch();
  fs::rename(at("app/src"), at("app/lib"));
  EXPECT_THAT(changes(), Contains("app/lib"));
  write("app/lib/deep/a");
  EXPECT_EQ(changes(), Paths{"app/lib/deep/a"});
  const std::size_t before = tree_->directories();
  fs::rename(at("app/lib"), at("away"));
  EXPECT_EQ(changes(), Paths{"app/lib"});
  EXPECT_EQ(tree_->directories(), before - 2);
  write("away/deep/a");
  EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(TreeWatchTest, SwapsTwoDirectories) {
  watch();
  fs::create_directories(at("app/other/thing"));
  changes();
  fs::rename(at("app/src"), at("app/t"));
  fs::rename(at("app/other"), at("app/src"));
  fs::rename(at("app/t"), at("app/other"));
  changes();
  write("app/src/thing/a");
  write("app/other/deep/b");
  EXPECT_EQ(changes(), (Paths{"app/src/thing/a", "app/other/deep/b"}));
}

TEST_F(TreeWatchTest, PassesOverWhatIsIgnoredAndDoesNotLookIntoIt) {
  ignored_ = "src";
  watch();
  EXPECT_EQ(tree_->directories(), 1U);
  write("app/src/a");
  fs::create_directories(at("app/lib/src/x"));
  EXPECT_EQ(changes(), Paths{"app/lib"});
}

TEST_F(TreeWatchTest, DoesNotFollowSymbolicLinksBelowARoot) {
  fs::create_directories(at("outside/deep"));
  fs::create_directory_symlink(at("outside"), at("app/link"));
  watch();
  write("outside/deep/a");
  EXPECT_THAT(changes(), IsEmpty());
  fs::create_directory_symlink(at("outside"), at("app/later"));
  EXPECT_EQ(changes(), Paths{"app/later"});
  write("outside/b");
  EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(TreeWatchTest, WatchesAFileThatAnEditorReplaces) {
  write("app/a.json");
  write("app/other");
  watch({"app/a.json"});
  for (int turn = 0; turn < 3; ++turn) {
    write("app/a.json.tmp");
    fs::rename(at("app/a.json.tmp"), at("app/a.json"));
    EXPECT_EQ(changes(), Paths{"app/a.json"}) << turn;
  }
  fs::remove(at("app/a.json"));
  write("app/a.json");
  EXPECT_EQ(changes(), Paths{"app/a.json"});
  write("app/other");
  EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(TreeWatchTest, GoesOnWhenItsRootIsMadeAgain) {
  watch();
  for (int turn = 0; turn < 3; ++turn) {
    fs::remove_all(at("app"));
    changes();
    EXPECT_FALSE(tree_->has_its_roots());
    EXPECT_EQ(tree_->directories(), 0U);
    fs::create_directories(at("app/src"));
    EXPECT_THAT(changes(), Contains("app"));
    EXPECT_TRUE(tree_->has_its_roots());
    write("app/src/a");
    EXPECT_EQ(changes(), Paths{"app/src/a"});
  }
  // At once, so that both are seen together; the number of the directory may be the same.
  fs::remove_all(at("app"));
  fs::create_directories(at("app/lib"));
  changes();
  write("app/lib/a");
  EXPECT_EQ(changes(), Paths{"app/lib/a"});
}

TEST_F(TreeWatchTest, GoesOnWhenItsRootIsSomebodysDirectoryAndIsMadeAgain) {
  watch();
  const int held = ::open(at("app").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  fs::remove_all(at("app"));
  changes();
  fs::create_directories(at("app"));
  EXPECT_THAT(changes(), Contains("app"));
  write("app/a");
  EXPECT_EQ(changes(), Paths{"app/a"});
  ::close(held);
}

TEST_F(TreeWatchTest, GoesOnWhenADirectoryAboveItsRootIsReplaced) {
  fs::create_directories(at("new/src"));
  watch({"app/src"});
  fs::rename(at("app"), at("old"));
  fs::rename(at("new"), at("app"));
  EXPECT_THAT(changes(), Contains("app/src"));
  write("app/src/a");
  write("old/src/b");
  EXPECT_EQ(changes(), Paths{"app/src/a"});
}

TEST_F(TreeWatchTest, FollowsALinkThatIsARootOrOnTheWayToOne) {
  fs::create_directories(at("releases/1/src"));
  fs::create_directories(at("releases/2/src"));
  fs::create_directory_symlink("releases/1", at("current"));
  watch({"current", "current/src"});
  write("releases/1/src/a");
  EXPECT_EQ(changes(), Paths{"current/src/a"});
  fs::create_directory_symlink("releases/2", at("next"));
  fs::rename(at("next"), at("current"));
  EXPECT_THAT(changes(), Contains("current"));
  write("releases/2/src/b");
  EXPECT_EQ(changes(), Paths{"current/src/b"});
  write("releases/1/src/c");
  EXPECT_THAT(changes(), IsEmpty());
}

TEST_F(TreeWatchTest, WaitsForARootThatIsNotThereYet) {
  watch({"later/src"});
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr("later/src is not there"));
  EXPECT_TRUE(tree_->has_its_roots());
  fs::create_directories(at("later/src/x"));
  EXPECT_THAT(changes(), Contains("later/src"));
  write("later/src/x/a");
  EXPECT_EQ(changes(), Paths{"later/src/x/a"});
}

TEST_F(TreeWatchTest, SaysOnceThatThereAreTooManyDirectories) {
  for (int i = 0; i < 20; ++i) fs::create_directory(at("app/" + std::to_string(i)));
  watch({"app"}, 10);
  EXPECT_EQ(tree_->directories(), 10U);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_[0], HasSubstr("more than 10 directories"));
  EXPECT_THAT(notices_[0], HasSubstr("ignore_watch"));
}

TEST_F(TreeWatchTest, ReadsABigTreeInSlices) {
  for (int i = 0; i < 1200; ++i) fs::create_directory(at("app/" + std::to_string(i)));
  tree_ = std::make_unique<TreeWatch>(
      std::vector{at("app")},
      TreeWatch::Parts{watches_, clock_, [](const std::string&, std::string_view) { return false; },
                       [](const std::string&) {}, [](const std::string&) {}});
  EXPECT_TRUE(tree_->is_scanning());
  EXPECT_LE(tree_->directories(), TreeWatch::kSliceDirectories);
  settle();
  EXPECT_EQ(tree_->directories(), 1203U);
  tree_.reset();
  EXPECT_EQ(clock_.waiting(), 0U);
  EXPECT_EQ(watches_.count(), 0U);
}

TEST_F(TreeWatchTest, LooksAtAllAnewWhenTheKernelsQueueOverflows) {
  write("app/a");
  write("app/b");
  watch();
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  int most = 0;
  ASSERT_TRUE(limit >> most);
  if (most > 50'000) GTEST_SKIP() << "a queue of " << most;
  for (int i = 0; i <= most / 2 + 1; ++i) {
    touch("app/a");
    touch("app/b");
  }
  fs::create_directories(at("app/unseen/x"));
  fs::rename(at("app/src"), at("app/lib"));
  EXPECT_THAT(changes(), Contains("app"));
  write("app/unseen/x/a");
  write("app/lib/deep/b");
  EXPECT_EQ(changes(), (Paths{"app/unseen/x/a", "app/lib/deep/b"}));
  EXPECT_THAT(notices_, IsEmpty());
}

}  // namespace
}  // namespace pmx::supervisor
