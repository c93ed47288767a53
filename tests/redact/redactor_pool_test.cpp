#include "redact/redactor_pool.h"

#include <gtest/gtest.h>

namespace pmx::redact {
namespace {

TEST(RedactorPoolTest, TheSameRulesAreCompiledOnce) {
  RedactorPool pool;
  const auto one = pool.get({true, {"a+"}, {}}).value();
  EXPECT_EQ(pool.get({true, {"a+"}, {}}).value(), one);
  EXPECT_NE(pool.get({false, {"a+"}, {}}).value(), one);
  EXPECT_NE(pool.get({true, {"a+"}, {"k"}}).value(), one);
}

TEST(RedactorPoolTest, KeepsNothingThatNobodyUses) {
  RedactorPool pool;
  std::weak_ptr<Redactor> used = pool.get({true, {}, {}}).value();
  EXPECT_TRUE(used.expired());
  EXPECT_NE(pool.get({true, {}, {}}).value(), nullptr);
}

TEST(RedactorPoolTest, NoRulesNeedNoRedactor) {
  RedactorPool pool;
  EXPECT_EQ(pool.get({}).value(), nullptr);
}

TEST(RedactorPoolTest, AWrongPatternIsAnErrorEachTime) {
  RedactorPool pool;
  EXPECT_FALSE(pool.get({false, {"("}, {}}));
  EXPECT_FALSE(pool.get({false, {"("}, {}}));
}

}  // namespace
}  // namespace pmx::redact
