// One sink at work: its lanes, how many may send at a time, and what its store thinks of us.
//
// Owns:       sink, filter, redactor, dead letters, transport and lanes. Thread: ship.
// Invariants: at most limit() lanes hold a batch; while the store is down one lane at a time asks.
// Bounds:     ConcurrencyLimit's; a lane's batch; the dead letters'.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/timers.h"
#include "ship/concurrency.h"
#include "ship/lane.h"
#include "ship/lane_file.h"

namespace pmx::ship {

struct RunnerParts {
  Fs& state;
  const Clock& clock;
  Timers& timers;
  std::function<Severity(std::string_view)> severity_of;
  std::function<RunInfo(StreamId)> run_of;
  std::function<void(const std::string&)> notice;
  std::function<void(Lane&)> reading;  // Lines recorded from now on will be told.
  std::function<void()> floors_moved;  // Some cursor has reached the disk.
  std::function<void(const std::string& base)> lane_ended;  // Its files may go, if control agrees.
  // So may the log: nobody has it any more, and all of it is settled.
  std::function<void(const std::string& base, const std::string& path)> log_ended;
  std::function<void()> blocked;                              // The store refuses us as a whole.
  std::function<Fs&(const std::optional<FileOwner>&)> files;  // With the rights of a log's owner.
  std::string home;
  bool name_is_shared = false;  // With another sink that is in use.
};

class SinkRunner final : private LaneHost {
 public:
  // Makes its parts by the spec. Error: a pattern, a file, or a library that is not there.
  static Result<std::unique_ptr<SinkRunner>> create(SinkContext context, RunnerParts parts,
                                                    std::unique_ptr<HttpTransport> transport);
  ~SinkRunner() override;

  // The lane of this file's app, with its logs; what it has already is left alone.
  void set_lane(const std::string& base, const LaneFile& file);
  void drop_log(const std::string& base, const std::string& path);
  void lines_came(const std::string& path, bool many);  // Or segments, of this log.
  void expect_flush(const std::string& path, std::uint64_t below_segment);
  void pause();
  void resume();
  // Sends the dead letters again, oldest first, one such call at a time; `done` says how many lines
  // were taken. What is refused again goes behind the others.
  void retry(std::function<void(Result<std::uint64_t>)> done);
  void hurry();       // Sends what there is without waiting for more.
  bool idle() const;  // Nothing is left to be sent, as far as it is known.
  void stop();        // Cursors to the disk; what is on its way is cancelled.
  bool blocked() const { return store_ == Store::kBlocked; }
  bool has_dead_letters() const { return dead_letters_->counts().waiting > 0; }
  void remove_dead_letters() { dead_letters_->remove_empty(); }
  // By which people know it, where it is not the spec's.
  void set_name(const std::string& name) { name_ = name; }
  std::string where() const;  // "http://127.0.0.1:3100, tenant a": to tell it from others.

  const SinkSpec& spec() const { return context_.spec; }
  const std::string& secret() const { return context_.secret; }
  // For each log the segment that the sink still needs, as the disk knows it.
  void add_floors(Floors& floors) const;
  // `next_numbers`: of each log, the number of the line that will be captured next.
  Json status(
      const std::function<std::optional<std::uint64_t>(const std::string&)>& next_number) const;

 private:
  enum class Store : std::uint8_t { kOk, kRetrying, kBlocked };

  SinkRunner(SinkContext context, RunnerParts parts);
  void reading(Lane& lane) override { parts_.reading(lane); }
  void wants_slot(Lane& lane) override;
  void gives_slot_back(Lane& lane) override;
  std::chrono::steady_clock::time_point sent() override;
  void cancelled(std::chrono::steady_clock::time_point sent_at) override;
  void answered(std::chrono::steady_clock::time_point sent_at, const Verdict& verdict,
                const HttpAnswer& answer) override;
  void batch_built() override;
  void settled(Lane& lane) override;
  void notice(const std::string& line) override;
  void pump();
  void sync();
  void sync_soon();
  void retire(const std::string& base);
  std::string rates_path() const;
  std::string state_text() const;
  struct RetryJob;
  void retry_next();
  bool encode_for_now(DeadLetter& letter) const;
  bool gather_letters();
  void retry_answered(const Verdict& verdict);
  std::size_t settle_letters(const Verdict& verdict);
  Result<void> keep_retried();
  void end_retry(Result<std::uint64_t> taken);
  void stop_retry();

  SinkContext context_;
  RunnerParts parts_;
  std::string name_;
  std::unique_ptr<Sink> sink_;
  std::unique_ptr<EventFilter> filter_;
  std::unique_ptr<redact::Redactor> redactor_;
  std::unique_ptr<DeadLetters> dead_letters_;
  std::unique_ptr<HttpTransport> transport_;
  std::unique_ptr<RetryJob> retry_;  // While one is at work.
  ConcurrencyLimit limit_;
  std::map<std::string, std::unique_ptr<Lane>> lanes_;  // By base.
  std::set<std::string> unwanted_;  // Bases of lanes that end when they are empty.
  std::deque<Lane*> queue_;         // That want a slot.
  std::set<Lane*> active_;          // That have one.
  std::set<Lane*> dirty_;           // Whose cursor is not synced.
  Timers::Id sync_timer_ = 0, pump_timer_ = 0;
  bool paused_ = false;
  Store store_ = Store::kOk;
  std::string why_;  // Of the store, when it is not ok.
  std::string last_error_;
  std::int64_t last_error_ns_ = 0;
  std::string last_notice_;
  std::uint64_t requests_ = 0;
};

}  // namespace pmx::ship
