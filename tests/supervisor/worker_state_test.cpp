#include "supervisor/worker_state.h"

#include <gtest/gtest.h>

namespace pmx::supervisor {
namespace {

TEST(WorkerStateTest, StopDuringAWaitForRestartCancelsIt) {
  const Transition& row = transition(WorkerState::kWaiting, WorkerEvent::kStop);
  EXPECT_EQ(row.to, WorkerState::kStopped);
  EXPECT_EQ(row.action, WorkerAction::kSettle);
}

TEST(WorkerStateTest, NoEndOfARunLeavesAWorkerOnline) {
  for (const auto event :
       {WorkerEvent::kEndedAgain, WorkerEvent::kEndedDone, WorkerEvent::kEndedBroken})
    for (const auto state : {WorkerState::kLaunching, WorkerState::kOnline, WorkerState::kStopping})
      EXPECT_NE(transition(state, event).to, WorkerState::kOnline);
}

TEST(WorkerStateTest, AnyEndWhileStoppingIsStopped) {
  for (const auto event :
       {WorkerEvent::kEndedAgain, WorkerEvent::kEndedDone, WorkerEvent::kEndedBroken})
    EXPECT_EQ(transition(WorkerState::kStopping, event).to, WorkerState::kStopped);
}

TEST(WorkerStateTest, OnlyReadyMakesAnUnreadyOneOnline) {
  for (std::size_t event = 0; event < kWorkerEvents; ++event) {
    const Transition& row = transition(WorkerState::kUnready, static_cast<WorkerEvent>(event));
    EXPECT_EQ(row.to == WorkerState::kOnline, row.event == WorkerEvent::kReady);
  }
  EXPECT_EQ(transition(WorkerState::kUnready, WorkerEvent::kReadyDue).to, WorkerState::kUnready);
  EXPECT_EQ(name_of(WorkerState::kUnready), "launching");
}

TEST(WorkerStateTest, ARowTooManyOrTooFewIsSeen) {
  auto rows = table::kTransitions;
  EXPECT_TRUE(one_row_per_pair(rows));
  rows[1] = rows[0];
  EXPECT_FALSE(one_row_per_pair(rows));
}

TEST(WorkerStateTest, SpeaksPm2sWords) {
  EXPECT_EQ(name_of(WorkerState::kWaiting), "waiting restart");
  EXPECT_EQ(name_of(WorkerState::kLaunching), "launching");
  EXPECT_EQ(name_of(WorkerState::kErrored), "errored");
}

}  // namespace
}  // namespace pmx::supervisor
