#include "rotate/packer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <deque>
#include <future>
#include <mutex>

#include "base/crash_point.h"
#include "rotate/internal/pack_queue.h"
#include "rotate/internal/pack_step.h"
#include "support/sealed_log.h"

namespace pmx::rotate {
namespace {

using test::SealedLog;
using Call = test::FaultFs::Call;
using namespace std::chrono_literals;

class PackStepTest : public testing::Test {
 protected:
  PackJob job(Compression compression = Compression::kZstd) {
    PackJob job{web_.dir, kNoFloor, {}, std::nullopt, kNoFloor};
    job.policy.compress = compression;
    return job;
  }
  Result<bool> step(const PackJob& job) { return internal::pack_oldest(fs_, fs_, job, {}); }
  std::string text_of(std::uint64_t segment) {
    const auto reader = ArchiveReader::open(fs_, web_.packed(segment));
    EXPECT_TRUE(reader);
    std::string text;
    EXPECT_TRUE((*reader)->read(0, (*reader)->text_size_bytes(), text));
    return text;
  }

  test::TempDir home_;
  test::FaultFs fs_;
  SealedLog web_{fs_, home_, "web.log"};
};

TEST_F(PackStepTest, PacksTheOldestFirstAndMovesTheIndexIntoTheArchive) {
  web_.seal(1, "one\n");
  web_.seal(2, "two\n");
  web_.put_index(3);
  EXPECT_TRUE(*step(job()));
  EXPECT_EQ(web_.sealed(), "1.zst 2");
  EXPECT_EQ(web_.indexes(), "2 3");
  EXPECT_TRUE(*step(job()));
  EXPECT_FALSE(*step(job()));
  EXPECT_EQ(web_.sealed(), "1.zst 2.zst");
  EXPECT_EQ(text_of(2), "two\n");
}

TEST_F(PackStepTest, LeavesSegmentsThatAreTooNewOrShallStayPlain) {
  web_.seal(1);
  web_.seal(2);
  PackJob up_to_one = job();
  up_to_one.segment = 1;
  EXPECT_TRUE(*step(up_to_one));
  EXPECT_FALSE(*step(up_to_one));
  EXPECT_FALSE(*step(job(Compression::kNone)));
  EXPECT_EQ(web_.sealed(), "1.zst 2");
}

TEST_F(PackStepTest, CountsWhatWaitsToBePacked) {
  for (const std::uint64_t segment : {1U, 2U, 3U}) web_.seal(segment);
  PackJob up_to_two = job();
  up_to_two.segment = 2;
  EXPECT_EQ(*internal::unpacked_segments(fs_, up_to_two), 2U);
  EXPECT_TRUE(*step(up_to_two));
  EXPECT_EQ(*internal::unpacked_segments(fs_, up_to_two), 1U);
  EXPECT_EQ(*internal::unpacked_segments(fs_, job(Compression::kNone)), 0U);
}

TEST_F(PackStepTest, PacksASegmentWhoseIndexIsLost) {
  web_.put(web_.plain(1), "one\n");
  EXPECT_TRUE(*step(job()));
  EXPECT_EQ(text_of(1), "one\n");
}

TEST_F(PackStepTest, KeepsThePlainFileUntilTheArchiveIsThere) {
  web_.seal(1, test::numbered_lines(1000));
  for (const Call call : {Call::kRename, Call::kSync, Call::kWrite}) {
    fs_.fail(call, ".zst", EIO);
    EXPECT_FALSE(step(job()));
    EXPECT_EQ(web_.sealed(), "1");
    fs_.heal();
  }
  fs_.full_after(10, ".zst");
  EXPECT_EQ(step(job()).error().code(), Errc::kNoSpace);
  EXPECT_EQ(web_.sealed(), "1");
  EXPECT_EQ(web_.indexes(), "1");
}

TEST_F(PackStepTest, IsNotDisturbedByAFileThatIsRetiredMeanwhile) {
  web_.seal(1);
  web_.seal(2);
  fs_.fail(Call::kOpen, web_.plain(1), ENOENT);
  EXPECT_TRUE(*step(job()));
  EXPECT_EQ(web_.sealed(), "1 2.zst");
}

TEST_F(PackStepTest, GoesOnWhereverItDied) {
  const std::string text = test::numbered_lines(1000);
  for (const char* point : {"archive_half", "archive_whole", "archive_named", "after_retire"}) {
    (void)fs_.remove(web_.packed(1));  // Of the round before.
    web_.seal(1, text);
    EXPECT_EXIT(
        {
          crash_points::arm(point, 0);
          (void)step(job());
        },
        testing::KilledBySignal(SIGKILL), "")
        << point;
    ASSERT_TRUE(remove_half_archives(fs_, web_.dir));
    ASSERT_TRUE(step(job())) << point;
    ASSERT_TRUE(retire(fs_, fs_, web_.dir, job().policy, 0, kNoFloor));
    EXPECT_EQ(web_.sealed(), "1.zst") << point;
    EXPECT_EQ(web_.indexes(), "") << point;
    EXPECT_EQ(text_of(1), text) << point;
  }
}

class PackQueueTest : public testing::Test {
 protected:
  PackJob job(const std::string& name, std::uint64_t segment = 1) {
    return {LogDir("/state", "/logs/" + name), segment, {}, std::nullopt, kNoFloor};
  }
  std::string next() {
    const internal::PackEntry* const entry = queue_.next(now_);
    return entry == nullptr ? "" : entry->job.dir.active_path().substr(6);
  }

