// A log of one app and a lane for it, with a host that always has a slot.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ship/lane.h"
#include "support/fake_clock.h"
#include "support/fake_store.h"
#include "support/fault_fs.h"
#include "support/plain_sink.h"
#include "support/segment_builder.h"
#include "support/temp_dir.h"

namespace pmx::ship {

class LaneFixture : public ::testing::Test, protected LaneHost {
 protected:
  LaneFixture() {
    std::filesystem::create_directories(home_.path() + "/state/ship/sink");
    letters_ = std::move(*DeadLetters::open(fs_, home_.path(), {"sink"}));
  }
  // What a worker prints: one batch a call.
  void out(const std::string& text) { print(out_, text); }
  void err(const std::string& text) { print(err_, text); }
  void print(std::uint16_t stream, const std::string& text) {
    segment_.data(stream, text, {.time_ns = time_ns_});
    segment_.write();
    time_ns_ += 1'000'000;
  }
  // A daemon's lane; a second call is what the next daemon does.
  Lane& lane(bool multiline = false) {
    lane_ = std::make_unique<Lane>(LaneParts{fs_, clock_, clock_, sink_, store_, *letters_, *this,
                                             "api", std::chrono::milliseconds(1000)},
                                   BatcherParts{sink_,
                                                *filter_,
                                                nullptr,
                                                limits_,
                                                {},
                                                multiline,
                                                clock_,
                                                [](std::string_view) { return Severity::kInfo; },
                                                [](StreamId) { return RunInfo(); }},
                                   base());
    Origin origin;
    origin.app = "api";
    LogCursor begin;
    begin.at.next_seq = begin.begin = 1;
    begin.at.segment = 1;
    lane_->add_source(fs_, dir_, origin, begin);
    lane_->start();
    return *lane_;
  }
  void kill() { lane_.reset(); }
  std::string base() const { return home_.path() + "/state/ship/sink/lane"; }
  void tell(bool many) { lane_->lines_came(dir_.active_path(), many); }
  void run() {
    while (store_.run_pending()) clock_.run_due();
    clock_.run_due();
    while (store_.run_pending()) clock_.run_due();
  }
  void pass(std::chrono::nanoseconds time) {
    clock_.advance(time);
    run();
  }
  Tally tally() const {
    const auto& cursor = lane_->cursor();
    return cursor.at(dir_.active_path()).tally;
  }
  std::uint64_t next_seq() const { return lane_->cursor().at(dir_.active_path()).at.next_seq; }

  void reading(Lane&) override {}
  void wants_slot(Lane& lane) override {
    clock_.call_after(std::chrono::nanoseconds(0), [this, &lane] {
      if (&lane == lane_.get()) lane.work();
    });
  }
  void gives_slot_back(Lane&) override {}
  std::chrono::steady_clock::time_point sent() override { return clock_.steady_now(); }
  void cancelled(std::chrono::steady_clock::time_point) override {}
  void answered(std::chrono::steady_clock::time_point, const Verdict&, const HttpAnswer&) override {
  }
  void batch_built() override {}
  void settled(Lane& lane) override { synced_ = lane.sync(); }
  void notice(const std::string& line) override { notices_.push_back(line); }

  test::TempDir home_;
  test::FaultFs fs_;
  test::FakeClock clock_;
  test::PlainSink sink_;
  test::FakeStore store_;
  SinkBatch limits_;
  std::unique_ptr<EventFilter> filter_ = std::move(*EventFilter::create({}));
  std::unique_ptr<DeadLetters> letters_;
  rotate::LogDir dir_{home_.path() + "/state", home_.path() + "/logs/api-out.log"};
  std::int64_t time_ns_ = test::FakeClock::kStartNs - 60'000'000'000;
  test::SegmentBuilder segment_{dir_, 1, {.time_ns = time_ns_}};
  std::uint16_t out_ = segment_.stream(10, WorkerId{0}, StreamKind::kOut);
  std::uint16_t err_ = segment_.stream(11, WorkerId{0}, StreamKind::kErr);
  std::vector<std::string> notices_;
  bool synced_ = false;
  std::unique_ptr<Lane> lane_;
};

}  // namespace pmx::ship
