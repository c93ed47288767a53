#include "supervisor/health_check.h"

#include <gmock/gmock.h>

#include <array>
#include <deque>
#include <optional>

#include "base/sys.h"
#include "support/fake_clock.h"
#include "support/fake_watches.h"

namespace pmx::test {
namespace {

using namespace std::chrono_literals;
using supervisor::HealthCheck;
using testing::HasSubstr;

// The worker is the other end of a socket pair: it answers what the test says.
class HealthCheckTest : public testing::Test {
 protected:
  void ask(const std::string& expect = "200") {
    HealthRule rule;
    rule.path = "/health";
    rule.expect = expect;
    check_ = std::make_unique<HealthCheck>(
        HealthCheck::Parts{watches_, clock_,
                           [this]() -> Result<Fd> {
                             ++asked_;
                             if (!connects_) return Error(Errc::kUnavailable, "it listens nowhere");
                             auto pair = std::move(sys::stream_pair()).value();
                             worker_ = std::move(pair.second);
                             return std::move(pair.first);
                           }},
        rule, 1s, [this](const Result<void>& result) {
          said_ = result ? "well" : result.error().message();
          check_.reset();
        });
    clock_.run_due();
  }
  std::string request() {
    std::array<char, 4096> bytes{};
    const auto got = sys::receive(worker_.get(), bytes);
    return got ? std::string(bytes.data(), *got) : "";
  }
  void sends(const std::string& bytes) {
    EXPECT_TRUE(sys::send_bytes(worker_.get(), bytes));
    watches_.changed();
  }
  void answers(int status, const std::string& body = "") {
    sends("HTTP/1.1 " + std::to_string(status) +
          " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  void hangs_up() {
    worker_ = Fd();
    watches_.changed();
  }

  FakeClock clock_;
  FakeWatches watches_;
  Fd worker_;
  bool connects_ = true;
  int asked_ = 0;
  std::string said_;
  std::unique_ptr<HealthCheck> check_;
};

TEST_F(HealthCheckTest, IsWellWithTheStatusThatIsExpected) {
  ask();
  EXPECT_THAT(request(), HasSubstr("GET /health HTTP/1.1\r\nHost: localhost\r\n"));
  EXPECT_EQ(said_, "");
  answers(200);
  EXPECT_EQ(said_, "well");
  EXPECT_EQ(watches_.count(), 0U);
  EXPECT_EQ(clock_.waiting(), 0U);
}

TEST_F(HealthCheckTest, NeedsNoMoreOfAnAnswerThanItsStatus) {
  ask("302");
  sends("HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n");
  EXPECT_EQ(said_, "well");
}

TEST_F(HealthCheckTest, AsksAgainUntilTheAnswerIsRight) {
  ask();
  answers(503);
  EXPECT_EQ(said_, "");
  clock_.advance(HealthCheck::kPause);
  EXPECT_EQ(asked_, 2);
  hangs_up();
  clock_.advance(HealthCheck::kPause);
  answers(200);
  EXPECT_EQ(said_, "well");
}

TEST_F(HealthCheckTest, TellsWhatWasAnsweredLastWhenItsTimeIsOver) {
  ask();
  answers(503, "no database");
  clock_.advance(1s);
  EXPECT_EQ(said_, "answers GET /health with 503, not 200 (health, asked for 1000 ms)");
  EXPECT_EQ(watches_.count(), 0U);
}

TEST_F(HealthCheckTest, OneThatSaysNothingIsNotWell) {
  ask();
  clock_.advance(1s);
  EXPECT_EQ(said_, "gives no answer to GET /health (health, asked for 1000 ms)");
  EXPECT_EQ(asked_, 1);
}

TEST_F(HealthCheckTest, OneThatCannotBeAskedIsNotWell) {
  connects_ = false;
  ask();
  clock_.advance(1s);
  EXPECT_THAT(said_, HasSubstr("cannot be asked GET /health: it listens nowhere"));
}

TEST_F(HealthCheckTest, TellsOfOneThatSpeaksNoHttpOrHangsUp) {
  ask();
  hangs_up();
  clock_.advance(1s);
  EXPECT_THAT(said_, HasSubstr("closes the connection on GET /health, sent without TLS"));
  ask();
  sends("SSH-2.0-x\r\n");
  clock_.advance(1s);
  EXPECT_THAT(said_, HasSubstr("answers GET /health with what is no HTTP"));
}

TEST_F(HealthCheckTest, TextIsLookedForInTheBodyOfAGoodStatus) {
  ask("\"db\":\"up\"");
  answers(500, R"({"db":"up"})");
  clock_.advance(HealthCheck::kPause);
  answers(200, R"({"db":"down"})");
  clock_.advance(HealthCheck::kPause);
  sends("HTTP/1.1 200 OK\r\n\r\n{\"db\":\"");
  EXPECT_EQ(said_, "");
  sends("up\"}");
  EXPECT_EQ(said_, "well");
}

TEST_F(HealthCheckTest, APatternIsLookedForInTheBody) {
  ask("/ready: (yes|soon)/");
  answers(200, "ready: no");
  clock_.advance(HealthCheck::kPause);
  answers(200, "ready: soon");
  EXPECT_EQ(said_, "well");
  said_.clear();
  ask("/^x$/");
  answers(200, "y");
  clock_.advance(1s);
  EXPECT_THAT(said_, HasSubstr("answers GET /health with 200 and without /^x$/"));
}

TEST_F(HealthCheckTest, OfABodyWithoutEndIsReadNoMoreThanItsBound) {
  ask("never");
  sends("HTTP/1.1 200 OK\r\n\r\n");
  const std::string much(8192, 'x');
  for (std::size_t sent = 0; worker_ && sent < 2 * HealthCheck::kMostBytes && watches_.count() > 0;
       sent += much.size())
    sends(much);
  EXPECT_EQ(watches_.count(), 0U);
  clock_.advance(HealthCheck::kPause);
  EXPECT_EQ(asked_, 2);
}

TEST_F(HealthCheckTest, LeavesNothingBehindWhenItIsGivenUp) {
  ask();
  check_.reset();
  EXPECT_EQ(watches_.count(), 0U);
  EXPECT_EQ(clock_.waiting(), 0U);
}

}  // namespace
}  // namespace pmx::test
