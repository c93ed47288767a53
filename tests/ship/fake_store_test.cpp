// The fake's own rules: tests of the engine rest on them.
#include "support/fake_store.h"

#include <gtest/gtest.h>
#include <snappy.h>

#include "support/fake_clock.h"

namespace pmx::test {
namespace {

using std::chrono::milliseconds;

class FakeStoreTest : public testing::Test {
 protected:
  FakeStore::Id send(std::string body) {
    ship::HttpRequest request;
    request.url = "http://store/push";
    request.body = body;
    return store_.send(std::move(request), [this, body](const ship::HttpAnswer& answer) {
      notes_ += body + "=" + (answer.status != 0 ? std::to_string(answer.status) : answer.error);
      notes_ += answer.sent ? "(sent) " : " ";
    });
  }
  std::string run() {
    store_.run_pending();
    return std::exchange(notes_, "");
  }

  FakeStore store_;
  std::string notes_;
};

TEST_F(FakeStoreTest, AnswersInTheScriptsOrderAndThenAsOtherwise) {
  store_.answer(status(429)).times(2).then(no_answer("reset", Sent::kYes));
  for (const char* body : {"a", "b", "c", "d"}) send(body);
  EXPECT_EQ(notes_, "") << "never from within send()";
  EXPECT_EQ(run(), "a=429 b=429 c=reset(sent) d=204 ");
  EXPECT_FALSE(store_.run_pending());
  EXPECT_EQ(store_.bodies(), (std::vector<std::string>{"a", "b", "c", "d"}));
}

TEST_F(FakeStoreTest, HasNotReceivedWhatWasNeverSent) {
  store_.answer(no_answer("connect store:80: Connection refused", Sent::kNo));
  send("a");
  EXPECT_EQ(run(), "a=connect store:80: Connection refused ");
  EXPECT_TRUE(store_.received().empty());
}

TEST_F(FakeStoreTest, HoldsAnAnswerUntilItIsReleased) {
  store_.answer(ok().slow()).then(ok().slow());
  for (const char* body : {"a", "b", "c"}) send(body);
  EXPECT_EQ(run(), "c=204 ");
  store_.release_one(1);
  EXPECT_EQ(run(), "b=204 ");
  store_.release();
  EXPECT_EQ(run(), "a=204 ");
}

TEST_F(FakeStoreTest, DelaysAnAnswerByTheTestsClock) {
  FakeClock clock;
  store_.use_timers(clock);
  store_.answer(ok().after(milliseconds(50)));
  send("a");
  EXPECT_EQ(run(), "");
  clock.advance(milliseconds(49));
  EXPECT_EQ(run(), "");
  clock.advance(milliseconds(1));
  EXPECT_EQ(run(), "a=204 ");
}

TEST_F(FakeStoreTest, SaysNothingAboutWhatWasCancelled) {
  FakeClock clock;
  store_.use_timers(clock);
  store_.answer(ok().slow()).then(ok().after(milliseconds(1)));
  const auto held = send("a"), delayed = send("b");
  (void)run();
  const auto unseen = send("c");
  for (const auto id : {held, delayed, unseen, unseen + 1000}) store_.cancel(id);
  store_.release();
  clock.advance(milliseconds(1));
  EXPECT_EQ(run(), "");
  EXPECT_EQ(store_.in_flight(), 0U);
}

TEST_F(FakeStoreTest, DecodesWhatItReceives) {
  ship::HttpRequest request;
  request.headers = {{"Content-Type", "application/x-protobuf"}};
  snappy::Compress("hello", 5, &request.body);
  store_.send(request, [](const ship::HttpAnswer&) {});
  store_.run_pending();
  EXPECT_EQ(store_.last().body, "hello");
  EXPECT_EQ(store_.last().raw_body, request.body);
}

TEST_F(FakeStoreTest, AScriptMayAnswerByWhatItReceives) {
  store_.otherwise([](const FakeStore::Received& request) {
    return request.body == "bad" ? status(400, "bad line") : ok();
  });
  send("good");
  send("bad");
  EXPECT_EQ(run(), "good=204 bad=400 ");
}

}  // namespace
}  // namespace pmx::test
