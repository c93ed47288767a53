#include "config/nearest.h"

#include <gtest/gtest.h>

#include <array>

namespace pmx::config {
namespace {

constexpr std::array<std::string_view, 4> kKnown{"start", "restart", "reset", "list"};

TEST(NearestNameTest, FindsAWordWithSwappedLetters) {
  EXPECT_EQ(nearest_name("lsit", kKnown), "list");
  EXPECT_EQ(nearest_name("restrat", kKnown), "restart");
}

TEST(NearestNameTest, HasNoGuessWhereNothingIsNear) {
  EXPECT_EQ(nearest_name("deploy", kKnown), std::nullopt);
  EXPECT_EQ(nearest_name("", kKnown), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(1000, 'x'), kKnown), std::nullopt);
}

TEST(NearestNameTest, MakesAQuestionOrNothing) {
  EXPECT_EQ(suggestion("strat", kKnown), " (did you mean \"start\"?)");
  EXPECT_EQ(suggestion("zzzzzz", kKnown), "");
}

}  // namespace
}  // namespace pmx::config