  std::chrono::steady_clock::time_point now_;
  internal::PackQueue queue_{1s, 60s};
};

TEST_F(PackQueueTest, KeepsOneEntryALogAndTheNewestSegment) {
  queue_.add(job("a", 7), true, now_);
  queue_.add(job("b"), false, now_);
  queue_.add(job("a", 5), false, now_);
  EXPECT_EQ(queue_.next(now_)->job.segment, 7U);
  EXPECT_TRUE(queue_.next(now_)->remove_half_archives);
  queue_.remove(*queue_.next(now_));
  EXPECT_EQ(next(), "b");
  queue_.remove(*queue_.next(now_));
  EXPECT_EQ(next(), "");
  EXPECT_FALSE(queue_.next_due());
}

TEST_F(PackQueueTest, LetsOthersGoFirstAfterEachSegment) {
  queue_.add(job("a"), false, now_);
  queue_.add(job("b"), false, now_);
  queue_.requeue(*queue_.next(now_), now_);
  EXPECT_EQ(next(), "b");
  queue_.requeue(*queue_.next(now_), now_);
  EXPECT_EQ(next(), "a");
}

TEST_F(PackQueueTest, WaitsLongerAfterEachFailureAndNeverBlocksOthers) {
  queue_.add(job("a"), false, now_);
  for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_EQ(queue_.fail(*queue_.next(now_), now_), expected);
    EXPECT_EQ(queue_.next_due(), now_ + expected);
    queue_.add(job("a", 9), false, now_);  // Does not make the disk less full.
    EXPECT_EQ(next(), "");
    now_ += expected;
  }
  queue_.add(job("b"), false, now_);
  queue_.fail(*queue_.next(now_), now_);
  EXPECT_EQ(next(), "b");
}

// However slow the machine is, no time passes.
class FrozenClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point steady_now() const override { return steady_; }
  std::chrono::system_clock::time_point system_now() const override { return wall_; }

 private:
  const std::chrono::steady_clock::time_point steady_ = RealClock().steady_now();
  const std::chrono::system_clock::time_point wall_ = RealClock().system_now();
};

class PackerTest : public PackStepTest {
 protected:
  void start() { start(clock_); }
  void start(const Clock& clock) {
    Packer::Options options;
    options.files = [this](const auto&) { return std::make_unique<test::FaultFs>(fs_); };
    options.first_retry = options.last_retry = 1ms;
    Packer::Events events;
    events.notice = [this](const std::string& line) {
      const std::lock_guard lock(mutex_);
      notices_.push_back(line);
      if (notices_.size() == 1) first_notice_.set_value();
      if (notices_.size() == 2) second_notice_.set_value();
    };
    events.retired = [this](const PackReport& report) {
      const std::lock_guard lock(mutex_);
      reports_.push_back(report);
      if (!wanted_path_.empty() && report.active_path != wanted_path_) return;
      if (++counted_ == wanted_) all_retired_.set_value();
    };
    events.settled = [this] {
      if (++settled_ == 1) first_settled_.set_value();
    };
    auto started = Packer::start(fs_, clock, std::move(events), std::move(options));
    ASSERT_TRUE(started);
    packer_ = std::move(*started);
  }
  void wait_for_jobs() { all_retired_.get_future().wait(); }

