#include "ship/lane.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "ship/lane_fixture.h"

namespace pmx::ship {
namespace {

using std::chrono::milliseconds;
using test::no_answer;
using test::ok;
using test::Sent;
using test::status;

using Bodies = std::vector<std::string>;

class LaneTest : public LaneFixture {};

TEST_F(LaneTest, SendsWhatIsRecordedAndMovesTheCursorWhenTheStoreHasAnswered) {
  out("a\nb\n");
  lane();
  clock_.run_due();
  EXPECT_FALSE(lane_->cursor().contains(dir_.active_path()) && next_seq() > 1);
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\nb\n"}));
  EXPECT_EQ(next_seq(), 3U);
  EXPECT_EQ(tally().delivered, 2U);
}

TEST_F(LaneTest, LinesThatComeLaterAreSentAfterTheBatchsAge) {
  lane();
  run();
  out("a\n");
  tell(false);
  pass(milliseconds(900));
  EXPECT_EQ(store_.bodies(), Bodies());
  pass(milliseconds(200));
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n"}));
  EXPECT_TRUE(lane_->idle());
}

TEST_F(LaneTest, TheNextDaemonSendsTheSameBytesAgain) {
  out("a\nb\n");
  store_.answer(ok().slow());
  lane();
  run();  // Taken by the store, which has not answered.
  ASSERT_EQ(store_.bodies().size(), 1U);
  out("c\n");
  kill();
  lane();
  run();
  pass(milliseconds(1000));
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\nb\n", "<out>a\nb\n", "<out>c\n"}));
  EXPECT_EQ(tally().delivered, 3U);
}

TEST_F(LaneTest, ADaemonThatDiesAfterTheAnswerSendsNothingAgain) {
  out("a\n");
  lane();
  run();
  kill();
  lane();
  run();
  EXPECT_EQ(store_.bodies().size(), 1U);
  EXPECT_EQ(tally().delivered, 1U);
}

TEST_F(LaneTest, AnAnswerOfOneStreamIsKeptWhileAnotherWaits) {
  out("a\n");
  err("b\n");
  store_.answer(ok()).then(status(503));
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n", "<err>b\n"}));
  kill();
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n", "<err>b\n", "<err>b\n"}));
  EXPECT_EQ(tally().delivered, 2U);
}

TEST_F(LaneTest, ResendsOnlyWhatTheStoreRefusedForNow) {
  out("a\nb\nc\n");
  store_.answer(status(200, "ok later ok"));
  lane();
  run();
  EXPECT_EQ(store_.bodies().size(), 1U);
  pass(milliseconds(1000));
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\nb\nc\n", "<out>b\n"}));
  EXPECT_EQ(tally().delivered, 3U);
}

TEST_F(LaneTest, WhatTheStoreNeverTakesGoesToTheDeadLettersAndIsCounted) {
  out("a\nb\nc\n");
  store_.answer(status(200, "ok never dup"));
  lane();
  run();
  EXPECT_EQ(tally().delivered, 2U);
  EXPECT_EQ(tally().duplicates, 1U);
  EXPECT_EQ(tally().dropped[static_cast<std::size_t>(Drop::kRefused)], 1U);
  const auto page = letters_->read(letters_->begin());
  ASSERT_TRUE(page);
  ASSERT_EQ(page->entries.size(), 1U);
  EXPECT_EQ(page->entries[0].letter.line, "b");
  EXPECT_EQ(page->entries[0].letter.store, "not in this house");
  EXPECT_EQ(page->entries[0].letter.item, "b\n");
  EXPECT_EQ(page->entries[0].letter.coding, "plain");
}

TEST_F(LaneTest, HalvesWhatIsTooLargeAndKeepsTheOrder) {
  out("a\nb\nc\n");
  err("x\n");
  store_.answer(status(413)).then(ok()).then(ok()).then(ok());
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\nb\nc\n", "<err>x\n", "<out>a\n", "<out>b\nc\n"}));
  EXPECT_EQ(tally().delivered, 4U);
}

TEST_F(LaneTest, ABatchIsSentAgainUntilItIsTaken) {
  out("a\n");
  store_.answer(status(503)).then(no_answer("refused", Sent::kNo)).then(status(429)).then(ok());
  lane();
  run();
  for (int i = 0; i < 60 && tally().delivered == 0; ++i) pass(milliseconds(1000));
  EXPECT_EQ(store_.bodies().size(), 3U);  // One of the four did not arrive.
  EXPECT_EQ(tally().delivered, 1U);
  EXPECT_TRUE(lane_->idle());
}

TEST_F(LaneTest, WaitsAsLongAsTheStoreAsks) {
  out("a\n");
  store_.answer(status(429).retry_after(std::chrono::seconds(40)));
  lane();
  run();
  pass(std::chrono::seconds(39));
  EXPECT_EQ(store_.bodies().size(), 1U);
  pass(std::chrono::seconds(2));
  EXPECT_EQ(store_.bodies().size(), 2U);
}

TEST_F(LaneTest, CountsWhatRetentionTookBehindItsCursor) {
  out("a\n");
  lane();
  run();
  kill();
  out("b\nc\n");
  const auto start = segment_.next();
  segment_.seal("2026-11-23T10-00-00Z");
  test::SegmentBuilder second(dir_, 2, start);
  const auto stream = second.stream(10, WorkerId{0}, StreamKind::kOut);
  second.data(stream, "d\n");
  second.write();
  std::filesystem::remove(segment_.sealed_path("2026-11-23T10-00-00Z"));
  std::filesystem::remove(dir_.index_path(1));
  store_.forget();
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>d\n"}));
  for (int i = 0; i < 60'000 && tally().delivered < 2; ++i) pass(milliseconds(1000));
  EXPECT_EQ(tally().dropped[static_cast<std::size_t>(Drop::kRetention)], 2U);
  EXPECT_EQ(tally().settled(), 4U);  // a, b, c, d.
}

TEST_F(LaneTest, CountsLinesThatWereNeverCaptured) {
  out("a\n");
  segment_.dropped(out_, 7, rotate::DropReason::kDiskFull);
  segment_.write();
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n[pmx] 7 lines dropped (disk full)\n"}));
  EXPECT_EQ(tally().dropped[static_cast<std::size_t>(Drop::kDiskFull)], 7U);
  EXPECT_EQ(tally().settled(), 8U);
}

TEST_F(LaneTest, AStackTraceThatIsStillOpenIsSentWhole) {
  lane(true);
  run();
  time_ns_ = clock_.system_ns();
  out("Error: no\n    at a (x.js:1)\n");
  tell(true);
  pass(milliseconds(90));
  EXPECT_FALSE(lane_->idle());
  time_ns_ = clock_.system_ns();
  pass(milliseconds(30));  // It is in the log a little later than its time.
  out("    at b (x.js:2)\n");
  tell(false);
  for (int i = 0; i < 5; ++i) pass(milliseconds(500));
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>Error: no\n    at a (x.js:1)\n    at b (x.js:2)\n"}));
  EXPECT_EQ(tally().delivered, 3U);
}

TEST_F(LaneTest, AStackTraceThatWasOpenWhileTheStoreWasDownIsSent) {
  time_ns_ = clock_.system_ns();
  out("{}\nError: no\n    at a (x.js:1)\n");
  store_.answer(status(503));
  lane(true);
  run();
  ASSERT_TRUE(lane_->waiting());
  for (int i = 0; i < 5; ++i) pass(milliseconds(1000));
  EXPECT_EQ(store_.bodies(),
            (Bodies{"<out>{}\n", "<out>{}\n", "<out>Error: no\n    at a (x.js:1)\n"}));
}

TEST_F(LaneTest, ABatchEndsAtItsBounds) {
  limits_.max_lines = 2;
  out("a\nb\nc\nd\ne\n");
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\nb\n", "<out>c\nd\n", "<out>e\n"}));
}

// What an earlier daemon leaves behind that was killed while the store took nothing.
TEST_F(LaneTest, AFlightInAnotherCodecIsFramedAgain) {
  out("a\nb\n");
  store_.answer(status(503));
  sink_.set_codec(Codec::kGzip);
  lane();
  run();
  kill();
  sink_.set_codec(Codec::kZstd);
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\nb\n", "<out>a\nb\n"}));
  EXPECT_EQ(store_.last().headers.at("Content-Encoding"), "zstd");
  EXPECT_EQ(tally().delivered, 2U);
}

TEST_F(LaneTest, AFlightInAnotherCodingIsMadeAnew) {
  limits_.max_lines = 1;
  out("a\nb\n");
  store_.answer(status(503));
  lane();
  run();
  kill();
  sink_.set_coding("plainer");
  limits_.max_lines = 2;
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n", "<out>a\nb\n"}));
  EXPECT_EQ(tally().delivered, 2U);
}

TEST_F(LaneTest, ABatchWhoseFlightIsLostWhileItWaitsIsMadeAnew) {
  out("a\n");
  store_.answer(status(503));
  lane();
  run();
  ASSERT_TRUE(lane_->waiting());
  out("b\n");
  std::filesystem::remove(base() + ".flight");
  for (int i = 0; i < 5; ++i) pass(milliseconds(1000));
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n", "<out>a\nb\n"}));
  EXPECT_EQ(tally().delivered, 2U);
}

TEST_F(LaneTest, ABatchThatCannotBeWrittenIsKeptInMemoryWhileItWaits) {
  fs_.fail(test::FaultFs::Call::kRename, ".flight", ENOSPC);
  out("a\n");
  store_.answer(status(503));
  lane();
  run();
  EXPECT_FALSE(std::filesystem::exists(base() + ".flight"));
  for (int i = 0; i < 5; ++i) pass(milliseconds(1000));
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n", "<out>a\n"}));
  EXPECT_EQ(tally().delivered, 1U);
}

TEST_F(LaneTest, LinesBehindABatchThatWaitedAreSentOnce) {
  limits_.max_lines = 2;
  out("a\nb\nc\n");
  err("x\n");
  store_.answer(status(503)).times(3);
  lane();
  run();
  for (int i = 0; i < 30; ++i) pass(milliseconds(1000));
  store_.forget();
  out("d\n");
  tell(false);
  for (int i = 0; i < 3; ++i) pass(milliseconds(1000));
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>d\n"}));
  EXPECT_EQ(tally().delivered, 5U);
}

// Among them some that are packed, or removed, by then: they have no index, which the reader would
// look for. The log thread tells once, until the lane reads again: when the store is back.
TEST_F(LaneTest, SegmentsThatBeginWhileABatchWaitsAreFound) {
  limits_.max_lines = 2;
  out("a\nb\n");
  store_.answer(status(503)).times(3);
  lane();
  clock_.run_due();
  out("c\n");
  tell(false);
  run();
  const auto start = segment_.next();
  segment_.seal("2026-11-23T10-00-00Z");
  test::SegmentBuilder second(dir_, 2, start);
  second.data(second.stream(10, WorkerId{0}, StreamKind::kOut), "d\n");
  second.write();
  const auto then = second.next();
  second.seal("2026-11-23T10-00-01Z");
  std::filesystem::remove(dir_.index_path(2));  // It has been packed: its number says nothing.
  std::filesystem::remove(second.sealed_path("2026-11-23T10-00-01Z"));
  test::SegmentBuilder third(dir_, 3, then);
  third.data(third.stream(10, WorkerId{0}, StreamKind::kOut), "e\n");
  third.write();
  for (int i = 0; i < 60; ++i) pass(milliseconds(1000));
  EXPECT_EQ(tally().delivered, 4U);
}

TEST_F(LaneTest, SendsAtMostSixteenRequestsAtATime) {
  Batch batch;
  batch.serial = 1;
  batch.coding = sink_.coding();
  batch.sources = {dir_.active_path()};
  for (int i = 0; i < 40; ++i) {
    const std::string group = "group " + std::to_string(i);
    batch.parcels.push_back({0, group, sink_.frame(0, "a\n"), {{2, 1, 1, 1'000, 0}}});
  }
  ASSERT_TRUE(FlightFile(fs_, base()).save(batch));
  store_.otherwise(ok().slow());
  lane();
  run();
  EXPECT_EQ(store_.in_flight(), 16U);
  store_.release_one();
  run();
  EXPECT_EQ(store_.in_flight(), 16U);
}

// Power failed: the flight had reached the disk, the cursors that were saved before it had not.
TEST_F(LaneTest, TheCursorGoesOnAtTheFlightsSerial) {
  out("a\n");
  Batch batch;
  batch.serial = 9;
  batch.coding = sink_.coding();
  batch.sources = {dir_.active_path()};
  batch.after[dir_.active_path()].at.next_seq = 2;
  batch.parcels.push_back({0, "out", sink_.frame(0, "a\n"), {{2, 1, 1, 1'000, 0}}});
  ASSERT_TRUE(FlightFile(fs_, base()).save(batch));
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n"}));
  CursorFile file(fs_, base());
  ASSERT_TRUE(file.load());
  EXPECT_EQ(file.serial(), 9U);
}

TEST_F(LaneTest, TheFlightStaysUntilTheCursorIsSaved) {
  fs_.fail(test::FaultFs::Call::kRename, ".cursor", ENOSPC);
  out("a\n");
  lane();
  run();
  EXPECT_TRUE(lane_->idle());
  EXPECT_FALSE(synced_);
  EXPECT_TRUE(std::filesystem::exists(base() + ".flight"));
  fs_.heal();
  EXPECT_TRUE(lane_->sync());
  EXPECT_FALSE(std::filesystem::exists(base() + ".flight"));
  kill();
  lane();
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n"}));
}

TEST_F(LaneTest, TheLagOfLinesThatWaitIsKnownAfterAStart) {
  out("a\n");
  store_.otherwise(status(503));
  lane();
  run();
  pass(std::chrono::seconds(60));
  EXPECT_GE(lane_->lag(), std::chrono::seconds(60));
  store_.otherwise(ok());
  lane_->retry_now();
  run();
  EXPECT_EQ(lane_->lag(), milliseconds(0));
}

TEST_F(LaneTest, ALogThatNobodyHasAnyMoreGoesWithItsLastLine) {
  const std::string path = dir_.active_path();
  out("a\n");
  lane();
  run();
  lane_->set_wanted(path, false);
  EXPECT_EQ(lane_->ended_logs(), Bodies());  // Its worker may still print.
  out("b\n");
  segment_.end(out_);
  segment_.end(err_);
  segment_.write();
  tell(true);
  store_.answer(status(503));
  run();
  EXPECT_EQ(lane_->ended_logs(), Bodies());  // On its way.
  pass(std::chrono::seconds(1));
  ASSERT_EQ(lane_->ended_logs(), Bodies{path});
  lane_->drop_source(path);
  EXPECT_FALSE(lane_->has_source(path));
  EXPECT_FALSE(lane_->synced_cursor().contains(path));
  EXPECT_EQ(lane_->cursor().at(kGoneLogs).tally.delivered, 2U);
  EXPECT_TRUE(lane_->finished());
  const auto saved = CursorFile(fs_, base()).load();
  ASSERT_TRUE(saved && *saved);
  EXPECT_EQ(**saved, lane_->cursor());
}

TEST_F(LaneTest, ALaneIsFinishedAtItsEndAlthoughItsWorkerGoesOnPrinting) {
  out("a\n");
  lane();
  run();
  LogPosition end;
  end.next_seq = next_seq();
  lane_->set_end(dir_.active_path(), end);
  for (int i = 0; i < 3; ++i) {
    out("b\n");
    tell(false);
    EXPECT_TRUE(lane_->finished()) << i;
    pass(milliseconds(1500));
  }
  EXPECT_EQ(tally().delivered, 1U);
  lane_->set_end(dir_.active_path(), std::nullopt);
  tell(true);
  EXPECT_FALSE(lane_->finished());
  run();
  EXPECT_EQ(tally().delivered, 4U);
}

TEST_F(LaneTest, ALogThatIsWantedAgainStays) {
  out("a\n");
  segment_.end(out_);
  segment_.end(err_);
  segment_.write();
  lane();
  lane_->set_wanted(dir_.active_path(), false);
  run();
  lane_->set_wanted(dir_.active_path(), true);
  EXPECT_EQ(lane_->ended_logs(), Bodies());
}

// It was taken out of the lane's file, and the daemon died before the cursor knew.
TEST_F(LaneTest, AStartCountsLogsThatAreNoMoreAsSettled) {
  LaneCursor cursor;
  cursor["/gone.log"].tally.delivered = 7;
  cursor[kGoneLogs].tally.delivered = 1;
  ASSERT_TRUE(CursorFile(fs_, base()).save(cursor));
  lane();
  run();
  EXPECT_FALSE(lane_->cursor().contains("/gone.log"));
  EXPECT_EQ(lane_->cursor().at(kGoneLogs).tally.delivered, 8U);
}

TEST_F(LaneTest, OfALogThatIsQuietNoFileStaysOpen) {
  const auto open_files = [&] {
    int open = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      open += std::filesystem::read_symlink(entry, gone).string().starts_with(home_.path());
    }
    return open;
  };
  out("a\n");
  lane();
  run();
  EXPECT_GT(open_files(), 0);
  pass(std::chrono::seconds(10));
  EXPECT_EQ(open_files(), 0);
  out("b\n");
  tell(true);
  run();
  EXPECT_EQ(store_.bodies(), (Bodies{"<out>a\n", "<out>b\n"}));
}

TEST_F(LaneTest, EveryLineIsTakenOnceWhereverTheDaemonDies) {
  // A store with a memory, which drops repeats as Loki does; the daemon dies after every step.
  limits_.max_lines = 3;
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string line = std::to_string(i) + "\n";
    out(line);
    all += line;
  }
  for (int steps = 0; steps < 40; ++steps) {
    lane();
    for (int i = 0; i < steps; ++i) {
      if (i % 2 == 0)
        clock_.run_due();
      else
        (void)store_.run_pending();
    }
    kill();
  }
  lane();
  run();
  std::string taken;
  std::string last;
  for (const std::string& body : store_.bodies()) {
    if (body != last) taken += body.substr(5);
    last = body;
  }
  EXPECT_EQ(taken, all);
  EXPECT_EQ(tally().delivered, 20U);
}

}  // namespace
}  // namespace pmx::ship
