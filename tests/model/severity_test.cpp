#include "model/severity.h"

#include <gtest/gtest.h>

namespace pmx {
namespace {

TEST(SeverityTest, ReadsItsOwnNames) {
  for (const Severity severity : {Severity::kTrace, Severity::kDebug, Severity::kInfo,
                                  Severity::kWarn, Severity::kError, Severity::kFatal})
    EXPECT_EQ(parse_severity(name_of(severity)), severity);
}

TEST(SeverityTest, ReadsWhatUsersAndLoggersWriteInAnyCase) {
  EXPECT_EQ(parse_severity("WARNING"), Severity::kWarn);
  EXPECT_EQ(parse_severity("Err"), Severity::kError);
  EXPECT_EQ(parse_severity("critical"), Severity::kFatal);
  EXPECT_EQ(parse_severity("Verbose"), Severity::kDebug);
  EXPECT_EQ(parse_severity("information"), Severity::kInfo);
}

TEST(SeverityTest, AnyOtherWordIsNoLevel) {
  for (const std::string_view text :
       {"", "w", "warned", "errors", " warn", "gold", "a very long word"})
    EXPECT_EQ(parse_severity(text), std::nullopt) << text;
}

TEST(SeverityTest, CountsTraceAsDebugAndLeavesInfoToTheRest) {
  SeverityCounts counts;
  for (const Severity severity : {Severity::kTrace, Severity::kDebug, Severity::kInfo,
                                  Severity::kWarn, Severity::kError, Severity::kFatal})
    counts.add(severity);
  EXPECT_EQ(counts,
            (SeverityCounts{.debug = 2, .warn = 1, .error = 1, .fatal = 1, .unreadable = 0}));
}

}  // namespace
}  // namespace pmx
