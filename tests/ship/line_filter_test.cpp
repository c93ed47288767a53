#include "ship/line_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pmx::ship {
namespace {

using Answer = EventFilter::Answer;
constexpr std::int64_t kSecond = 1'000'000'000;

class EventFilterTest : public ::testing::Test {
 protected:
  EventFilterTest() {
    api_.app = "api";
    api_.log = {11};
    web_.app = "web";
    web_.log = {22};
  }
  void use(const SinkFilter& rules) {
    auto made = EventFilter::create(rules);
    ASSERT_TRUE(made) << made.error().message();
    filter_ = std::move(made).value();
  }
  Event event(std::string_view text, Severity severity = Severity::kInfo) {
    text_ = std::string(text) + std::string(64, '\0');
    Event made;
    made.text = std::string_view(text_).substr(0, text.size());
    made.severity = severity;
    made.origin = &api_;
    made.seq = next_seq_++;
    made.time_ns = 100 * kSecond;
    return made;
  }
  Answer ask(const Event& event) { return filter_->ask(event, json_); }
  Answer ask(std::string_view text, Severity severity = Severity::kInfo) {
    return ask(event(text, severity));
  }
  Answer ask_at(const Origin& origin, std::int64_t time_ns, std::uint32_t lines = 1) {
    Event made = event("x");
    made.origin = &origin;
    made.time_ns = time_ns;
    made.lines = lines;
    return ask(made);
  }
  int kept_of(int events, const Origin& origin, std::int64_t time_ns) {
    int kept = 0;
    for (int i = 0; i < events; ++i) kept += ask_at(origin, time_ns) == Answer::kKeep;
    return kept;
  }

  Origin api_, web_;
  std::string text_;
  std::uint64_t next_seq_ = 0;
  JsonReader json_;
  std::unique_ptr<EventFilter> filter_;
};

TEST_F(EventFilterTest, NoRulesMeanNoQuestions) {
  use({});
  EXPECT_TRUE(filter_->passes_all());
  EXPECT_EQ(ask("x"), Answer::kKeep);
  SinkFilter one[7];
  one[0].stream = StreamKind::kErr;
  one[1].level = Severity::kTrace;
  one[2].only = {"x"};
  one[3].drop = {"x"};
  one[4].fields = {{"a", "x"}};
  one[5].sample = 0.5;
  one[6].rate_lines = 1;
  for (const SinkFilter& rules : one) {
    use(rules);
    EXPECT_FALSE(filter_->passes_all());
  }
}

TEST_F(EventFilterTest, StreamAndLevel) {
  SinkFilter rules;
  rules.stream = StreamKind::kErr;
  use(rules);
  Event made = event("x");
  EXPECT_EQ(ask(made), Answer::kFiltered);
  made.kind = StreamKind::kErr;
  EXPECT_EQ(ask(made), Answer::kKeep);
  rules = {};
  rules.level = Severity::kWarn;
  use(rules);
  EXPECT_EQ(ask("x", Severity::kInfo), Answer::kFiltered);
  EXPECT_EQ(ask("x", Severity::kWarn), Answer::kKeep);
  EXPECT_EQ(ask("x", Severity::kFatal), Answer::kKeep);
}

TEST_F(EventFilterTest, OneOfOnlyAndNoneOfDrop) {
  struct Case {
    std::vector<std::string> only, drop;
    std::string_view line;
    Answer expected;
  };
  const Case cases[] = {
      {{"err"}, {}, "an error", Answer::kKeep},
      {{"err"}, {}, "fine", Answer::kFiltered},
      {{"x", "^GET /api"}, {}, "GET /api/1", Answer::kKeep},
      {{"x", "^GET /api"}, {}, "POST /api/1", Answer::kFiltered},
      {{}, {"/health"}, "GET /health", Answer::kFiltered},
      {{}, {"/health", "/ready$"}, "GET /ready", Answer::kFiltered},
      {{}, {"/health", "/ready$"}, "GET /ready/x", Answer::kKeep},
      {{"GET"}, {"/health"}, "GET /health", Answer::kFiltered},
      {{"(?i)CAF\xc3\x89"}, {}, "caf\xc3\xa9", Answer::kKeep},
  };
  for (const Case& c : cases) {
    SinkFilter rules;
    rules.only = c.only;
    rules.drop = c.drop;
    use(rules);
    EXPECT_EQ(ask(c.line), c.expected) << c.line;
  }
}

TEST_F(EventFilterTest, AllFieldsMustMatchAndOnlyJsonHasFields) {
  SinkFilter rules;
  rules.fields = {{"route", "^/api"}, {"status", "^5"}};
  use(rules);
  EXPECT_EQ(ask(R"({"route":"/api/x","status":500})"), Answer::kKeep);
  EXPECT_EQ(ask(R"({"route":"/api/x","status":200})"), Answer::kFiltered);
  EXPECT_EQ(ask(R"({"status":500})"), Answer::kFiltered);
  EXPECT_EQ(ask(R"({"route":{"a":"/api"},"status":500})"), Answer::kFiltered);
  EXPECT_EQ(ask("route=/api status=500"), Answer::kFiltered);
  EXPECT_EQ(ask(R"({"route":"/api/x","status":500)"), Answer::kFiltered);
}

TEST_F(EventFilterTest, APatternThatIsNoneIsNamedInOneLine) {
  SinkFilter rules[3];
  rules[0].only = {"a", "(b"};
  rules[1].drop = {"(b"};
  rules[2].fields = {{"a", "x"}, {"k", "(b"}};
  const char* settings[] = {"filter.only", "filter.drop", "filter.fields.k"};
  for (int i = 0; i < 3; ++i) {
    const auto made = EventFilter::create(rules[i]);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code(), Errc::kInvalidArgument);
    EXPECT_EQ(made.error().message(),
              std::string(settings[i]) + ": \"(b\" is no pattern (RE2 syntax): missing ): (b");
  }
}

