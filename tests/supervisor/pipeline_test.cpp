#include "supervisor/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "base/sys.h"
#include "support/temp_dir.h"

namespace pmx::supervisor {
namespace {

// A pipeline with real pipes, rings and files; the test is the worker, and keeps what a keeper
// would.
class PipelineTest : public ::testing::Test {
 protected:
  void TearDown() override { pipeline_.reset(); }

  Pipeline::Events events() {
    return {.stream_ended = [this](StreamId id) { note([&] { ended_.insert(id.value); }); },
            .run_ended = [this](RunId id) { note([&] { runs_ended_.insert(id.value); }); },
            .notice = [this](const std::string& line) { note([&] { notices_.push_back(line); }); },
            .recorded = [this](const auto&,
                               std::uint64_t bytes) { note([&] { recorded_.push_back(bytes); }); }};
  }
  template <class Change>
  void note(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), condition);
  }

  LogSpec log(const std::string& name, bool merged = false) {
    LogSpec spec;
    spec.path = home_.path() + "/logs/" + name;
    spec.merged = merged;
    spec.rotate.compress = Compression::kNone;
    return spec;
  }
  // A run with one stream that feeds these logs; returns the worker's end of the pipe.
  Fd spawn(std::uint64_t run, std::vector<LogSpec> logs) {
    RunSpec spec{{run},
                 {static_cast<std::uint32_t>(run)},
                 "web",
                 {{stream_of({run}, StreamKind::kOut), StreamKind::kOut, logs}}};
    sys::Pipe pipe = *sys::pipe();
    Kept kept{spec, std::move(pipe.read_end), *Pipeline::make_ring()};
    for (const LogSpec& one : logs)
      if (!intents_.contains(log_id_of(one.path).value))
        intents_.emplace(log_id_of(one.path).value, *Pipeline::make_intent());
    if (pipeline_) pipeline_->add_run(fds(kept), intents());
    kept_.push_back(std::move(kept));
    return std::move(pipe.write_end);
  }
  void start() {
    std::vector<RunFds> runs;
    for (const Kept& kept : kept_) runs.push_back(fds(kept));
    auto started = Pipeline::start({home_.path()}, clock_, std::move(runs), intents(), events());
    ASSERT_TRUE(started) << started.error().message();
    pipeline_ = std::move(started).value();
  }
  void restart() {
    pipeline_.reset();
    start();
  }
  void print(const Fd& worker, const std::string& text) {
    ASSERT_TRUE(sys::write_all(worker.get(), text));
  }
  bool wait_for_end(std::uint64_t run) {
    return wait([&] { return runs_ended_.contains(run); });
  }
  bool wait_until_drained(std::uint64_t run) {
    bool done = false;
    pipeline_->drained({run}, std::chrono::seconds(20), [&] { note([&] { done = true; }); });
    return wait([&] { return done; });
  }
  std::string read(const LogSpec& spec) { return RealFs().read_file(spec.path).value_or("(none)"); }

  struct Kept {
    RunSpec spec;
    Fd pipe, ring;
  };
  RunFds fds(const Kept& kept) {
    RunFds run{kept.spec, {}};
    run.streams.push_back({kept.spec.streams[0].id, *sys::duplicate(kept.pipe.get()),
                           *sys::duplicate(kept.ring.get())});
    return run;
  }
  std::vector<IntentFd> intents() {
    std::vector<IntentFd> all;
    for (const auto& [log, fd] : intents_) all.push_back({{log}, *sys::duplicate(fd.get())});
    return all;
  }

  test::TempDir home_;
  RealClock clock_;
  std::vector<Kept> kept_;
  std::map<std::uint64_t, Fd> intents_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::uint64_t> ended_, runs_ended_;
  std::vector<std::string> notices_;
  std::vector<std::uint64_t> recorded_;
  std::unique_ptr<Pipeline> pipeline_;
};

TEST_F(PipelineTest, BringsEveryByteFromThePipeToTheFile) {
  start();
  Fd worker = spawn(2, {log("web-out.log")});
  std::string all;
  for (int i = 0; i < 20000; ++i) all += "line " + std::to_string(i) + "\n";
  print(worker, all);
  print(worker, std::string("\0binary \xff\r\n", 11) + "last words");
  worker.reset();
  ASSERT_TRUE(wait_for_end(2));
  EXPECT_EQ(read(log("web-out.log")), all + std::string("\0binary \xff\r\n", 11) + "last words");
}

TEST_F(PipelineTest, ARunsFilesAreThereOnceOpenedAnswers) {
  start();
  for (std::uint64_t run = 2; run <= 40; run += 2) {
    const LogSpec one = log("web-" + std::to_string(run) + ".log");
    const Fd worker = spawn(run, {one});
    bool there = false;
    bool answered = false;
    pipeline_->opened([&] {
      there = static_cast<bool>(RealFs().info(one.path));
      note([&] { answered = true; });
    });
    ASSERT_TRUE(wait([&] { return answered; }));
    EXPECT_TRUE(there) << one.path;
  }
}

TEST_F(PipelineTest, ShowsAHalfLineOnceItHasBeenQuiet) {
  start();
  Fd worker = spawn(2, {log("web-out.log")});
  print(worker, "password: ");
  EXPECT_TRUE(wait_until_drained(2));
  EXPECT_EQ(read(log("web-out.log")), "password: ");
}

TEST_F(PipelineTest, TellsThatAStreamEndedAfterItsLastWordsWereRecorded) {
  start();
  Fd worker = spawn(2, {log("web-out.log")});
  print(worker, "last words");
  ASSERT_TRUE(wait_until_drained(2));
  note([&] { recorded_.clear(); });
  worker.reset();
  ASSERT_TRUE(wait_for_end(2));
  note([&] { EXPECT_EQ(recorded_, std::vector<std::uint64_t>{0}); });
}

