// What a store may have, sent again: not before it knows a repeat for one.
#include <gtest/gtest.h>

#include "ship/lane_fixture.h"

namespace pmx::ship {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::no_answer;
using test::ok;
using test::Sent;
using test::status;

class LaneResendTest : public LaneFixture {
 protected:
  LaneResendTest() { sink_.set_asks_first(); }
  // One line is sent, and the store goes away with it.
  void lost_on_the_way() {
    store_.answer(no_answer("reset", Sent::kYes));
    out("a\n");
    lane();
    run();
    ASSERT_EQ(said(), "POST");
  }
  // What the store was asked, and sent, since the last call. It does not see what it refuses.
  std::string said() {
    std::string all;
    for (const auto& received : store_.received())
      all += (all.empty() ? "" : " ") + received.method;
    store_.forget();
    return all;
  }
  // The longest pause after a failure (lane.h) is over.
  void next_try() { lane_->retry_now(), run(); }
};

TEST_F(LaneResendTest, WaitsWhileTheStoreSaysThatItIsStarting) {
  lost_on_the_way();
  store_.answer(no_answer("refused", Sent::kNo)).then(status(503, "starting"));
  next_try();
  next_try();
  EXPECT_EQ(said(), "GET");
  store_.answer(status(503, "starting")).then(status(200, "ready"));
  pass(seconds(1));
  EXPECT_EQ(said(), "GET");
  pass(seconds(1));
  EXPECT_EQ(said(), "GET POST");
  EXPECT_EQ(tally().delivered, 1U);
}

TEST_F(LaneResendTest, AStoreThatIsBackAndDoesNotSayHowLongHasToAnswerForAWhile) {
  for (const auto& answer : {status(200, "ready"), status(404)}) {
    lost_on_the_way();
    store_.answer(answer).then(answer);
    next_try();
    EXPECT_EQ(said(), "GET");
    pass(milliseconds(14'900));
    EXPECT_EQ(said(), "");
    pass(milliseconds(100));
    EXPECT_EQ(said(), "GET POST");
  }
}

TEST_F(LaneResendTest, AStoreThatGoesAwayAgainHasToAnswerForAsLongAgain) {
  lost_on_the_way();
  store_.answer(status(404)).then(no_answer("refused", Sent::kNo)).then(status(404));
  next_try();
  pass(seconds(15));
  next_try();
  EXPECT_EQ(said(), "GET GET");
  store_.answer(status(404));
  pass(milliseconds(14'900));
  EXPECT_EQ(said(), "");
  pass(milliseconds(100));
  EXPECT_EQ(said(), "GET POST");
}

TEST_F(LaneResendTest, WhoAnswersQuestionsWithErrorsOnlyIsNotAskedForEver) {
  lost_on_the_way();
  store_.otherwise([](const auto& request) { return status(request.method == "GET" ? 502 : 204); });
  for (int second = 0; second < 119; ++second) pass(seconds(1));
  EXPECT_EQ(said().find("POST"), std::string::npos);
  for (int second = 0; second < 120; ++second) pass(seconds(1));
  EXPECT_NE(said().find("POST"), std::string::npos);
  EXPECT_EQ(tally().delivered, 1U);
}

TEST_F(LaneResendTest, WhatHasNotLeftIsSentAtOnce) {
  store_.answer(no_answer("refused", Sent::kNo));
  out("a\n");
  lane();
  run();
  next_try();
  EXPECT_EQ(said(), "POST");
}

TEST_F(LaneResendTest, AfterAnErrorOfTheStoreItIsAskedAndNotWaitedFor) {
  store_.answer(status(500)).then(status(200, "ready"));
  out("a\n");
  lane();
  run();
  next_try();
  EXPECT_EQ(said(), "POST GET POST");
}

TEST_F(LaneResendTest, WhatMayBeThereStaysSoWhateverIsAnsweredLater) {
  lost_on_the_way();
  store_.answer(status(404)).then(status(404)).then(status(429));
  next_try();
  pass(seconds(15));
  EXPECT_EQ(said(), "GET GET POST");
  store_.answer(no_answer("refused", Sent::kNo)).then(status(404));
  next_try();
  next_try();
  EXPECT_EQ(said(), "GET");
}

TEST_F(LaneResendTest, TheNextDaemonAsksAndGoesOnAtOnceWhereTheStoreIsReady) {
  store_.answer(ok().slow());
  out("a\n");
  lane();
  run();
  kill();
  store_.answer(status(200, "ready"));
  lane();
  run();
  EXPECT_EQ(said(), "POST GET POST");
  EXPECT_EQ(tally().delivered, 1U);
}

TEST_F(LaneResendTest, ADaemonThatDiesWhileItAsksLosesNothing) {
  lost_on_the_way();
  store_.answer(status(200, "ready").slow());
  next_try();
  kill();
  store_.answer(status(200, "ready"));
  lane();
  run();
  EXPECT_EQ(said(), "GET GET POST");
  EXPECT_EQ(tally().delivered, 1U);
}

TEST_F(LaneResendTest, WhatIsNewIsSentWithoutAQuestion) {
  lost_on_the_way();
  store_.answer(status(404)).then(status(404));
  next_try();
  pass(seconds(15));
  out("b\n");
  tell(true);
  run();
  EXPECT_EQ(said(), "GET GET POST POST");
  EXPECT_EQ(tally().delivered, 2U);
}

}  // namespace
}  // namespace pmx::ship
