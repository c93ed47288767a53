// `pmx run`: what the end of a worker, and being told to end, mean where the apps of one file are
// all there is, and whoever started us decides what follows.
//
//   a worker ends for good with code 0 -> when all have: end with 0
//   … with another code, by a signal, or cannot be started -> the others are stopped; end with that
//   told to end (the keeper has passed the signal on) -> nobody is started again; after the longest
//   kill_timeout SIGKILL, and the code is 128 and the signal's number
//
// The code is that of the first worker to fail. An app with cron_restart waits for its time and is
// never at its end.
//
// Thread: control.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/timers.h"
#include "supervisor/supervisor.h"

namespace pmx::api {

class Foreground {
 public:
  static constexpr int kCannotStart = 127;  // As a shell says it of a command that it cannot start.
  struct Parts {
    supervisor::Supervisor& workers;
    Timers& timers;
    std::function<void(const std::string&)> complain;  // For the user, who sees no pmx.log.
    std::function<void(int exit_code)> finish;
  };
  explicit Foreground(Parts parts) : parts_(std::move(parts)) {}
  ~Foreground() { parts_.timers.cancel(grace_timer_); }
  Foreground(const Foreground&) = delete;
  Foreground& operator=(const Foreground&) = delete;

  void run_ended(const supervisor::WorkerRecord& record);
  void look();                   // After a daemon's start: all may have ended before it.
  void told_to_end(int signal);  // Who asks twice does not want to wait.

 private:
  void worker_failed(const supervisor::WorkerRecord& record);

  Parts parts_;
  std::optional<int> code_;  // Of the first that failed.
  int end_signal_ = 0;       // 0: nobody has asked.
  bool killed_ = false;
  Timers::Id grace_timer_ = 0;
};

}  // namespace pmx::api
