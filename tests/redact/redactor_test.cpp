#include "redact/redactor.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/json.h"

namespace pmx::redact {
namespace {

std::unique_ptr<Redactor> redactor(const RedactRules& rules) {
  auto made = Redactor::create(rules);
  EXPECT_TRUE(made) << made.error().message();
  return std::move(made).value();
}
RedactRules builtin() { return {true, {}, {}}; }
RedactRules patterns(std::vector<std::string> texts) { return {false, std::move(texts), {}}; }

std::string redacted(const RedactRules& rules, std::string_view line) {
  std::string scratch;
  return std::string(redactor(rules)->redact(line, scratch));
}

struct Case {
  std::string_view line, expected;
};

#define JWT \
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0"
#define KEY "-----BEGIN RSA PRIVATE KEY-----"

constexpr Case kText[] = {
    {"GET / Authorization: Bearer abc.def-123", "GET / Authorization: [redacted]"},
    {"authorization: abc123 next one", "authorization: [redacted] one"},
    {"Proxy-Authorization: Basic dXNlcjpwYXNz, host: x",
     "Proxy-Authorization: [redacted], host: x"},
    {"curl -H \"Authorization: Token s3cr3t\" http://x",
     "curl -H \"Authorization: [redacted]\" http://x"},
    {"{ authorization: 'Bearer abc', host: 'x' }", "{ authorization: '[redacted]', host: 'x' }"},
    {"Authorization: Digest username=\"Mufasa\", response=\"6629fae4\"",
     "Authorization: [redacted]"},
    {"Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature=fe5f80",
     "Authorization: [redacted]"},
    {"authorization failed for bob", "authorization failed for bob"},
    {"authorization:", "authorization:"},
    {"got bearer mF_9.B5f-4.1JqM== ok", "got bearer [redacted] ok"},
    {"the bearer of news", "the bearer of news"},
    {"Bearer token expired", "Bearer token expired"},
    {"sent Basic dXNlcjpwYXNz to it", "sent Basic [redacted] to it"},
    {"sent Basic dXNlcjpwYXNzdw== to it", "sent Basic [redacted] to it"},
    {"Basic authentication is off", "Basic authentication is off"},
    {"key AKIAIOSFODNN7EXAMPLE used", "key [redacted] used"},
    {"key=ASIAIOSFODNN7EXAMPLE", "key=[redacted]"},
    {"AKIAIOSFODNN7EXAMPL AKIAIOSFODNN7EXAMPLEX xAKIAIOSFODNN7EXAMPLE AKIAIOSFODnn7EXAMPLE",
     "AKIAIOSFODNN7EXAMPL AKIAIOSFODNN7EXAMPLEX xAKIAIOSFODNN7EXAMPLE AKIAIOSFODnn7EXAMPLE"},
    {"jwt " JWT " seen", "jwt [redacted] seen"},
    {"id=" JWT ".", "id=[redacted]."},
    {"eyJhbGciOiJIUzI1NiIsInR5 is no token", "eyJhbGciOiJIUzI1NiIsInR5 is no token"},
    {KEY "\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nrest", "[redacted]\nrest"},
    {"x " KEY, "x [redacted]"},
    {"-----BEGIN OPENSSH PRIVATE KEY----- b3Bl", "[redacted]"},
    {"-----BEGIN CERTIFICATE-----\nMIID", "-----BEGIN CERTIFICATE-----\nMIID"},
    {"postgres://bob:hunter2@db:5432/x", "postgres://bob:[redacted]@db:5432/x"},
    {"redis://:p@ss@h/0 and http://a:b@c", "redis://:[redacted]@h/0 and http://a:[redacted]@c"},
    {"http://host:80/a@b http://user@host http://u:@h",
     "http://host:80/a@b http://user@host http://u:@h"},
    {"https://[::1]:8080/x?mail=a:b@c", "https://[::1]:8080/x?mail=a:b@c"},
    {"card 4111 1111 1111 1111 ok", "card [redacted] ok"},
    {"card 4111-1111-1111-1111, 4111111111111111", "card [redacted], [redacted]"},
    {"amex 3782 822463 10005 and 378282246310005", "amex [redacted] and [redacted]"},
    {"5555555555554444 6011111111111117 30569309025904 3530111333300000 2223003122003222",
     "[redacted] [redacted] [redacted] [redacted] [redacted]"},
    {"2024-11-23 4111 1111 1111 1111", "2024-11-23 [redacted]"},
    {"4222222222222 6200000000000005", "[redacted] [redacted]"},
    {"4111111111111112 1700000000000 1234567812345670",
     "4111111111111112 1700000000000 1234567812345670"},
    {"0.4111111111111111 4111111111111111.5 a4111111111111111 4111111111111111f _4111111111111111",
     "0.4111111111111111 4111111111111111.5 a4111111111111111 4111111111111111f _4111111111111111"},
    {"41111111111111110 4111  1111  1111  1111 4111-1111 1111-1111",
     "41111111111111110 4111  1111  1111  1111 4111-1111 1111-1111"},
    {"body {\"password\": \"x\", \"a\": 1} end",
     "body {\"password\": \"[redacted]\", \"a\": 1} end"},
    {"cut {\"token\":\"abc", "cut {\"token\":\"[redacted]\""},
    {"[ERROR] Bearer abcdefgh1", "[ERROR] Bearer [redacted]"},
    {"", ""},
    {"plain text without anything", "plain text without anything"},
};

TEST(RedactorTest, BuiltInRulesTakeSecretsOutOfText) {
  for (const auto& [line, expected] : kText) EXPECT_EQ(redacted(builtin(), line), expected) << line;
}

#define R "\"[redacted]\""
constexpr Case kJson[] = {
    {R"({"password":"a","b":1})", R"({"password":)" R R"(,"b":1})"},
    {R"({"a":{"b":[{"TOKEN": "x\"y\\"}]},"n":1})", R"({"a":{"b":[{"TOKEN": )" R R"(}]},"n":1})"},
    {R"({"secret":123,"passwd":null,"apikey":true})",
     R"({"secret":)" R R"(,"passwd":)" R R"(,"apikey":)" R "}"},
    {R"({"cookie":{"sid":"x","n":[1,"}"]},"b":1})", R"({"cookie":)" R R"(,"b":1})"},
    {R"({"set-cookie":["a=b; Path=/","c=d"],"b":1})", R"({"set-cookie":)" R R"(,"b":1})"},
    {R"({"Set_Cookie" : "a", "ApiKey":"b", "api-key":"c"})",
     R"({"Set_Cookie" : )" R R"(, "ApiKey":)" R R"(, "api-key":)" R "}"},
    {R"({"authorization":"Digest username=\"M\", x=\"y\"","b":1})",
     R"({"authorization":)" R R"(,"b":1})"},
    {R"({"passwords":1,"my_token":"x","a":"password","b":["token"]})",
     R"({"passwords":1,"my_token":"x","a":"password","b":["token"]})"},
    {R"({"msg":"got {\"password\":\"x\\\"y\",\"n\":1}"})",
     R"({"msg":"got {\"password\":\"[redacted]\",\"n\":1}"})"},
    {R"({"msg":"{\"a\":\"{\\\"token\\\":\\\"z\\\"}\",\"secret\":{\"k\":5}}"})",
     R"({"msg":"{\"a\":\"{\\\"token\\\":\\\"[redacted]\\\"}\",\"secret\":\"[redacted]\"}"})"},
    {R"({"msg":"cut {\"token\":\"z","n":1})", R"({"msg":"cut {\"token\":\"[redacted]\"","n":1})"},
    {R"({"msg":"cut {\"token\":{\"a\":","n":1})",
     R"({"msg":"cut {\"token\":\"[redacted]\"","n":1})"},
    {R"({"card":4111111111111111,"b":[4111111111111111]})", R"({"card":)" R R"(,"b":[)" R "]}"},
    {R"({"u":"https:\/\/a:pw@h\/x","v":"http://a:b@c"})",
     R"({"u":"https:\/\/a:[redacted]@h\/x","v":"http://a:[redacted]@c"})"},
    {R"({"m":"Authorization: Bearer abc=","b":"x"})",
     R"({"m":"Authorization: [redacted]","b":"x"})"},
    {R"({"m":"Authorization: Digest a=\"b\", c=\"d\"","b":"x"})",
     R"({"m":"Authorization: [redacted]","b":"x"})"},
    {R"({"m":"Authorization: x\nHost: y"})", R"({"m":"Authorization: [redacted]\nHost: y"})"},
    {R"({"k":")" KEY R"(\nMIIE\n-----END RSA PRIVATE KEY-----\n","b":1})",
     R"({"k":"[redacted]\n","b":1})"},
    {R"({"k":")" KEY R"(\nMIIE","b":1})", R"({"k":"[redacted]","b":1})"},
    {R"({"k":"{\"pem\":\")" KEY R"(\\nMI\"}"})", R"({"k":"{\"pem\":\"[redacted]\"}"})"},
    {R"({"msg":"{\"cookie\":[\\","n":1})", R"({"msg":"{\"cookie\":\"[redacted]\"\\","n":1})"},
    {R"(["authorization","Bearer abcdefgh"])", R"(["authorization","Bearer [redacted]"])"},
};

