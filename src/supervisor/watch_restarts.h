// Restarts apps whose files have changed (`watch`): one watcher an app, whatever its instances are,
// while any of them is meant to run. All of them are restarted, once the changes have been quiet
// for watch_delay; of a directory that never is, after kMostWait. Changes during a restart lead to
// one more after it.
//
// An app that writes into what it watches would restart for ever. So when kStormRestarts in a row
// came within kStormWindow, each of a change within kSoon after a start, the next ones wait, twice
// as long each time up to kMostPause, and pmx.log says which file it is.
//
// Owns:    the watchers and their timers. Thread: control.
// Bounds:  TreeWatch's, an app; kMostPaths changed paths are told apart.
// What changes while no daemon lives is not seen.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/timers.h"
#include "base/watches.h"
#include "model/ids.h"
#include "supervisor/worker.h"

namespace pmx::supervisor {

class WatchRestarts {
 public:
  static constexpr std::chrono::milliseconds kLeastQuiet{100};
  static constexpr std::chrono::seconds kMostWait{5};
  static constexpr std::chrono::seconds kSoon{2}, kStormWindow{30};
  static constexpr std::size_t kStormRestarts = 5;
  static constexpr std::chrono::seconds kFirstPause{1}, kMostPause{60};
  static constexpr std::size_t kMostPaths = 1'000;
  struct Parts {
    Watches& watches;
    Timers& timers;
    const Clock& clock;
    std::string home;  // Its files never count.
    std::function<std::vector<const Worker*>()> workers;
    std::function<std::string(const WorkerRecord&)> pid_file;
    std::function<void(WorkerId, Worker::Done)> restart;
    std::function<void(const std::string&)> notice;
  };

  explicit WatchRestarts(Parts parts);
  ~WatchRestarts();
  WatchRestarts(const WatchRestarts&) = delete;
  WatchRestarts& operator=(const WatchRestarts&) = delete;

  void update();  // Workers, or what is wanted of them, have changed.

 private:
  struct App;
  using TimePoint = std::chrono::steady_clock::time_point;

  void watch(App& app, const AppSpec& spec);
  void note_own_files();
  bool is_own_file(const std::string& path) const;
  void changed(App& app, const std::string& path);
  TimePoint due_at(const App& app) const;
  void set_timer(App& app);
  void due(App& app);
  bool must_wait(App& app);
  void restart(App& app);
  void restarted(const AppKey& key, std::uint64_t number);
  bool started_just_now(const App& app) const;
  std::vector<const Worker*> workers_of(const App& app) const;

  Parts parts_;
  std::map<AppKey, std::unique_ptr<App>> apps_;
  std::uint64_t next_number_ = 1;
  // Of all workers: apps in one directory would restart each other by their logs.
  std::set<std::string> own_files_, own_directories_;
};

}  // namespace pmx::supervisor
