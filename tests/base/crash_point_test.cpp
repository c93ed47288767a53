#include "base/crash_point.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <set>

namespace pmx {
namespace {

void pass(CrashPoint point, int times) {
  for (int i = 0; i < times; ++i) crash_point(point);
}

TEST(CrashPointTest, EachPointHasANameOfItsOwn) {
  const std::set<std::string_view> names(kCrashPointNames.begin(), kCrashPointNames.end());
  EXPECT_EQ(names.size(), kCrashPointNames.size());
  EXPECT_EQ(kCrashPointNames[static_cast<std::size_t>(CrashPoint::kAfterSplice)], "after_splice");
  EXPECT_EQ(kCrashPointNames[static_cast<std::size_t>(CrashPoint::kRedoHalf)], "redo_half");
  EXPECT_EQ(kCrashPointNames[static_cast<std::size_t>(CrashPoint::kRecovered)], "recovered");
  EXPECT_EQ(kCrashPointNames[static_cast<std::size_t>(CrashPoint::kAfterRetire)], "after_retire");
}

TEST(CrashPointTest, AnUnarmedPointIsPassed) {
  pass(CrashPoint::kAfterSplice, 1000);
  EXPECT_FALSE(crash_due(CrashPoint::kDataHalf));
}

TEST(CrashPointDeathTest, DiesBySigkillAtTheGivenPass) {
  EXPECT_EXIT(
      {
        crash_points::arm("after_splice:3", 0);
        pass(CrashPoint::kAfterRecord, 5);
        pass(CrashPoint::kAfterSplice, 3);
        ::_exit(0);
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(
      {
        crash_points::arm("after_splice:3", 0);
        pass(CrashPoint::kAfterSplice, 2);
        ::_exit(7);
      },
      testing::ExitedWithCode(7), "");
}

TEST(CrashPointDeathTest, EachIncarnationHasItsOwnEntry) {
  const auto second_life = [](CrashPoint point) {
    crash_points::arm("after_splice:60,redo_half:1", 1);
    pass(point, 100);
    ::_exit(7);
  };
  EXPECT_EXIT(second_life(CrashPoint::kRedoHalf), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(second_life(CrashPoint::kAfterSplice), testing::ExitedWithCode(7), "");
}

TEST(CrashPointDeathTest, AnIncarnationBeyondTheListOrAnUnknownNameIsUnarmed) {
  const auto life = [](const char* spec, unsigned long incarnation) {
    crash_points::arm(spec, incarnation);
    pass(CrashPoint::kStart, 3);
    ::_exit(crash_points::armed ? 1 : 7);
  };
  EXPECT_EXIT(life("start:1", 1), testing::ExitedWithCode(7), "");
  EXPECT_EXIT(life("no_such_point:1", 0), testing::ExitedWithCode(7), "");
  EXPECT_EXIT(life("", 0), testing::ExitedWithCode(7), "");
}

TEST(CrashPointDeathTest, TellsTheCallerInTimeToDoHalfOfItsWork) {
  EXPECT_EXIT(
      {
        crash_points::arm("data_half:2", 0);
        const bool first = crash_due(CrashPoint::kDataHalf);
        const bool second = crash_due(CrashPoint::kDataHalf);
        const bool third = crash_due(CrashPoint::kDataHalf);
        ::_exit(!first && second && !third ? 7 : 1);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace pmx
