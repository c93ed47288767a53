#include "supervisor/watch_restarts.h"

#include <gmock/gmock.h>

#include <fstream>

#include "supervisor/supervisor_fixture.h"
#include "support/temp_dir.h"

namespace pmx::test {
namespace {

using supervisor::ExitCause;
using supervisor::WatchRestarts;
namespace fs = std::filesystem;

// The supervisor on fakes, and a real inotify in a temporary directory that is the app's cwd.
class WatchRestartsTest : public SupervisorFixture {
 protected:
  AppSpec watched(const std::string& name = "web") const {
    AppSpec spec = app(name);
    spec.cwd = dir_.path();
    spec.watch.on = true;
    return spec;
  }
  void write(const std::string& name) const { std::ofstream(dir_ / name) << "x"; }
  void look() { watches_.changed(); }
  // Changes one file and waits until they have been quiet.
  void change(const std::string& name = "a.js") {
    write(name);
    look();
    clock_.advance(100ms);
  }
  void pass(std::chrono::nanoseconds time) {
    look();
    clock_.advance(time);
  }
  // It is asked to end, does, and is up again. False: nobody has asked it.
  bool restarts(WorkerId id) {
    if (record(id).state != supervisor::WorkerState::kStopping) return false;
    exits(id, 0);
    if (record(id).run.value == 0) return false;
    link_.run(record(id).run);
    settle();
    return true;
  }
  std::size_t count_notices(const std::string& part) const {
    return static_cast<std::size_t>(std::count_if(
        notices_.begin(), notices_.end(),
        [&part](const std::string& line) { return line.find(part) != std::string::npos; }));
  }

