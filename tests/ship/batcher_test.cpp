#include "ship/batcher.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"
#include "support/plain_sink.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::ship {
namespace {

using Bodies = std::vector<std::string>;

class BatcherTest : public ::testing::Test {
 protected:
  struct OneLog {
    OneLog(const std::string& home, const std::string& name, std::uint64_t stream)
        : dir(home + "/state", home + "/logs/" + name + ".log"),
          segment(dir, 1),
          local(segment.stream(stream, WorkerId{0}, StreamKind::kOut)) {}
    void line(std::int64_t time_ns, const std::string& text) {
      segment.data(local, text + "\n", {.time_ns = time_ns});
      segment.write();
    }
    rotate::LogDir dir;
    test::SegmentBuilder segment;
    std::uint16_t local;
  };
  Batcher& batcher() {
    filter_ = std::move(*EventFilter::create(rules_));
    batcher_ = std::make_unique<Batcher>(BatcherParts{sink_,
                                                      *filter_,
                                                      redactor_.get(),
                                                      limits_,
                                                      {},
                                                      false,
                                                      clock_,
                                                      [](std::string_view line) {
                                                        return line.starts_with("ERROR")
                                                                   ? Severity::kError
                                                                   : Severity::kInfo;
                                                      },
                                                      [](StreamId) { return RunInfo(); }});
    Origin origin;
    origin.app = "web";
    for (OneLog* log : {&one_, &two_}) batcher_->add_source(fs_, log->dir, origin);
    batcher_->seek({});
    return *batcher_;
  }
  Bodies bodies(const Batch& batch) {
    Bodies all;
    for (const Parcel& parcel : batch.parcels) all.push_back(parcel.framed.body);
    return all;
  }

  test::TempDir home_;
  RealFs fs_;
  test::FakeClock clock_;
  test::PlainSink sink_;
  SinkBatch limits_;
  SinkFilter rules_;
  std::unique_ptr<EventFilter> filter_;
  std::unique_ptr<redact::Redactor> redactor_;
  OneLog one_{home_.path(), "one", 10}, two_{home_.path(), "two", 20};
  std::unique_ptr<Batcher> batcher_;
};

TEST_F(BatcherTest, MergesLogsByTheTimeOfTheirLines) {
  one_.line(10, "a");
  one_.line(30, "c");
  two_.line(20, "b");
  two_.line(40, "d");
  const auto batch = batcher().build({}, 1);
  ASSERT_TRUE(batch);
  EXPECT_EQ(bodies(*batch), (Bodies{"<out>a\nb\nc\nd\n"}));
  EXPECT_EQ(batch->after.at(one_.dir.active_path()).at.next_seq, 3U);
  EXPECT_EQ(batch->after.at(two_.dir.active_path()).at.next_seq, 3U);
  EXPECT_FALSE(batcher_->build(batch->after, 2));
}

TEST_F(BatcherTest, CountsWhatItsFilterKeepsBack) {
  rules_.level = Severity::kError;
  one_.line(10, "fine");
  one_.line(20, "ERROR no");
  const auto batch = batcher().build({}, 1);
  ASSERT_TRUE(batch);
  EXPECT_EQ(bodies(*batch), (Bodies{"<out>ERROR no\n"}));
  const Tally& tally = batch->after.at(one_.dir.active_path()).tally;
  EXPECT_EQ(tally.dropped[static_cast<std::size_t>(Drop::kFiltered)], 1U);
}

TEST_F(BatcherTest, ABatchOfWhichNothingIsLeftMovesTheCursorAllTheSame) {
  rules_.level = Severity::kError;
  one_.line(10, "fine");
  const auto batch = batcher().build({}, 1);
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->parcels.empty());
  EXPECT_EQ(batch->after.at(one_.dir.active_path()).at.next_seq, 2U);
}

TEST_F(BatcherTest, SecretsAreGoneBeforeEncoding) {
  redactor_ =
      std::move(*redact::Redactor::create({.builtin = false, .patterns = {"hunter2"}, .keys = {}}));
  one_.line(10, "my password is hunter2");
  const auto batch = batcher().build({}, 1);
  ASSERT_TRUE(batch);
  EXPECT_EQ(bodies(*batch), (Bodies{"<out>my password is [redacted]\n"}));
}

TEST_F(BatcherTest, ALongLineGoesInPiecesThatCountOnce) {
  const std::string line(3 * kMaxEventBytes - 7, 'x');
  one_.line(10, line);
  const auto batch = batcher().build({}, 1);
  ASSERT_TRUE(batch);
  std::size_t lines = 0, items = 0, bytes = 0;
  for (const Parcel& parcel : batch->parcels)
    for (const Item& item : parcel.items) {
      lines += item.lines;
      bytes += item.size_bytes - 1;
      ++items;
    }
  EXPECT_EQ(items, 3U);
  EXPECT_EQ(lines, 1U);
  EXPECT_EQ(bytes, line.size());
}

TEST_F(BatcherTest, NoParcelIsLargerThanTheBound) {
  limits_.max_bytes = 1000;
  for (int i = 0; i < 40; ++i) one_.line(10 + i, std::string(100, 'x'));
  batcher();
  std::size_t lines = 0;
  LaneCursor cursor;
  for (std::uint64_t serial = 1;; ++serial) {
    const auto batch = batcher_->build(cursor, serial);
    if (!batch) break;
    cursor = batch->after;
    for (const Parcel& parcel : batch->parcels) {
      EXPECT_LE(parcel.framed.body.size(), 1000U + 110U);
      lines += parcel.items.size();
    }
  }
  EXPECT_EQ(lines, 40U);
}

TEST_F(BatcherTest, SaysHowManyLinesARateLimitTook) {
  rules_.rate_lines = 2;
  for (int i = 0; i < 10; ++i) one_.line(1000 + i, "line " + std::to_string(i));
  const auto batch = batcher().build({}, 1);
  ASSERT_TRUE(batch);
  const Tally& tally = batch->after.at(one_.dir.active_path()).tally;
  const std::uint64_t limited = tally.dropped[static_cast<std::size_t>(Drop::kRateLimited)];
  EXPECT_GT(limited, 0U);
  ASSERT_EQ(batch->parcels.size(), 1U);
  EXPECT_NE(batch->parcels[0].framed.body.find("suppressed " + std::to_string(limited)),
            std::string::npos);
}

}  // namespace
}  // namespace pmx::ship
