// What a worker is doing, what can happen to it, and what follows: one table, complete by the
// compiler's word. Whether an end leads to a restart is not decided here but by restart_policy.h,
// whose verdict arrives as one of the three kEnded events.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pmx::supervisor {

enum class WorkerState : std::uint8_t {
  kStopped,
  kLaunching,  // Handed to the keeper, not yet exec'd.
  kUnready,    // Runs, and has not said yet that it is ready (wait_ready).
  kOnline,
  kStopping,  // Told to stop; SIGKILL follows at kill_timeout.
  kWaiting,   // Ended; will be started again after a delay.
  kErrored,   // Given up: too many unstable restarts, or it cannot be started at all.
};

enum class WorkerEvent : std::uint8_t {
  kStart,           // Asked to run.
  kRunning,         // The keeper: exec has happened.
  kRunningUnready,  // The same, of an app that will say when it is ready.
  kReady,           // It has said so.
  kReadyDue,        // listen_timeout has passed.
  kEndedAgain,      // It ended, or did not start, and policy wants it again.
  kEndedDone,       // It ended and shall not run again.
  kEndedBroken,     // It ended, or did not start, and trying again is pointless.
  kStop,            // Asked to stop.
  kKillDue,         // kill_timeout has passed.
  kRestartDue,      // The delay of kWaiting has passed.
  kLetGo,           // Its run leaves by itself, and nobody follows it.
};

enum class WorkerAction : std::uint8_t {
  kIgnore,
  kLaunch,      // With a clean record of restarts: somebody asked for it.
  kRelaunch,    // Counts a restart.
  kAwaitReady,  // Set the timer of listen_timeout.
  kMarkLate,    // Whoever waits for it is told; it goes on, and may still get ready.
  kMarkOnline,
  kTerminate,  // kill_signal to the group, and the kill timer.
  kKill,       // SIGKILL to the group.
  kWait,       // Set the restart timer.
  kSettle,     // Nothing more to do in this state.
};

struct Transition {
  WorkerState from;
  WorkerEvent event;
  WorkerState to;
  WorkerAction action;
};