  TempDir dir_;
};

TEST_F(WatchRestartsTest, RestartsAllInstancesOnceAndSaysWhichFile) {
  const WorkerId first = online(watched()), second = online(watched());
  clock_.advance(10s);
  write("a.js");
  write("b.js");
  change("c.js");
  EXPECT_TRUE(noticed("Change detected on path a.js (and 2 more) for app web - restarting"));
  EXPECT_TRUE(restarts(first));
  EXPECT_TRUE(restarts(second));
  EXPECT_EQ(record(first).last_exit->cause, ExitCause::kFilesChanged);
  clock_.advance(10s);
  EXPECT_EQ(record(first).restarts, 1);
  EXPECT_EQ(record(second).restarts, 1);
}

TEST_F(WatchRestartsTest, WaitsUntilTheChangesAreQuiet) {
  AppSpec spec = watched();
  spec.watch.delay = 1s;
  const WorkerId id = online(std::move(spec));
  clock_.advance(10s);
  for (int i = 0; i < 4; ++i) {
    write("a.js");
    pass(900ms);
    EXPECT_EQ(status(id), "online");
  }
  pass(200ms);
  EXPECT_TRUE(restarts(id));
}

TEST_F(WatchRestartsTest, DoesNotWaitForEverForADirectoryThatIsNeverQuiet) {
  const WorkerId id = online(watched());
  clock_.advance(10s);
  for (int i = 0; i < 4900 / 50; ++i) {
    write("a.js");
    pass(50ms);
  }
  EXPECT_EQ(status(id), "online");
  for (int i = 0; i < 4; ++i) {
    write("a.js");
    pass(50ms);
  }
  EXPECT_TRUE(restarts(id));
}

TEST_F(WatchRestartsTest, RestartsOnceMoreForWhatChangesDuringARestart) {
  const WorkerId id = online(watched());
  clock_.advance(10s);
  change();
  for (int i = 0; i < 5; ++i) change("b.js");
  EXPECT_TRUE(restarts(id));
  clock_.advance(100ms);
  EXPECT_TRUE(restarts(id));
  clock_.advance(10s);
  EXPECT_EQ(record(id).restarts, 2);
}

TEST_F(WatchRestartsTest, WatchesWhileTheAppIsMeantToRun) {
  const WorkerId id = online(watched());
  EXPECT_GT(watches_.count(), 0U);
  supervisor_->stop(id, supervisor::Worker::Wanted::kNoLonger, note());
  exits(id, 0);
  settle();
  const std::size_t without = watches_.count();
  change();
  clock_.advance(10s);
  EXPECT_EQ(status(id), "stopped");
  supervisor_->start(id, std::nullopt, note());
  link_.run(record(id).run);
  settle();
  EXPECT_GT(watches_.count(), without);
  clock_.advance(10s);
  change();
  EXPECT_TRUE(restarts(id));
}

TEST_F(WatchRestartsTest, StartsAnAppAgainThatHadGivenUp) {
  AppSpec spec = watched();
  spec.max_restarts = 1;
  const WorkerId id = online(std::move(spec));
  for (int i = 0; i < 10 && status(id) != "errored"; ++i) {
    exits(id, 256);
    settle();
    if (record(id).run.value != 0) link_.run(record(id).run);
  }
  ASSERT_EQ(status(id), "errored");
  clock_.advance(10s);
  change();
  EXPECT_NE(record(id).run.value, 0U);
}

TEST_F(WatchRestartsTest, LeavesOtherAppsAlone) {
  AppSpec other = watched("web");
  other.app_namespace = "other";
  other.watch.paths = {"elsewhere"};
  AppSpec unwatched = watched("plain");
  unwatched.watch.on = false;
  fs::create_directory(dir_ / "elsewhere");
  const WorkerId web = online(watched()), second = online(other), plain = online(unwatched);
  clock_.advance(10s);
  change();
  EXPECT_TRUE(restarts(web));
  EXPECT_EQ(record(second).restarts, 0);
  EXPECT_EQ(record(plain).restarts, 0);
  clock_.advance(10s);
  change("elsewhere/a.js");
  EXPECT_TRUE(restarts(second));
}

TEST_F(WatchRestartsTest, DoesNotCountLogsPidFilesAndTheHome) {
  AppSpec spec = watched();
  spec.out_file = dir_ / "log/deep/out.log";
  spec.error_file = dir_ / "err";
  spec.pid_file = dir_ / "web.pid";
  const WorkerId id = online(spec);
  spec.name = "neighbour";
  spec.out_file = dir_ / "log/neighbour.log";
  online(spec);
  clock_.advance(10s);
  fs::create_directories(dir_ / "log/deep");
  for (const char* name : {"log/deep/out.log", "log/deep/out__2026-11-23T10-00-00Z_000041.log",
                           "log/deep/out__2026-11-23T10-00-00Z_000041.log.zst.tmp", "err",
                           "log/neighbour.log", "web-0.pid"})
    change(name);
  clock_.advance(10s);
  EXPECT_EQ(status(id), "online");
  change("log/deep/other.js");
  EXPECT_TRUE(noticed("log/deep/other.js"));
}

TEST_F(WatchRestartsTest, GoesByIgnoreWatch) {
  AppSpec spec = watched();
  spec.watch.ignore = {"tmp", "*.css"};
  const WorkerId id = online(std::move(spec));
  clock_.advance(10s);
  fs::create_directory(dir_ / "tmp");
  for (const char* name : {"tmp/a", "a.css", ".env"}) change(name);
  clock_.advance(10s);
  EXPECT_EQ(status(id), "online");
}

TEST_F(WatchRestartsTest, WaitsForARootThatIsBeingReplaced) {
  AppSpec spec = watched();
  spec.watch.paths = {dir_ / "src"};
  fs::create_directory(dir_ / "src");
  const WorkerId id = online(std::move(spec));
  clock_.advance(10s);
  change("src/a.js");
  ASSERT_TRUE(restarts(id));
  clock_.advance(10s);
  fs::remove_all(dir_ / "src");
  pass(1s);
  EXPECT_EQ(status(id), "online");
  fs::create_directory(dir_ / "src");
  pass(100ms);
  EXPECT_TRUE(restarts(id));
}

TEST_F(WatchRestartsTest, SlowsDownAnAppThatChangesItsOwnFiles) {
  const WorkerId id = online(watched());
  std::size_t restarts_seen = 0;
  for (int i = 0; i < 60 * 10; ++i) {  // A minute, and it writes all the time.
    change("data.json");
    if (restarts(id)) ++restarts_seen;
  }
  // Five at once, then after 1, 2, 4, 8, 16 and 32 seconds.
  EXPECT_GE(restarts_seen, 9U);
  EXPECT_LE(restarts_seen, 12U);
  EXPECT_EQ(count_notices("name it in ignore_watch"), 1U);
  EXPECT_TRUE(noticed("data.json: if the app writes that itself"));

  // A change that comes later than that is somebody's: it is not made to wait.
  for (int i = 0; i < 70 && !restarts(id); ++i) clock_.advance(1s);
  clock_.advance(10s);
  change("data.json");
  EXPECT_TRUE(restarts(id));
}

TEST_F(WatchRestartsTest, IsSwitchedOffWithoutARestart) {
  const WorkerId id = online(watched());
  const std::size_t with = watches_.count();
  supervisor_->unwatch(id);
  settle();
  EXPECT_LT(watches_.count(), with);
  change();
  clock_.advance(10s);
  EXPECT_EQ(status(id), "online");
}

TEST_F(WatchRestartsTest, KeepsAFileNameThatIsNoneToOneLine) {
  const WorkerId id = online(watched());
  clock_.advance(10s);
  change("a\nb");
  EXPECT_TRUE(noticed("path a?b for app web"));
  EXPECT_TRUE(restarts(id));
}

}  // namespace
}  // namespace pmx::test