TEST(RedactorTest, BuiltInRulesKeepJsonValid) {
  for (const auto& [line, expected] : kJson) {
    EXPECT_EQ(redacted(builtin(), line), expected) << line;
    EXPECT_TRUE(Json::parse(line)) << line;
    EXPECT_TRUE(Json::parse(redacted(builtin(), line))) << line;
  }
}

TEST(RedactorTest, OwnKeysGoAtAnyDepthWithoutTheBuiltInRules) {
  const RedactRules rules{false, {}, {"ssn", "x-api-key", "k", "_id", ""}};
  EXPECT_EQ(
      redacted(rules, R"({"a":[{"SSN":"1"}],"X_Api_Key":"2","k":3,"_ID":4,"password":"p"})"),
      R"({"a":[{"SSN":"[redacted]"}],"X_Api_Key":"[redacted]","k":"[redacted]","_ID":"[redacted]","password":"p"})");
  EXPECT_EQ(redacted(rules, R"({"kk":1,"ssnx":2,"id":3,"":4})"),
            R"({"kk":1,"ssnx":2,"id":"[redacted]","":4})");
}

TEST(RedactorTest, OwnPatternsGoWhereverTheyMatch) {
  EXPECT_EQ(redacted(patterns({"emp-\\d+"}), "emp-12 and emp-7!"), "[redacted] and [redacted]!");
  EXPECT_EQ(redacted(patterns({"a+", "b+", "ab"}), "xaabbx c a"), "x[redacted]x c [redacted]");
  EXPECT_EQ(redacted(patterns({"x*"}), "ab xx c"), "ab [redacted] c");
  EXPECT_EQ(redacted(patterns({"^a", "z$"}), "aa zz"), "[redacted]a z[redacted]");
  EXPECT_EQ(redacted(patterns({"caf\xc3\xa9", "(?i)ÄB"}), "caf\xc3\xa9 äb"),
            "[redacted] [redacted]");
}