TEST_F(EventFilterTest, SamplingKeepsTheShareAndGivesTheSameAnswerAgain) {
  for (const double share : {0.0, 0.1, 0.5, 0.9}) {
    SinkFilter rules;
    rules.sample = share;
    use(rules);
    std::vector<Answer> first, again;
    int kept = 0;
    next_seq_ = 0;
    for (int i = 0; i < 10'000; ++i) first.push_back(ask("the same line"));
    use(rules);  // As after a restart.
    next_seq_ = 0;
    for (int i = 0; i < 10'000; ++i) again.push_back(ask("the same line"));
    for (const Answer answer : first) kept += answer == Answer::kKeep;
    EXPECT_NEAR(kept, 10'000 * share, 200);
    EXPECT_EQ(first, again);
  }
}

TEST_F(EventFilterTest, ATraceIsKeptAsAWholeOnEveryMachine) {
  SinkFilter rules;
  rules.sample = 0.5;
  use(rules);
  int kept = 0;
  for (int trace = 0; trace < 1000; ++trace) {
    const std::string id = "4bf92f3577b34da6a3ce929d0e0e" + std::to_string(1000 + trace);
    const Answer first = ask("{\"trace_id\":\"" + id + "\",\"msg\":\"a\"}");
    Event other = event("{\"msg\":\"b\",\"trace_id\":\"" + id + "\"}");
    other.origin = &web_;
    EXPECT_EQ(ask(other), first);
    kept += first == Answer::kKeep;
  }
  EXPECT_NEAR(kept, 500, 60);
}

TEST_F(EventFilterTest, SamplingSparesWhatIsBadEnough) {
  SinkFilter rules;
  rules.sample = 0.0;
  rules.sample_keeps = Severity::kError;
  use(rules);
  EXPECT_EQ(ask("x", Severity::kWarn), Answer::kSampled);
  EXPECT_EQ(ask("x", Severity::kError), Answer::kKeep);
}

TEST_F(EventFilterTest, ThePiecesOfALineShareItsAnswer) {
  SinkFilter rules;
  rules.only = {"begin"};
  rules.rate_lines = 1;
  use(rules);
  const auto piece = [this](std::string_view text, std::uint64_t seq, std::uint32_t part) {
    Event made = event(text);
    made.seq = seq;
    made.part = part;
    made.parts = 3;
    return ask(made);
  };
  EXPECT_EQ(piece("begin", 5, 1), Answer::kKeep);
  EXPECT_EQ(piece("middle", 5, 2), Answer::kKeep);
  EXPECT_EQ(piece("end", 5, 3), Answer::kKeep);
  EXPECT_EQ(piece("other", 6, 1), Answer::kFiltered);
  EXPECT_EQ(piece("begin", 6, 2), Answer::kFiltered);
  EXPECT_EQ(piece("begin", 7, 1), Answer::kRateLimited);
}

TEST_F(EventFilterTest, NoticesAlwaysPass) {
  SinkFilter rules;
  rules.only = {"never"};
  rules.rate_lines = 1;
  use(rules);
  Event made = event("[pmx] 5 lines are missing");
  made.notice = true;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask(made), Answer::kKeep);
  EXPECT_EQ(filter_->take_suppressed("api"), 0U);
}

TEST_F(EventFilterTest, TheRateIsLimitedForEachAppByTheLinesOwnTimes) {
  SinkFilter rules;
  rules.rate_lines = 10;
  use(rules);
  EXPECT_EQ(kept_of(15, api_, 100 * kSecond), 10);
  EXPECT_EQ(kept_of(4, web_, 100 * kSecond), 4);
  EXPECT_EQ(kept_of(9, api_, 100 * kSecond + kSecond / 2), 5);
  EXPECT_EQ(filter_->take_suppressed("api"), 9U);
  EXPECT_EQ(filter_->take_suppressed("api"), 0U);
  EXPECT_EQ(filter_->take_suppressed("web"), 0U);
  EXPECT_EQ(filter_->take_suppressed("nobody"), 0U);
  EXPECT_EQ(kept_of(50, api_, 5'000'000 * kSecond), 10);  // A pause saves up one second, no more.
}

TEST_F(EventFilterTest, ALimitThatIsKeptSuppressesNothing) {
  SinkFilter rules;
  rules.rate_lines = 3;
  use(rules);
  for (std::int64_t i = 0; i < 3000; ++i)
    ASSERT_EQ(ask_at(api_, 100 * kSecond + i * (kSecond / 3 + 1)), Answer::kKeep) << i;
}

TEST_F(EventFilterTest, AStackTraceGoesAsAWholeOnCredit) {
  SinkFilter rules;
  rules.rate_lines = 10;
  use(rules);
  EXPECT_EQ(ask_at(api_, 100 * kSecond, 40), Answer::kKeep);
  EXPECT_EQ(ask_at(api_, 103 * kSecond, 2), Answer::kRateLimited);
  EXPECT_EQ(ask_at(api_, 104 * kSecond, 1), Answer::kKeep);
  EXPECT_EQ(filter_->take_suppressed("api"), 2U);
}

TEST_F(EventFilterTest, AnotherLogReadLaterIsNotSuppressedForItsTimes) {
  SinkFilter rules;
  rules.rate_lines = 10;
  use(rules);
  for (int second = 0; second < 50; ++second)
    EXPECT_EQ(kept_of(10, api_, (100 + second) * kSecond), 10);
  for (int second = 0; second < 48; ++second)
    EXPECT_EQ(kept_of(10, api_, (100 + second) * kSecond), 10);
  EXPECT_EQ(kept_of(5, api_, 146 * kSecond + kSecond / 2), 0);  // Less than a second back: merged.
}

}  // namespace
}  // namespace pmx::ship