TEST_F(PipelineTest, FeedsTwoLogsFromOneStream) {
  start();
  Fd worker = spawn(2, {log("web-out.log"), log("web.log", true)});
  print(worker, "a\nb\n");
  worker.reset();
  ASSERT_TRUE(wait_for_end(2));
  EXPECT_EQ(read(log("web-out.log")), "a\nb\n");
  EXPECT_EQ(read(log("web.log", true)), "a\nb\n");
}

TEST_F(PipelineTest, GoesOnWithTheSameStreamsAfterARestart) {
  start();
  Fd worker = spawn(2, {log("web-out.log")});
  print(worker, "one\n");
  ASSERT_TRUE(wait_until_drained(2));
  restart();
  print(worker, "two\n");
  worker.reset();
  ASSERT_TRUE(wait_for_end(2));
  EXPECT_EQ(read(log("web-out.log")), "one\ntwo\n");
}

TEST_F(PipelineTest, KeepsWhatCameWhileNoPipelineRan) {
  Fd worker = spawn(2, {log("web-out.log")});
  print(worker, "early\n");
  worker.reset();
  start();
  ASSERT_TRUE(wait_for_end(2));
  EXPECT_EQ(read(log("web-out.log")), "early\n");
}

TEST_F(PipelineTest, ReadsAndCountsNothingIntoAFileWhereThereIsNoLog) {
  start();
  Fd worker = spawn(2, {});
  print(worker, std::string(3 << 20, 'x'));
  worker.reset();
  EXPECT_TRUE(wait_for_end(2));
}

TEST_F(PipelineTest, WritesALineThatIsLargerThanItsRing) {
  start();
  Fd worker = spawn(2, {log("web-out.log")});
  const std::string line = std::string(5 << 20, 'y') + "\n";
  print(worker, line);
  worker.reset();
  ASSERT_TRUE(wait_for_end(2));
  EXPECT_EQ(read(log("web-out.log")), line);
}

TEST_F(PipelineTest, MergesManyWorkersByWholeLines) {
  start();
  std::vector<Fd> workers;
  for (std::uint64_t run = 2; run < 42; run += 2)
    workers.push_back(spawn(run, {log("all.log", true)}));
  for (int i = 0; i < 50; ++i)
    for (std::size_t w = 0; w < workers.size(); ++w)
      print(workers[w], "w" + std::to_string(w) + " line " + std::to_string(i) + "\n");
  workers.clear();
  for (std::uint64_t run = 2; run < 42; run += 2) ASSERT_TRUE(wait_for_end(run));
  const std::string text = read(log("all.log", true));
  std::map<std::string, int> next;
  std::size_t at = 0, lines = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos;
       at = end + 1, end = text.find('\n', at), ++lines) {
    const std::string line = text.substr(at, end - at);
    const std::string who = line.substr(0, line.find(' '));
    EXPECT_EQ(line, who + " line " + std::to_string(next[who]++));
  }
  EXPECT_EQ(lines, 1000U);
}

TEST_F(PipelineTest, RotatesOnLineBordersAndLosesNothing) {
  start();
  LogSpec spec = log("web-out.log");
  spec.rotate.max_size_bytes = 64 << 10;
  Fd worker = spawn(2, {spec});
  std::string all;
  for (int i = 0; i < 30000; ++i) {
    const std::string line = "line number " + std::to_string(i) + "\n";
    all += line;
    if (i % 100 == 0)
      print(worker, all.substr(all.size() - line.size()));
    else
      print(worker, line);
  }
  worker.reset();
  ASSERT_TRUE(wait_for_end(2));
  RealFs fs;
  std::vector<std::string> names = *fs.list(home_.path() + "/logs");
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return (a == "web-out.log") < (b == "web-out.log") ||
           ((a == "web-out.log") == (b == "web-out.log") && a < b);
  });
  std::string found;
  for (const std::string& name : names) found += *fs.read_file(home_.path() + "/logs/" + name);
  EXPECT_GT(names.size(), 1U);  // How many depends on how much each drain finds.
  EXPECT_EQ(found, all);
}

TEST_F(PipelineTest, WaitsForADirectoryThatCannotBeWrittenAndThenGoesOn) {
  RealFs fs;
  ASSERT_TRUE(fs.make_directories(home_.path() + "/logs"));
  ASSERT_TRUE(fs.replace_file(home_.path() + "/logs/blocked", "a file in a directory's place"));
  start();
  LogSpec spec = log("blocked/web-out.log");
  Fd worker = spawn(2, {spec});
  print(worker, "kept\n");
  ASSERT_TRUE(wait([&] { return !notices_.empty(); }));
  ASSERT_FALSE(pipeline_->status().empty());
  EXPECT_THAT(pipeline_->status()[0].trouble, ::testing::HasSubstr("blocked"));
  ASSERT_TRUE(fs.remove(home_.path() + "/logs/blocked"));
  worker.reset();
  ASSERT_TRUE(wait_for_end(2));
  EXPECT_EQ(read(spec), "kept\n");
  EXPECT_EQ(pipeline_->status()[0].trouble, "");
}

TEST_F(PipelineTest, AccountsForEveryLine) {
  start();
  Fd worker = spawn(2, {log("web-out.log")});
  print(worker, "a\nb\nc\n");
  ASSERT_TRUE(wait_until_drained(2));
  const auto status = pipeline_->status();
  ASSERT_EQ(status.size(), 1U);
  EXPECT_EQ(status[0].captured_lines, 3U);
  EXPECT_EQ(status[0].captured_bytes, 6U);
  EXPECT_EQ(status[0].dropped_lines, 0U);
}

}  // namespace
}  // namespace pmx::supervisor
