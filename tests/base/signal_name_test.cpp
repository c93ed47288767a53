#include "base/signal_name.h"

#include <gtest/gtest.h>

#include <csignal>

namespace pmx {
namespace {

TEST(SignalNameTest, NamesAndNumbersLeadToEachOther) {
  EXPECT_EQ(signal_number("SIGTERM"), SIGTERM);
  EXPECT_EQ(signal_name(SIGTERM), "SIGTERM");
  for (int number = 1; number < 32; ++number) EXPECT_EQ(signal_number(signal_name(number)), number);
}

TEST(SignalNameTest, OtherNamesOfASignalAreKnown) {
  EXPECT_EQ(signal_number("SIGIOT"), SIGABRT);
  EXPECT_EQ(signal_number("SIGIO"), SIGIO);
}

TEST(SignalNameTest, WhatIsNoNameIsNone) {
  for (const char* name : {"", "SIG", "TERM", "sigterm", "15", "SIGNONE"})
    EXPECT_FALSE(signal_number(name)) << name;
}

TEST(SignalNameTest, ANumberWithoutANameIsWrittenAsOne) { EXPECT_EQ(signal_name(64), "64"); }

}  // namespace
}  // namespace pmx
