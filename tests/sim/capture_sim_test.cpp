// The capture side as a whole, from seeds. `./dev sim <seed>` replays one, step by step.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "sim/support/simulation.h"

namespace pmx::sim {
namespace {

constexpr std::uint64_t kTellingSeeds = 200;  // So many meet every crash point.
#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kSeeds = 40;  // Ten times slower, and looking for something else.
#else
constexpr std::uint64_t kSeeds = kTellingSeeds;
#endif

std::uint64_t seed_now = 0;

// An abort (PMX_CHECK, a sanitizer) must say of which seed it is, too.
void say_seed(int signal_number) {
  const std::string text = "\nsimulation of seed " + std::to_string(seed_now) +
                           ": replay with ./dev sim " + std::to_string(seed_now) + "\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
}

std::string run(std::uint64_t seed, Tally& tally, bool verbose) {
  seed_now = seed;
  Simulation simulation(seed, tally, verbose);
  if (verbose) std::cout << simulation.plan_text() << "\n";
  std::string failures;
  for (const std::string& problem : simulation.run()) failures += "\n  " + problem;
  if (failures.empty()) return "";
  return "seed " + std::to_string(seed) + ", replay with ./dev sim " + std::to_string(seed) + ":" +
         failures;
}

std::string summary(std::uint64_t seeds, const Tally& t) {
  return std::to_string(seeds) + " seeds, " + std::to_string(t.steps) + " steps, " +
         std::to_string(t.lines) + " lines, " + std::to_string(t.bytes >> 20U) + " MiB, " +
         std::to_string(t.deaths) + " deaths (" + std::to_string(t.double_deaths) + " of both), " +
         std::to_string(t.faults_met) + " faults met, " + std::to_string(t.user_acts) +
         " acts of users, " + std::to_string(t.packed) + " archives, " +
         std::to_string(t.dropped_bytes) + " bytes dropped, " + std::to_string(t.checks) +
         " checks\n";
}

std::string_view setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

TEST(CaptureSimTest, EveryLineIsRecordedOnceWhateverDies) {
  ::signal(SIGABRT, say_seed);
  ::signal(SIGSEGV, say_seed);
  Tally tally;
  if (const std::string_view wanted = setting("PMX_SIM_SEED"); !wanted.empty()) {
    std::uint64_t seed = 0;
    const auto parsed = std::from_chars(wanted.begin(), wanted.end(), seed);
    ASSERT_EQ(parsed.ptr, wanted.end()) << "PMX_SIM_SEED is no number";
    const std::string failure = run(seed, tally, true);
    std::cout << summary(1, tally);
    EXPECT_EQ(failure, "");
    return;
  }
  const std::uint64_t seeds = setting("PMX_TEST_FULL").empty() ? kSeeds : 3'000;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const std::string failure = run(seed, tally, false);
    ASSERT_EQ(failure, "");
  }
  std::cout << summary(seeds, tally);
  if (seeds < kTellingSeeds) return;
  EXPECT_EQ(points_never_met(tally), "");
  EXPECT_GT(tally.dropped_bytes, 0U);
}

}  // namespace
}  // namespace pmx::sim