TEST(RedactorTest, OwnPatternsKeepJsonValid) {
  const std::string_view line = R"({"ssn":"123","n":45,"t":"a\nb\u00e9c","o":{"p":[true,"q"]}})";
  const Case cases[] = {
      {"123", R"({"ssn":"[redacted]","n":45,"t":"a\nb\u00e9c","o":{"p":[true,"q"]}})"},
      {"\"ssn\":\"\\d+\"", R"({"ssn":"[redacted]","n":45,"t":"a\nb\u00e9c","o":{"p":[true,"q"]}})"},
      {"4", R"({"ssn":"123","n":"[redacted]","t":"a\nb\u00e9c","o":{"p":[true,"q"]}})"},
      {"nb", R"({"ssn":"123","n":45,"t":"a[redacted]\u00e9c","o":{"p":[true,"q"]}})"},
      {"e9", R"({"ssn":"123","n":45,"t":"a\nb[redacted]c","o":{"p":[true,"q"]}})"},
      {"ssn", R"({"[redacted]":"123","n":45,"t":"a\nb\u00e9c","o":{"p":[true,"q"]}})"},
      {"123.*true",
       R"({"ssn":"[redacted]","n":"[redacted]","t":"[redacted]","o":{"p":["[redacted]","q"]}})"},
      {"^.*$",
       R"({"ssn":"[redacted]","n":"[redacted]","t":"[redacted]","o":{"p":["[redacted]","[redacted]"]}})"},
      {"[{}:,\\[\\]]+", std::string_view(line)},
  };
  for (const auto& [pattern, expected] : cases) {
    EXPECT_EQ(redacted(patterns({std::string(pattern)}), line), expected) << pattern;
    EXPECT_TRUE(Json::parse(redacted(patterns({std::string(pattern)}), line)));
  }
}

