#include "cli/ship_view.h"

#include <gtest/gtest.h>

namespace pmx::cli {
namespace {

Json status() {
  return *Json::parse(R"({"sinks":[
    {"id":"1","name":"loki-h","type":"loki","where":"","state":"ok","lag_ms":420,"waiting_lines":3,
     "delivered_lines":1000000,"dropped":{"filtered":0}},
    {"id":"2","name":"es","type":"elasticsearch","state":"blocked",
     "state_text":"blocked: 401 Unauthorized","lag_ms":185000,"waiting_lines":70,
     "delivered_lines":5,"dropped":{"retention":4,"sampled":2,"filtered":0},"dead_letters":12,"dead_letters_dropped":3,
     "last_error":"401: missing authentication credentials","last_error_time_ms":1000}]})");
}

TEST(ShipViewTest, ShowsARowForEachSink) {
  const std::string text = ship_table(Console(Console::Options()), status(), 600'000);
  for (const char* row :
       {"│ sink   │ type          │ state                     │ lag   │ waiting │ delivered │ "
        "dropped",
        "│ loki-h │ loki          │ ok                        │ 420ms │ 3       │ 1000000   │ 0 ",
        "│ es     │ elasticsearch │ blocked: 401 Unauthorized │ 3m    │ 70      │ 5         │ 6 "
        "(retention 4, sampled 2) │"})
    EXPECT_NE(text.find(row), std::string::npos) << row << "\n" << text;
}

TEST(ShipViewTest, QuotesTheStoreAndCountsRefusedLinesBelow) {
  const std::string text = ship_table(Console(Console::Options()), status(), 600'000);
  EXPECT_NE(text.find("\nes: 401: missing authentication credentials (9m ago)\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nes: 12 records that it refused are kept: pmx ship retry es sends again"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\nes: 3 refused lines are no longer kept"), std::string::npos) << text;
  EXPECT_EQ(text.find("\nloki-h: "), std::string::npos) << text;
}

TEST(ShipViewTest, SaysWhereSinksAreWhoseNameIsShared) {
  const Json shared = *Json::parse(
      R"({"sinks":[{"id":"1","name":"loki-h-1","type":"loki","where":"http://h:3100, tenant a"}]})");
  const std::string text = ship_table(Console(Console::Options()), shared, 600'000);
  EXPECT_NE(text.find("\nloki-h-1: http://h:3100, tenant a\n"), std::string::npos) << text;
}

TEST(ShipViewTest, AStoreThatRefusesLinesIsNotJustOk) {
  Json refusing = status();
  Json sink = refusing["sinks"].items()[0];
  sink.set("dropped", Json::object({{"refused", 29}}));
  sink.set("last_error", "400: no");
  sink.set("last_error_time_ms", 598'000);
  const std::string text = ship_table(Console(Console::Options()),
                                      Json::object({{"sinks", Json::Array{sink}}}), 600'000);
  EXPECT_NE(text.find("│ ok, but it refused 29 lines │"), std::string::npos) << text;
  EXPECT_NE(text.find("loki-h: 400: no (2s ago)\n"), std::string::npos) << text;
}

TEST(ShipViewTest, ALongErrorDoesNotHideWhenItIsTriedAgain) {
  Json waiting = status();
  Json sink = waiting["sinks"].items()[0];
  sink.set("state", "retrying");
  sink.set("state_text", "retrying (connect 127.0.0.1:3199: Connection refused, next in 16 s)");
  const std::string text = ship_table(Console(Console::Options()),
                                      Json::object({{"sinks", Json::Array{sink}}}), 600'000);
  EXPECT_NE(text.find("│ retrying, next in 16 s │"), std::string::npos) << text;
}

TEST(ShipViewTest, AnErrorThatIsOverSaysSo) {
  Json working = status();
  Json sink = working["sinks"].items()[0];
  sink.set("last_error", "connect h:3100: refused");
  sink.set("last_error_time_ms", 480'000);
  const std::string text = ship_table(Console(Console::Options()),
                                      Json::object({{"sinks", Json::Array{sink}}}), 600'000);
  EXPECT_NE(text.find("loki-h: connect h:3100: refused (2m ago; it works again)\n"),
            std::string::npos)
      << text;
}

TEST(ShipViewTest, SaysHowToAddASink) {
  EXPECT_NE(how_to_ship().find("--ship loki+http://"), std::string::npos);
}

}  // namespace
}  // namespace pmx::cli
