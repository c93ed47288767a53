#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

#include "base/check.h"

namespace pmx {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return invalid(std::to_string(n) + " is odd");
  return n / 2;
}
Result<std::string> quarter(int n) {
  const int once = PMX_TRY(half(n));
  const int twice = PMX_TRY_WITHIN("second half", half(once));
  return std::to_string(twice);
}
Result<void> only_even(int n) {
  PMX_TRY(half(n));
  return {};
}

TEST(ResultTest, HandsTheValueOn) {
  EXPECT_EQ(quarter(12).value(), "3");
  EXPECT_TRUE(only_even(2));
}

TEST(ResultTest, LeavesAtTheFirstErrorAndKeepsItsCode) {
  const auto failed = quarter(3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::kInvalidArgument);
  EXPECT_EQ(failed.error().message(), "3 is odd");
  EXPECT_FALSE(only_even(1));
}

TEST(ResultTest, SaysWhatWasBeingDone) {
  EXPECT_EQ(quarter(6).error().message(), "second half: 3 is odd");
}

TEST(ResultTest, CarriesWhatCanOnlyBeMoved) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const auto take = [&]() -> Result<int> {
    const std::unique_ptr<int> owned = PMX_TRY(make());
    return *owned;
  };
  EXPECT_EQ(take().value(), 7);
}

TEST(ResultTest, GivesAnotherValueWhereThereIsNone) {
  EXPECT_EQ(half(3).value_or(-1), -1);
  EXPECT_EQ(half(4).value_or(-1), 2);
}

TEST(ResultTest, ASystemErrorNamesCallObjectAndReason) {
  const Error error = system_error(ENOSPC, "write", "/var/log/a.log");
  EXPECT_EQ(error.message(), "write /var/log/a.log: No space left on device");
  EXPECT_EQ(error.sys_errno(), ENOSPC);
  EXPECT_EQ(system_error(EAGAIN, "splice").message(), "splice: Resource temporarily unavailable");
}

TEST(ResultTest, ErrorsAreSortedByWhatCanBeDoneAboutThem) {
  EXPECT_EQ(system_error(ENOSPC, "x").code(), Errc::kNoSpace);
  EXPECT_EQ(system_error(EDQUOT, "x").code(), Errc::kNoSpace);
  EXPECT_EQ(system_error(EMFILE, "x").code(), Errc::kUnavailable);
  EXPECT_EQ(system_error(ENOENT, "x").code(), Errc::kNotFound);
  EXPECT_EQ(system_error(EEXIST, "x").code(), Errc::kExists);
  EXPECT_EQ(system_error(EACCES, "x").code(), Errc::kIo);
  EXPECT_TRUE(retryable(system_error(EAGAIN, "x")));
  EXPECT_TRUE(retryable(system_error(ENOSPC, "x")));
  EXPECT_FALSE(retryable(system_error(EIO, "x")));
  EXPECT_FALSE(retryable(invalid("x")));
}

TEST(CheckDeathTest, AMistakeOfOursEndsTheProcessAndSaysWhere) {
  EXPECT_DEATH(PMX_CHECK(1 + 1 == 3),
               "internal error: 1 \\+ 1 == 3 does not hold at .*result_test.cpp");
}

}  // namespace
}  // namespace pmx