TEST(RedactorTest, OverlappingRulesLeaveOneMark) {
  RedactRules rules = builtin();
  rules.patterns = {"secret", "hunter\\d@db"};
  EXPECT_EQ(redacted(rules, "http://a:hunter2@db/x"), "http://a:[redacted]/x");
  EXPECT_EQ(redacted(rules, R"({"token":"http://a:secret@h"})"), R"({"token":"[redacted]"})");
  rules.patterns = {"before .* after"};
  EXPECT_EQ(redacted(rules, R"(before "token":"x" and after!)"),
            R"([redacted]"[redacted]"[redacted]!)");
}

TEST(RedactorTest, ALineWithoutSecretsIsNotCopied) {
  const auto made = redactor(builtin());
  const std::string line =
      R"({"level":30,"time":1700000000000,"msg":"request done","url":"http://h/x"})";
  std::string scratch = "kept";
  EXPECT_EQ(made->redact(line, scratch).data(), line.data());
  EXPECT_EQ(scratch, "kept");
  EXPECT_EQ(made->redactions(), 0U);
}

TEST(RedactorTest, CountsWhatItTookOutAndPadsWhatItMade) {
  const auto made = redactor(builtin());
  std::string scratch;
  const auto view = made->redact("http://a:b@c http://d:e@f", scratch);
  EXPECT_EQ(made->redactions(), 2U);
  EXPECT_EQ(view.data(), scratch.data());
  EXPECT_GE(scratch.size(), view.size() + 64);
  EXPECT_EQ(made->redact(view, scratch), "http://a:[redacted]@c http://d:[redacted]@f");
}

TEST(RedactorTest, AnErrorIsOneLineThatNamesThePattern) {
  for (const std::string& bad :
       std::vector<std::string>{"(abc", "a**", "[z-a]", "x{2000}", "\\1", "a\n("}) {
    const auto made = Redactor::create(patterns({"fine", bad}));
    ASSERT_FALSE(made) << bad;
    EXPECT_EQ(made.error().code(), Errc::kInvalidArgument);
    const std::string& message = made.error().message();
    EXPECT_TRUE(message.starts_with("redact.patterns: \"" + bad.substr(0, 1))) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_EQ(Redactor::create(patterns({"(abc"})).error().message(),
            "redact.patterns: \"(abc\" is no pattern (RE2 syntax): missing ): (abc");
}

// A secret is found wherever it stands in the steps of 16 and 64 bytes in which lines are read.
TEST(RedactorTest, FindsASecretAtEveryPlace) {
  const auto made = redactor(builtin());
  const Case secrets[] = {{"http://a:b@c", "http://a:[redacted]@c"},
                          {"4111 1111 1111 1111", "[redacted]"},
                          {"\"token\":1", "\"token\":\"[redacted]\""},
                          {"AKIAIOSFODNN7EXAMPLE", "[redacted]"}};
  for (const auto& [secret, expected] : secrets) {
    for (std::size_t before = 0; before < 140; ++before) {
      for (const std::size_t after : {0U, 1U, 70U}) {
        const std::string a = before == 0 ? "" : std::string(before - 1, 'x') + " ";
        const std::string b = after == 0 ? "" : " " + std::string(after - 1, 'x');
        std::string scratch;
        ASSERT_EQ(made->redact(a + std::string(secret) + b, scratch),
                  a + std::string(expected) + b);
      }
    }
  }
}

// Lines that somebody made to keep us busy: 256 KiB of each. Squared, one takes minutes.
TEST(RedactorTest, ALineCostsNoMoreThanItsLength) {
  const auto made = redactor(builtin());
  for (const std::string_view part :
       {"{\"token\":", "{\"token\":[", "\"token\":\"", "\\\"token\\\":{",
        "Authorization: Digest a=b ", "authorization: \"", KEY " ", "http://a", "http://a:b",
        "eyJhbGciOiJIUzI1NiIsInR5.", "Bearer ", "4111 ", "4111111111111111", "\\",
        "\\\\\"token\":"}) {
    std::string line, scratch;
    while (line.size() < 256U << 10U) line += part;
    EXPECT_FALSE(made->redact(line, scratch).empty());
  }
}

// Whatever is in a line: JSON stays JSON, and what was redacted has nothing left to redact.
TEST(RedactorTest, RandomLinesStayValidAndHoldNothingAfterwards) {
  std::mt19937 random(7);
  const auto any = [&random](const auto& from) { return from[random() % std::size(from)]; };
  constexpr std::string_view kKeys[] = {"password",         "msg", "Token", "a",
                                        "4111111111111111", "x\"y"};
  constexpr std::string_view kWords[] = {"Authorization: ",
                                         "Bearer abcdefgh1",
                                         "http://u:hunter2@h",
                                         "\"",
                                         "\\",
                                         "{\"token\":\"hunter2\"}",
                                         "\n",
                                         KEY,
                                         "4111 1111 1111 1111",
                                         "=",
                                         ",",
                                         "Digest a=\"hunter2\"",
                                         "{\"cookie\":{\"a\":[",
                                         "é",
                                         "}",
                                         "x "};
  const std::function<Json(int)> value = [&](int depth) -> Json {
    const auto kind = random() % (depth > 3 ? 3U : 5U);
    if (kind == 0) return 4111111111111111LL;
    if (kind <= 2) {
      std::string text;
      for (auto i = random() % 6; i > 0; --i) text += any(kWords);
      return kind == 1 ? text : Json::object({{std::string(any(kKeys)), text}}).dump();
    }
    if (kind == 3) return Json::array();
    Json object = Json::object();
    for (auto i = random() % 4; i > 0; --i) object.set(any(kKeys), value(depth + 1));
    return object;
  };
  RedactRules rules = builtin();
  rules.patterns = {"hunter2", "h.*\"", "\\d{16}|[ea]b"};
  const auto made = redactor(rules);
  for (int i = 0; i < 6'000; ++i) {
    const std::string line = Json::object({{"msg", value(0)}, {"token", value(0)}}).dump();
    std::string scratch;
    const std::string once(made->redact(line, scratch));
    ASSERT_TRUE(Json::parse(once)) << line << "\n" << once;
    ASSERT_EQ(once.find("hunter2"), std::string::npos) << line << "\n" << once;
    const auto cut =
        made->redact(std::string_view(line).substr(0, random() % line.size()), scratch);
    ASSERT_EQ(cut.find("hunter2"), cut.npos) << line << "\n" << cut;
  }
}

}  // namespace
}  // namespace pmx::redact
