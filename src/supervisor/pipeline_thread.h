// The pipeline's one implementation: an event loop on the log thread. pipeline.cpp is the data's
// way, pipeline_start.cpp the start, pipeline_upkeep.cpp what happens beside the way,
// pipeline_calls.cpp what other threads ask.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "base/guarded.h"
#include "redact/redactor_pool.h"
#include "rotate/intent_page.h"
#include "rotate/packer.h"
#include "supervisor/log.h"
#include "supervisor/pipeline.h"
#include "supervisor/stream.h"

namespace pmx::supervisor {

inline constexpr std::size_t kMostPipeBytes = 1U << 20U;  // Of one pipe.

class PipelineThread final : public Pipeline, public rotate::RawBytes {
 public:
  PipelineThread(Options options, const Clock& clock, Events events)
      : options_(std::move(options)), clock_(clock), events_(std::move(events)) {}
  ~PipelineThread() override;

  Result<void> start(std::vector<RunFds> runs, std::vector<IntentFd> intents);

  void add_run(RunFds run, std::vector<IntentFd> new_intents) override;
  void rotate(std::vector<std::string> paths, Rotate how,
              std::function<void(Result<void>)> done) override;
  void stream_dropped(StreamId stream) override;
  void floor_moved(const std::string& path) override;
  void max_disk_changed() override;
  void reopen() override;
  std::vector<LogStatus> status() const override;
  void drained(RunId run, std::chrono::milliseconds deadline, std::function<void()> done) override;
  void opened(std::function<void()> done) override;
  std::uint64_t wakeups() const override { return loop_->wakeups(); }

 private:
  struct Waiter {
    RunId run;
    std::function<void()> done;
    EventLoop::TimerId timer = 0;
  };

  std::string_view raw_bytes(StreamId stream, std::uint64_t from,
                             std::uint64_t size_bytes) override;
  Result<void> recover(std::vector<RunFds> runs, std::vector<IntentFd> intents);
  void take_intents(std::vector<IntentFd> intents);
  Result<Log*> log_for(const LogSpec& spec);
  void begin(RunFds run, bool fresh);

  void drain(Stream& stream);
  void after_round();
  void commit(Log& log);
  void tell_recorded(Log& log);
  void queue(Log& log);
  void queue_logs_of(Stream& stream);
  void look_after(Stream& stream);
  void watch(Stream& stream, bool on);
  void end_of(Stream& stream);
  void rotate_one(const std::string& path, Rotate how,
                  const std::function<void(const Result<void>&)>& done);
  void fail(Log& log, Error error);
  void hand_to_packer(Log& log);
  void scan(const rotate::LogDir& dir, const RotatePolicy& policy,
            const std::optional<FileOwner>& owner);
  void keep_within_disk();
  void plan_rotation(Log& log);
  void plan_sync(Log& log);
  void fit_pipes();
  void answer_waiters();
  bool is_drained(RunId run) const;
  void nap_if_busy();

  Options options_;
  const Clock& clock_;
  Events events_;
  RealFs state_;  // Without an owner: as ourselves.
  Guarded<std::map<std::string, std::optional<FileOwner>>>
      owners_;  // By active path, for the pack thread.
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<rotate::Packer> packer_;
  std::map<LogId, rotate::IntentPage> intents_;
  std::unordered_map<StreamId, std::unique_ptr<Stream>> streams_;
  std::map<std::string, RealFs> files_;  // By active path: with the rights of the log's owner.
  redact::RedactorPool redactors_;
  std::map<std::string, std::unique_ptr<Log>> logs_;
  std::map<std::string, EventLoop::TimerId> rotation_timers_;
  std::vector<Log*> queued_;
  std::vector<Stream*> drained_;  // In this round.
  std::vector<Waiter> waiters_;
  std::uint64_t round_bytes_ = 0;
  bool round_again_ = false;
  std::chrono::steady_clock::time_point last_nap_{};
  std::size_t pipe_size_bytes_ = kMostPipeBytes;
  mutable Guarded<std::vector<std::shared_ptr<LogCounters>>> counters_;
  std::thread thread_;
};

}  // namespace pmx::supervisor
