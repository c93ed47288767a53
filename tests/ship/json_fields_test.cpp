#include "ship/json_fields.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace pmx::ship {
namespace {

class JsonFieldsTest : public testing::Test {
 protected:
  const JsonFields& read(std::string_view line) {
    padded_ = std::string(line) + std::string(64, '}');
    return reader_.read(std::string_view(padded_).substr(0, line.size()));
  }
  std::int64_t time_of(std::string_view value) {
    return read("{\"time\":" + std::string(value) + "}").time_ns.value_or(-1);
  }
  JsonReader reader_;
  std::string padded_;
};

TEST_F(JsonFieldsTest, OnlyAWholeValidObjectIsOne) {
  for (const std::string_view line :
       {R"({})", R"({"a":1})", R"(  {"a":1} )", "{\"a\":1}\r", R"({ "a" : [ ] , "b" : { } })",
        R"({"a":[1,[2,{"b":null}],"x"],"c":{"d":{"e":[true,false]}}})",
        R"({"a":-0.5e+10,"b":"\u00e4\"\\\/\b\f\n\r\t"})", R"({"a":123456789012345678901234567890})",
        R"({"a":"\ud83d"})", "{\n  \"a\": 1\n}"})
    EXPECT_TRUE(read(line).is_object) << line;
  for (const std::string_view line : {"",
                                      " ",
                                      "text",
                                      "[1]",
                                      "{",
                                      "}",
                                      R"({"a":1)",
                                      R"({"a":1}})",
                                      R"({"a":1} x)",
                                      R"({"a":1,})",
                                      R"({"a"})",
                                      R"({"a":})",
                                      R"({a:1})",
                                      R"({"a" "b"})",
                                      R"({"a":"x"y})",
                                      R"({"a":01})",
                                      R"({"a":1.})",
                                      R"({"a":.5})",
                                      R"({"a":1e})",
                                      R"({"a":+1})",
                                      R"({"a":tru})",
                                      R"({"a":nul})",
                                      R"({"a":[1,]})",
                                      R"({"a":[1}]})",
                                      R"({"a":{]}})",
                                      R"({"a":{"b"}})",
                                      R"({"a":"\q"})",
                                      R"({"a":"\u12g4"})",
                                      R"({"a":"\u12"})",
                                      R"({"a":NaN})",
                                      R"({,})",
                                      R"({"a":1,,"b":2})",
                                      "{\"a\":\"\x01\"}",
                                      "{\"a\":\"\xFF\"}",
                                      R"({"a":[1 2]})",
                                      R"({"a":1 "b":2})",
                                      R"({ a: 1, b: 'two' })",
                                      R"({"a":1}{"b":2})",
                                      R"({:1})",
                                      R"({"a"::1})",
                                      R"({"a":[})"}) {
    EXPECT_FALSE(read(line).is_object) << line;
    EXPECT_TRUE(read(line).message.empty()) << line;
    EXPECT_EQ(reader_.value("a"), std::nullopt) << line;
  }
}

