// One run of the whole capture side from a seed, in one thread: workers, pipes, the daemon's lives,
// the keeper that holds what outlives them, a user, a disk.
//
// Chance decides a plan first (which workers, logs, settings and troubles), then each step.
#pragma once

#include <array>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/crash_point.h"
#include "sim/support/checker.h"
#include "sim/support/daemon.h"
#include "sim/support/dice.h"
#include "sim/support/held.h"
#include "sim/support/log_under_test.h"
#include "support/fake_clock.h"
#include "support/fault_fs.h"
#include "support/temp_dir.h"

namespace pmx::sim {

// What happened in runs, so that a simulation that tests nothing is seen.
struct Tally {
  std::uint64_t steps = 0, lines = 0, bytes = 0, deaths = 0, double_deaths = 0, faults_met = 0,
                user_acts = 0, packed = 0, dropped_bytes = 0, checks = 0;
  std::array<std::uint64_t, static_cast<std::size_t>(CrashPoint::kCount)> deaths_at{};
};

std::string points_never_met(const Tally& tally);  // Of the capture side; "": died at each.

class Simulation {
 public:
  Simulation(std::uint64_t seed, Tally& tally, bool verbose);
  ~Simulation();
  std::vector<std::string> run();  // What was broken; empty: nothing.
  std::string plan_text() const;

 private:
  struct Slot {  // One output of one worker; run after run feeds the same logs.
    WorkerId worker;
    StreamKind kind;
    PrintStyle style;
    std::vector<LogUnderTest*> logs;
    HeldStream* now = nullptr;
  };

  // simulation_plan.cpp
  void plan();
  LogUnderTest& plan_log(const std::string& name, bool merged);
  LogSpec settings(const std::string& name, bool merged);
  void style(Slot& slot);
  void plan_redaction();

  // simulation.cpp
  void step();
  void print(Slot& slot);
  void write(HeldStream& held);
  void begin_run(Slot& slot);
  void close_run(Slot& slot);
  bool is_alone(HeldStream& held);
  void daemon_step();
  void commit_all();
  void note_made_room();
  void drop_ended();
  void start_daemon();
  void kill_daemon();
  void kill_both();
  void plan_death();
  void arm(CrashPoint point, std::uint64_t pass);
  void trouble();
  void user();
  void pack(supervisor::Log& log);
  void check(bool all_told);
  void check_held();
  void check_bounds(const LogUnderTest& log);
  void finish();
  void say(const std::string& text) const;
  bool broken() const { return !problems_.empty(); }

  Dice dice_;
  Tally& tally_;
  const bool verbose_;
  test::TempDir home_;
  test::FaultFs fs_;
  RealFs real_fs_;  // The user's, and ours to look.
  test::FakeClock clock_;
  // The plan.
  bool deaths_ = true, double_deaths_ = false, power_cuts_ = false, disk_troubles_ = false,
       user_acts_ = false, clock_steps_ = false, flood_ = false, full_disk_ = false;
  std::uint64_t steps_ = 0;
  std::list<LogUnderTest> logs_;
  std::vector<Slot> slots_;
  // The keeper's.
  std::list<HeldStream> held_;
  std::map<LogId, Fd> intents_;
  std::uint64_t last_run_ = 1000;

  std::unique_ptr<Daemon> daemon_;
  std::string armed_;  // The point at which the daemon is to die.
  Checker checker_;
  std::vector<std::string> problems_;
  std::uint64_t step_ = 0;
};

}  // namespace pmx::sim
