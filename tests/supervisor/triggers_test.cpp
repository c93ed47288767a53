#include "supervisor/triggers.h"

#include <gtest/gtest.h>

#include "support/fake_clock.h"

namespace pmx::supervisor {
namespace {

using namespace std::chrono_literals;

class TriggersTest : public testing::Test {
 protected:
  bool ask(const std::string& action, const std::vector<WorkerId>& workers) {
    return triggers_
        .expect(action, workers, 30s,
                [this](std::vector<Triggers::Reply> replies) {
                  for (const auto& reply : replies)
                    answers_ +=
                        std::to_string(reply.worker.value) + "=" +
                        (reply.trouble.empty() ? reply.returned ? reply.value.dump() : "undefined"
                                               : reply.trouble) +
                        " ";
                  answers_ += "| ";
                })
        .has_value();
  }
  static Json reply(const std::string& action, Json value) {
    return Json::object({{"return", std::move(value)}, {"action_name", action}});
  }
  test::FakeClock clock_;
  Triggers triggers_{clock_};
  std::string answers_;
};

TEST_F(TriggersTest, AnswersWhenAllHaveReplied) {
  ASSERT_TRUE(ask("gc", {WorkerId{1}, WorkerId{2}}));
  triggers_.replied(WorkerId{2}, reply("gc", "b"));
  EXPECT_EQ(answers_, "");
  triggers_.replied(WorkerId{1}, reply("gc", true));
  EXPECT_EQ(answers_, "1=true 2=\"b\" | ");
  clock_.advance(1min);
  EXPECT_EQ(answers_, "1=true 2=\"b\" | ");
}

TEST_F(TriggersTest, TellsActionsApartAndBelievesAReplyWithoutItsName) {
  ASSERT_TRUE(ask("a", {WorkerId{1}}));
  ASSERT_TRUE(ask("b", {WorkerId{1}}));
  triggers_.replied(WorkerId{1}, reply("b", 2));
  EXPECT_EQ(answers_, "1=2 | ");
  triggers_.replied(WorkerId{1}, Json::object({{"return", 1}}));
  EXPECT_EQ(answers_, "1=2 | 1=1 | ");
}

TEST_F(TriggersTest, AReplyThatReturnsNothingIsAReply) {
  ASSERT_TRUE(ask("a", {WorkerId{1}}));
  triggers_.replied(WorkerId{1}, Json::object({{"action_name", "a"}}));
  EXPECT_EQ(answers_, "1=undefined | ");
}

TEST_F(TriggersTest, WhoDoesNotReplyIsWaitedForAndThenNamed) {
  ASSERT_TRUE(ask("a", {WorkerId{1}, WorkerId{2}, WorkerId{3}}));
  triggers_.replied(WorkerId{1}, reply("a", 0));
  triggers_.failed(WorkerId{2}, "ended before it replied");
  clock_.advance(29s);
  EXPECT_EQ(answers_, "");
  clock_.advance(1s);
  EXPECT_EQ(answers_, "1=0 2=ended before it replied 3=has not replied in 30000 ms | ");
  triggers_.replied(WorkerId{3}, reply("a", 0));  // Too late.
  EXPECT_EQ(answers_, "1=0 2=ended before it replied 3=has not replied in 30000 ms | ");
}

TEST_F(TriggersTest, TooManyOpenQuestionsAreRefused) {
  for (std::size_t i = 0; i < Triggers::kMaxOpen; ++i) ASSERT_TRUE(ask("a", {WorkerId{1}}));
  EXPECT_FALSE(ask("a", {WorkerId{1}}));
  triggers_.replied(WorkerId{1}, reply("a", 0));
  EXPECT_TRUE(ask("a", {WorkerId{1}}));
}

}  // namespace
}  // namespace pmx::supervisor
