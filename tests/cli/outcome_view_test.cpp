#include "cli/outcome_view.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

Json answer(const char* json) { return *Json::parse(json); }

TEST(OutcomeViewTest, SaysWhatTheUserTypedAndWhomItMeant) {
  EXPECT_EQ(applied_line("stopProcessId", "all", answer(R"({"ids":[0,3],"names":["a","b"]})")),
            "Applying action stopProcessId on app [all](ids: [ 0, 3 ])");
  EXPECT_EQ(applied_line("stopProcessId", "3", answer(R"({"ids":[3],"names":["b"]})")),
            "Applying action stopProcessId on app [3](ids: [ '3' ])");
  EXPECT_EQ(applied_line("stopProcessId", "3", answer(R"({"ids":[3],"names":["3"]})")),
            "Applying action stopProcessId on app [3](ids: [ 3 ])");
  // As Node prints more than six.
  EXPECT_EQ(applied_line("x", "w", answer(R"({"ids":[0,1,2,3,4,5,6],"names":[]})")),
            "Applying action x on app [w](ids: [\n  0, 1, 2, 3,\n  4, 5, 6\n])");
}

TEST(OutcomeViewTest, HasALineForEachWorker) {
  EXPECT_EQ(worker_lines(answer(R"({"ids":[0,3],"names":["a","b"]})")),
            (std::vector<std::string>{"[a](0) ✓", "[b](3) ✓"}));
}

}  // namespace
}  // namespace pmx::cli
