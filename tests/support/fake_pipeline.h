// A pipeline that keeps what it is given and does nothing with it. Runs end when the test says so.
//
// Faults it can inject: a rotation that fails; any status; output that is recorded late.
// Never: an event of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "supervisor/pipeline.h"

namespace pmx::test {

class FakePipeline final : public supervisor::Pipeline {
 public:
  struct Rotation {
    std::vector<std::string> paths;
    Rotate how;
  };
  void add_run(supervisor::RunFds run, std::vector<supervisor::IntentFd> new_intents) override;
  void rotate(std::vector<std::string> paths, Rotate how,
              std::function<void(Result<void>)> done) override;
  void stream_dropped(StreamId stream) override { dropped_.push_back(stream); }
  void floor_moved(const std::string&) override {}
  void max_disk_changed() override {}
  void reopen() override { ++reopened_; }
  std::vector<supervisor::LogStatus> status() const override { return status_; }
  void drained(RunId run, std::chrono::milliseconds, std::function<void()> done) override;
  void opened(std::function<void()> done) override;
  std::uint64_t wakeups() const override { return 0; }

  std::vector<supervisor::RunFds> runs_;
  std::vector<LogId> intents_;
  std::vector<Rotation> rotations_;
  std::vector<StreamId> dropped_;
  std::vector<RunId> drained_;
  bool drains_at_once_ = true;
  std::vector<std::function<void()>> draining_;  // Else: to be called by the test.
  bool opens_at_once_ = true;
  std::vector<std::function<void()>> opening_;  // Else, likewise.
  std::vector<supervisor::LogStatus> status_;
  std::optional<Error> rotate_error_;
  int reopened_ = 0;
};

}  // namespace pmx::test