namespace table {
using enum WorkerState;
using enum WorkerEvent;
using enum WorkerAction;

inline constexpr std::array kTransitions{
    Transition{kStopped, kStart, kLaunching, kLaunch},
    Transition{kStopped, kRunning, kStopped, kIgnore},
    Transition{kStopped, kRunningUnready, kStopped, kIgnore},
    Transition{kStopped, kReady, kStopped, kIgnore},
    Transition{kStopped, kReadyDue, kStopped, kIgnore},
    Transition{kStopped, kEndedAgain, kStopped, kIgnore},
    Transition{kStopped, kEndedDone, kStopped, kIgnore},
    Transition{kStopped, kEndedBroken, kStopped, kIgnore},
    Transition{kStopped, kStop, kStopped, kSettle},
    Transition{kStopped, kKillDue, kStopped, kIgnore},
    Transition{kStopped, kRestartDue, kStopped, kIgnore},
    Transition{kStopped, kLetGo, kStopped, kIgnore},

    Transition{kLaunching, kStart, kLaunching, kIgnore},
    Transition{kLaunching, kRunning, kOnline, kMarkOnline},
    Transition{kLaunching, kRunningUnready, kUnready, kAwaitReady},
    Transition{kLaunching, kReady, kLaunching, kIgnore},
    Transition{kLaunching, kReadyDue, kLaunching, kIgnore},
    Transition{kLaunching, kEndedAgain, kWaiting, kWait},
    Transition{kLaunching, kEndedDone, kStopped, kSettle},
    Transition{kLaunching, kEndedBroken, kErrored, kSettle},
    Transition{kLaunching, kStop, kStopping, kTerminate},
    Transition{kLaunching, kKillDue, kLaunching, kIgnore},
    Transition{kLaunching, kRestartDue, kLaunching, kIgnore},
    Transition{kLaunching, kLetGo, kLaunching, kIgnore},

    Transition{kUnready, kStart, kUnready, kIgnore},
    Transition{kUnready, kRunning, kUnready, kIgnore},
    Transition{kUnready, kRunningUnready, kUnready, kIgnore},
    Transition{kUnready, kReady, kOnline, kMarkOnline},
    Transition{kUnready, kReadyDue, kUnready, kMarkLate},
    Transition{kUnready, kEndedAgain, kWaiting, kWait},
    Transition{kUnready, kEndedDone, kStopped, kSettle},
    Transition{kUnready, kEndedBroken, kErrored, kSettle},
    Transition{kUnready, kStop, kStopping, kTerminate},
    Transition{kUnready, kKillDue, kUnready, kIgnore},
    Transition{kUnready, kRestartDue, kUnready, kIgnore},
    Transition{kUnready, kLetGo, kUnready, kIgnore},

    Transition{kOnline, kStart, kOnline, kSettle},
    Transition{kOnline, kRunning, kOnline, kIgnore},
    Transition{kOnline, kRunningUnready, kOnline, kIgnore},
    Transition{kOnline, kReady, kOnline, kIgnore},
    Transition{kOnline, kReadyDue, kOnline, kIgnore},
    Transition{kOnline, kEndedAgain, kWaiting, kWait},
    Transition{kOnline, kEndedDone, kStopped, kSettle},
    Transition{kOnline, kEndedBroken, kErrored, kSettle},
    Transition{kOnline, kStop, kStopping, kTerminate},
    Transition{kOnline, kKillDue, kOnline, kIgnore},
    Transition{kOnline, kRestartDue, kOnline, kIgnore},
    Transition{kOnline, kLetGo, kStopped, kSettle},

    Transition{kStopping, kStart, kStopping, kIgnore},
    // Told before its exec: the keeper link kept the signal and sends it now.
    Transition{kStopping, kRunning, kStopping, kIgnore},
    Transition{kStopping, kRunningUnready, kStopping, kIgnore},
    Transition{kStopping, kReady, kStopping, kIgnore},
    Transition{kStopping, kReadyDue, kStopping, kIgnore},
    Transition{kStopping, kEndedAgain, kStopped, kSettle},
    Transition{kStopping, kEndedDone, kStopped, kSettle},
    Transition{kStopping, kEndedBroken, kStopped, kSettle},
    Transition{kStopping, kStop, kStopping, kIgnore},
    Transition{kStopping, kKillDue, kStopping, kKill},
    Transition{kStopping, kRestartDue, kStopping, kIgnore},
    Transition{kStopping, kLetGo, kStopping, kIgnore},

    Transition{kWaiting, kStart, kLaunching, kLaunch},
    Transition{kWaiting, kRunning, kWaiting, kIgnore},
    Transition{kWaiting, kRunningUnready, kWaiting, kIgnore},
    Transition{kWaiting, kReady, kWaiting, kIgnore},
    Transition{kWaiting, kReadyDue, kWaiting, kIgnore},
    Transition{kWaiting, kEndedAgain, kWaiting, kIgnore},
    Transition{kWaiting, kEndedDone, kWaiting, kIgnore},
    Transition{kWaiting, kEndedBroken, kWaiting, kIgnore},
    Transition{kWaiting, kStop, kStopped, kSettle},
    Transition{kWaiting, kKillDue, kWaiting, kIgnore},
    Transition{kWaiting, kRestartDue, kLaunching, kRelaunch},
    Transition{kWaiting, kLetGo, kWaiting, kIgnore},

    Transition{kErrored, kStart, kLaunching, kLaunch},
    Transition{kErrored, kRunning, kErrored, kIgnore},
    Transition{kErrored, kRunningUnready, kErrored, kIgnore},
    Transition{kErrored, kReady, kErrored, kIgnore},
    Transition{kErrored, kReadyDue, kErrored, kIgnore},
    Transition{kErrored, kEndedAgain, kErrored, kIgnore},
    Transition{kErrored, kEndedDone, kErrored, kIgnore},
    Transition{kErrored, kEndedBroken, kErrored, kIgnore},
    Transition{kErrored, kStop, kStopped, kSettle},
    Transition{kErrored, kKillDue, kErrored, kIgnore},
    Transition{kErrored, kRestartDue, kErrored, kIgnore},
    Transition{kErrored, kLetGo, kErrored, kIgnore},
};
}  // namespace table

inline constexpr std::size_t kWorkerStates = static_cast<std::size_t>(WorkerState::kErrored) + 1;
inline constexpr std::size_t kWorkerEvents = static_cast<std::size_t>(WorkerEvent::kLetGo) + 1;

template <std::size_t N>
constexpr bool one_row_per_pair(const std::array<Transition, N>& rows) {
  std::array<std::array<int, kWorkerEvents>, kWorkerStates> seen{};
  for (const Transition& row : rows)
    ++seen[static_cast<std::size_t>(row.from)][static_cast<std::size_t>(row.event)];
  for (const auto& events : seen)
    for (const int count : events)
      if (count != 1) return false;
  return true;
}
static_assert(one_row_per_pair(table::kTransitions));

constexpr const Transition& transition(WorkerState from, WorkerEvent event) {
  for (const Transition& row : table::kTransitions)
    if (row.from == from && row.event == event) return row;
  return table::kTransitions.front();  // Not reached: the assertion above.
}

// PM2's words: scripts compare them. Two states have one: who reads it back gets the first.
inline constexpr std::array<std::string_view, kWorkerStates> kStateNames{
    "stopped", "launching", "launching", "online", "stopping", "waiting restart", "errored"};
static_assert(!kStateNames.back().empty());
constexpr std::string_view name_of(WorkerState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

// It has a run, or one is on its way.
constexpr bool has_run(WorkerState state) {
  return state == WorkerState::kLaunching || state == WorkerState::kUnready ||
         state == WorkerState::kOnline || state == WorkerState::kStopping;
}

}  // namespace pmx::supervisor