  RealClock clock_;
  FrozenClock frozen_;
  std::mutex mutex_;
  std::atomic<int> settled_ = 0;
  std::vector<std::string> notices_;
  std::vector<PackReport> reports_;
  std::size_t wanted_ = 1, counted_ = 0;
  std::string wanted_path_;  // Where it is said, only reports of this log count.
  std::promise<void> first_notice_, second_notice_, all_retired_, first_settled_;
  std::unique_ptr<Packer> packer_;
};

TEST_F(PackerTest, PacksAndRetiresWhatItFindsAtStart) {
  for (const std::uint64_t segment : {1U, 2U, 3U}) web_.seal(segment);
  web_.put(web_.packed(3) + ".tmp", "half");
  PackJob scan = job();
  scan.policy.retain = 2;
  start();
  EXPECT_TRUE(packer_->scan(scan));
  wait_for_jobs();
  EXPECT_EQ(web_.sealed(), "2.zst 3.zst");
  EXPECT_FALSE(fs_.info(web_.packed(3) + ".tmp"));
  EXPECT_EQ(reports_[0].segments_packed, 3U);
  EXPECT_EQ(reports_[0].retired.segments, (std::vector<std::uint64_t>{1}));
  EXPECT_TRUE(notices_.empty());
}

TEST_F(PackerTest, ABacklogIsRetiredBeforeItIsPacked) {
  for (std::uint64_t segment = 1; segment <= 10; ++segment) web_.seal(segment);
  PackJob behind = job();
  behind.policy.retain = 2;
  wanted_ = 2;
  start();
  EXPECT_TRUE(packer_->post(behind));
  wait_for_jobs();
  EXPECT_EQ(web_.sealed(), "9.zst 10.zst");
  EXPECT_EQ(reports_[0].segments_packed, 0U);
  EXPECT_EQ(reports_[0].retired.segments.size(), 8U);
  EXPECT_EQ(reports_[1].segments_packed, 2U);
}

TEST_F(PackerTest, JobsThatComeTogetherSettleOnce) {
  std::deque<SealedLog> logs;
  start(frozen_);
  std::promise<void> waits, all_posted;  // What is posted while a task runs is taken together.
  packer_->run([&] {
    waits.set_value();
    all_posted.get_future().wait();
  });
  waits.get_future().wait();
  for (const char name : std::string("abcdefgh")) {
    logs.emplace_back(fs_, home_, std::string(1, name) + ".log").seal(1);
    PackJob one = job();
    one.dir = logs.back().dir;
    EXPECT_TRUE(packer_->post(one));
  }
  all_posted.set_value();
  first_settled_.get_future().wait();
  packer_->stop();
  for (SealedLog& log : logs) EXPECT_EQ(log.sealed(), "1.zst");
  EXPECT_EQ(settled_, 1);
}

TEST_F(PackerTest, TriesAgainWhenTheDiskHasRoomAndSaysBothOnce) {
  web_.seal(1);
  fs_.full_after(0, ".zst");
  start();
  EXPECT_TRUE(packer_->post(job()));
  first_notice_.get_future().wait();
  fs_.heal();
  second_notice_.get_future().wait();
  packer_->stop();
  EXPECT_EQ(web_.sealed(), "1.zst");
  ASSERT_EQ(notices_.size(), 2U);
  EXPECT_NE(notices_[0].find("No space left on device; trying again in 1 s"), std::string::npos)
      << notices_[0];
  EXPECT_TRUE(notices_[1].ends_with("packing and retention work again")) << notices_[1];
}

TEST_F(PackerTest, PacksOtherLogsWhileOneFails) {
  SealedLog api(fs_, home_, "api.log");
  web_.seal(1);
  api.seal(1);
  fs_.fail(Call::kWrite, "web__", EIO);
  wanted_path_ = api.dir.active_path();
  start();
  EXPECT_TRUE(packer_->post(job()));
  PackJob other = job();
  other.dir = api.dir;
  EXPECT_TRUE(packer_->post(other));
  wait_for_jobs();
  packer_->stop();
  EXPECT_EQ(api.sealed(), "1.zst");
  EXPECT_EQ(web_.sealed(), "1");
}

TEST_F(PackerTest, StopsWithJobsWaiting) {
  web_.seal(1);
  fs_.fail(Call::kOpen, ".zst", EMFILE);
  start();
  EXPECT_TRUE(packer_->post(job()));
  first_notice_.get_future().wait();
  packer_.reset();
  EXPECT_EQ(web_.sealed(), "1");
}

}  // namespace
}  // namespace pmx::rotate
