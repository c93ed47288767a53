// What is left of a worker's process tree when its own process has ended on request: the rest of
// its group, and who has left that. A stop is over when they have gone: `npm start` ends at once,
// and the server behind it when it has answered its clients.
//
// Owns:    what is left of each run, and the strays seen while it ran. Thread: control.
// Bounds:  kAfterKill past the grace of the last; one look each kLongestPause.
// Errors:  a process that cannot be signalled (another user's), or that even SIGKILL does not end,
//          is left after kAfterKill, and said.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "base/clock.h"
#include "base/timers.h"
#include "supervisor/keeper_link.h"
#include "supervisor/strays.h"

namespace pmx::supervisor {

class Sweeps {
 public:
  static constexpr std::chrono::milliseconds kFirstPause{5}, kLongestPause{50}, kAfterKill{1000};
  using Done = std::function<void(RunId)>;
  using Notice = std::function<void(const std::string&)>;

  Sweeps(Timers& timers, const Clock& clock, Strays::Reader processes, Notice notice, Done done)
      : timers_(timers),
        clock_(clock),
        notice_(std::move(notice)),
        done_(std::move(done)),
        strays_(clock, std::move(processes)) {}
  ~Sweeps();
  Sweeps(const Sweeps&) = delete;
  Sweeps& operator=(const Sweeps&) = delete;

  // Before a signal to the group of `leader`: as Strays::signal().
  void signal_strays(RunId run, pid_t leader, int signal) { strays_.signal(run, leader, signal); }
  // Its leader has ended. False: nobody is left. Else `done` is told when nobody is, from a timer;
  // whoever is there after `grace` gets SIGKILL.
  bool begin(const Child& leader, std::chrono::nanoseconds grace);
  bool any() const { return !sweeps_.empty(); }
  void kill_all();  // No more grace for anybody.

 private:
  struct Sweep {
    pid_t group = 0;
    std::chrono::steady_clock::time_point until;
    std::chrono::milliseconds pause{kFirstPause};
    Timers::Id timer = 0;
    bool killed = false;
  };
  bool is_left(RunId run, const Sweep& sweep) const;
  void look(RunId run);
  void kill(RunId run, Sweep& sweep);
  void look_later(RunId run, Sweep& sweep);

  Timers& timers_;
  const Clock& clock_;
  Notice notice_;
  Done done_;
  Strays strays_;
  std::map<RunId, Sweep> sweeps_;
};

}  // namespace pmx::supervisor
