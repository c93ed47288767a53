#include "supervisor/leaving_signal.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <string>

namespace pmx::supervisor {
namespace {

int of(const std::string& mask) {
  return leaving_signal("Name:\tapp\nSigIgn:\t0000000000004002\nSigCgt:\t" + mask +
                        "\nCapInh:\t0\n");
}

TEST(LeavingSignal, IsTheOneThatTheProgramHandles) {
  EXPECT_EQ(of("0000000000004002"), SIGTERM);
  EXPECT_EQ(of("0000000000004000"), SIGTERM);
  EXPECT_EQ(of("0000000000000002"), SIGINT);
}

TEST(LeavingSignal, IsSigtermWhereNothingIsKnown) {
  EXPECT_EQ(of("0000000000000000"), SIGTERM);
  EXPECT_EQ(of("nonsense"), SIGTERM);
  EXPECT_EQ(leaving_signal(""), SIGTERM);
}

}  // namespace
}  // namespace pmx::supervisor