TEST_F(JsonFieldsTest, DepthAndSizeHaveBounds) {
  const auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(read(nested(64)).is_object);
  EXPECT_FALSE(read(nested(65)).is_object);
  EXPECT_FALSE(read(nested(100'000)).is_object);
  const auto sized = [](std::size_t size) {
    return "{\"msg\":\"" + std::string(size - 10, 'x') + "\"}";
  };
  EXPECT_EQ(read(sized(1U << 20U)).message.size(), (1U << 20U) - 10);
  EXPECT_EQ(read(R"({"msg":"small again"})").message, "small again");
  EXPECT_FALSE(read(sized((1U << 20U) + 1)).is_object);
}

TEST_F(JsonFieldsTest, ReadsWhatTheUsualLoggersWrite) {
  const JsonFields& pino = read(
      R"({"level":50,"time":1531171082399,"pid":1,"hostname":"h","name":"app",)"
      R"("err":{"type":"TypeError","message":"boom","stack":"TypeError: boom\n    at x"},"msg":"m"})");
  EXPECT_EQ(pino.message, "m");
  EXPECT_EQ(pino.time_ns, 1'531'171'082'399'000'000);
  EXPECT_EQ(pino.logger, "app");
  EXPECT_EQ(pino.error_type, "TypeError");
  EXPECT_EQ(pino.error_message, "boom");
  EXPECT_EQ(pino.error_stack, "TypeError: boom\n    at x");
  EXPECT_FALSE(pino.ecs);

  const JsonFields& zap =
      read(R"({"level":"error","ts":1531171082.3991234,"logger":"db","msg":"x","error":"refused",)"
           R"("stacktrace":"main.main\n\t/x.go:1"})");
  EXPECT_EQ(zap.time_ns, 1'531'171'082'399'123'400);
  EXPECT_EQ(zap.logger, "db");
  EXPECT_EQ(zap.error_message, "refused");
  EXPECT_EQ(zap.error_stack, "main.main\n\t/x.go:1");

  const JsonFields& ecs = read(
      R"({"@timestamp":"2018-07-09T21:18:02.399Z","log.level":"INFO","message":"x",)"
      R"("ecs.version":"1.2.0","log":{"logger":"com.x.Y"},"trace":{"id":"abc"},"span":{"id":"d"},)"
      R"("error":{"type":"E","message":"m","stack_trace":"s"}})");
  EXPECT_TRUE(ecs.ecs);
  EXPECT_EQ(ecs.time_ns, 1'531'171'082'399'000'000);
  EXPECT_EQ(ecs.logger, "com.x.Y");
  EXPECT_EQ(ecs.trace_id, "abc");
  EXPECT_EQ(ecs.span_id, "d");
  EXPECT_EQ(ecs.error_type, "E");
  EXPECT_EQ(ecs.error_message, "m");
  EXPECT_EQ(ecs.error_stack, "s");
  EXPECT_TRUE(read(R"({"@timestamp":"x","ecs":{"version":"8.0"}})").ecs);
  EXPECT_FALSE(read(R"({"@timestamp":"x","message":"logstash"})").ecs);
}

TEST_F(JsonFieldsTest, TheFirstKeyOfTheOrderCountsWhereverItStands) {
  EXPECT_EQ(read(R"({"event":"e","message":"second","msg":"first"})").message, "first");
  EXPECT_EQ(read(R"({"event":"e","text":"t","body":"b"})").message, "b");
  EXPECT_EQ(read(R"({"msg":"","message":"not empty"})").message, "not empty");
  EXPECT_EQ(read(R"({"msg":{"a":1},"log":"docker\n"})").message, "docker\n");
  EXPECT_EQ(read(R"({"msg":5})").message, "");
  EXPECT_EQ(read(R"({"req":{"msg":"nested"}})").message, "");
  EXPECT_EQ(read(R"({"msg":"one","msg":"two"})").message, "one");
  EXPECT_EQ(read(R"({"time":"soon","ts":1531171082})").time_ns, 1'531'171'082'000'000'000);
  EXPECT_EQ(read(R"({"timestamp":1531171083,"time":1531171082})").time_ns,
            1'531'171'082'000'000'000);
}

TEST_F(JsonFieldsTest, ReadsNumbersByTheirSize) {
  for (const std::string_view number :
       {"1531171082", "1531171082.0", "1531171082000", "1531171082000000", "1531171082000000000",
        "1.531171082e9", "\"1531171082\"", "\"1531171082000\""})
    EXPECT_EQ(time_of(number), 1'531'171'082'000'000'000) << number;
  EXPECT_EQ(time_of("1531171082399.25"), 1'531'171'082'399'250'000);
  for (const std::string_view number :
       {"0", "12", "99999999", "-1531171082", "99999999999", "9999999999999", "1e300",
        "9999999999999999999", "123456789012345678901", "true", "null", "\"\"", "1.5"})
    EXPECT_EQ(time_of(number), -1) << number;
}

TEST_F(JsonFieldsTest, ReadsTimesAsTheyAreWritten) {
  for (const std::string_view text :
       {"2018-07-09T21:18:02Z", "2018-07-09T21:18:02+00:00", "2018-07-09T23:18:02.000+0200",
        "2018-07-09 14:18:02-07", "2018/07/09 21:18:02 UTC", "Mon, 09 Jul 2018 21:18:02 GMT",
        "09/Jul/2018:21:18:02 +0000"})
    EXPECT_EQ(time_of("\"" + std::string(text) + "\""), 1'531'171'082'000'000'000) << text;
  EXPECT_EQ(time_of("\"2018-07-09T21:18:02.123456789Z\""), 1'531'171'082'123'456'789);
  EXPECT_EQ(time_of("\"2018-07-09T21:18:02,1234567891Z\""), 1'531'171'082'123'456'789);
  EXPECT_EQ(time_of("\"2018-07-09T21:18Z\""), 1'531'171'080'000'000'000);
  EXPECT_EQ(time_of("\"2024-02-29T00:00:00Z\""), 1'709'164'800'000'000'000);
  for (const std::string_view text :
       {"yesterday", "2018-07-09", "2018-13-09T21:18:02Z", "2018-07-32T21:18:02Z",
        "2018-07-09T24:18:02Z", "2018-07-09T21:18:02 CEST", "2018-07-09T21:18:02+99:00",
        "Jul  9 21:18:02", "0709 21:18:02.000000", "1018-07-09T21:18:02Z", "2018-07-09T21:18:02."})
    EXPECT_EQ(time_of("\"" + std::string(text) + "\""), -1) << text;
}

// The zone is the process's: each case sets it, and the last state is given back.
TEST_F(JsonFieldsTest, ATimeWithoutAZoneIsLocal) {
  const char* const before = std::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TZ", "XST-2XDT,M3.5.0,M10.5.0/3", 1);  // Two hours east, three in summer.
  ::tzset();
  for (const std::string_view text :
       {"2018-07-10 00:18:02,000", "2018-07-10T00:18:02", "Tue Jul 10 00:18:02 2018"})
    EXPECT_EQ(time_of("\"" + std::string(text) + "\""), 1'531'171'082'000'000'000) << text;
  EXPECT_EQ(time_of("\"2018-01-01 02:00:00\""), 1'514'764'800'000'000'000);
  before == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", kept.c_str(), 1);
  ::tzset();
}

TEST_F(JsonFieldsTest, FindsTraceAndSpanIds) {
  const struct {
    std::string_view line, trace, span;
  } cases[] = {
      {R"({"trace_id":"a1","span_id":"b2"})", "a1", "b2"},
      {R"({"traceId":"a1","spanId":"b2"})", "a1", "b2"},
      {R"({"trace.id":"a1","span.id":"b2"})", "a1", "b2"},
      {R"({"dd.trace_id":"12","dd.span_id":"34"})", "12", "34"},
      {R"({"dd":{"trace_id":12345678901234567890,"span_id":34}})", "12345678901234567890", "34"},
      {R"({"otelTraceID":"0","otelSpanID":"0"})", "", ""},
      {R"({"trace_id":"00000000000000000000000000000000","trace":{"id":"a1"}})", "a1", ""},
      {R"({"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})",
       "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"},
      {R"({"traceparent":"short"})", "", ""},
      {R"({"trace":"text","trace_id":null})", "", ""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(read(c.line).trace_id, c.trace) << c.line;
    EXPECT_EQ(read(c.line).span_id, c.span) << c.line;
  }
}

TEST_F(JsonFieldsTest, ErrorsComeAsObjectsTextsAndFlatKeys) {
  EXPECT_EQ(read(R"({"err":"refused"})").error_message, "refused");
  EXPECT_EQ(read(R"({"error":{"name":"E","message":"m","deep":{"message":"no"}}})").error_type,
            "E");
  EXPECT_EQ(read(R"({"error.type":"E","error.message":"m"})").error_message, "m");
  EXPECT_EQ(read(R"({"exception":"Traceback\n..."})").error_stack, "Traceback\n...");
  EXPECT_EQ(read(R"({"exc_info":"Traceback"})").error_stack, "Traceback");
  EXPECT_EQ(read(R"({"message":"x","stack":"Error: x\n    at y"})").error_stack,
            "Error: x\n    at y");
}

TEST_F(JsonFieldsTest, TextsAreUnescaped) {
  EXPECT_EQ(read(R"({"msg":"\"a\"\\\/\b\f\n\r\t\u00e4\u20ac\ud83d\ude00"})").message,
            "\"a\"\\/\b\f\n\r\tä€😀");
  EXPECT_EQ(read(R"({"msg":"half \ud83d, other half \ude00, \ud83dx"})").message,
            "half \xEF\xBF\xBD, other half \xEF\xBF\xBD, \xEF\xBF\xBDx");
  EXPECT_EQ(read(R"({"msg":"\u0000"})").message, std::string_view("\0", 1));
}

TEST_F(JsonFieldsTest, ValueGivesTopLevelScalarsAsText) {
  read(R"({"s":"a\nb","n":-1.50e3,"big":12345678901234567890123,"t":true,"x":null,"o":{"s":1},)"
       R"("a":[1],"":"empty","k\u00e4":"escaped key","s":"again"})");
  EXPECT_EQ(reader_.value("s"), "a\nb");
  EXPECT_EQ(reader_.value("s"), "a\nb");
  EXPECT_EQ(reader_.value("n"), "-1.50e3");
  EXPECT_EQ(reader_.value("big"), "12345678901234567890123");
  EXPECT_EQ(reader_.value("t"), "true");
  EXPECT_EQ(reader_.value(""), "empty");
  EXPECT_EQ(reader_.value("kä"), "escaped key");
  for (const std::string_view key : {"x", "o", "a", "missing", "o.s"})
    EXPECT_EQ(reader_.value(key), std::nullopt) << key;
  read("text");
  EXPECT_EQ(reader_.value("s"), std::nullopt);
}

TEST_F(JsonFieldsTest, MembersAreAsWrittenAndInOrder) {
  std::string text;
  const JsonFields& fields =
      read(R"({"time":1531171082, "msg":"a\nb","o": {"k\"":"x\ty", "n":[1, 2]} ,"x":null})");
  for (const JsonMember& member : reader_.members())
    text.append(member.key).append("=").append(member.value).append(";");
  EXPECT_EQ(reader_.members()[0].value.data(), fields.time_text.data());
  EXPECT_EQ(reader_.members()[1].value.data(), fields.message.data());
  EXPECT_EQ(text, "time=1531171082;msg=a\nb;o={\"k\\\"\":\"x\\ty\", \"n\":[1, 2]};x=null;");
  text.clear();
  for (const JsonMember& member : reader_.members_of(reader_.members()[2])) {
    append_json_unescaped(text, member.key);
    append_json_unescaped(text, member.value);
  }
  EXPECT_EQ(text, "k\"x\tyn[1, 2]");
  read("text");
  EXPECT_TRUE(reader_.members().empty());
}

TEST_F(JsonFieldsTest, KeysOfStacksAreKnown) {
  for (const char* const key : {"stack", "err.stack", "exception", "error.stack_trace", "exc_info"})
    EXPECT_TRUE(is_error_stack(key)) << key;
  for (const char* const key : {"msg", "err", "err.message", "stacks", ""})
    EXPECT_FALSE(is_error_stack(key)) << key;
}

TEST_F(JsonFieldsTest, NothingIsLeftOfTheLineBefore) {
  read(R"({"msg":"m","time":1531171082,"trace_id":"t","name":"n","err":"e"})");
  const JsonFields& fields = read(R"({"a":1})");
  EXPECT_TRUE(fields.is_object);
  EXPECT_EQ(std::string(fields.message) + std::string(fields.trace_id), "");
  EXPECT_EQ(std::string(fields.logger) + std::string(fields.error_message), "");
  EXPECT_EQ(fields.time_ns, std::nullopt);
}

}  // namespace
}  // namespace pmx::ship
