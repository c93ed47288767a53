#include "ship/multiline.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pmx::ship {
namespace {

constexpr StreamId kA{2}, kB{4};
constexpr std::int64_t kQuiet = MultilineJoiner::kQuietNs;

using Texts = std::vector<std::string>;

class MultilineTest : public testing::Test {
 protected:
  struct Given {
    MultilineJoiner::Line line;
    std::string text;
  };

  // One line of stream A, or of another.
  void add(std::string_view text, StreamId stream = kA) {
    const std::string padded = std::string(text) + std::string(64, '}');
    MultilineJoiner::Line line;
    line.text = std::string_view(padded).substr(0, text.size());
    line.time_ns = ++time_ns_;
    line.seq = ++seq_;
    line.stream = stream;
    line.worker = {static_cast<std::uint32_t>(stream.value)};
    joiner_.add(line);
  }
  void add_all(std::string_view text, StreamId stream = kA) {
    for (std::size_t end = 0; !text.empty(); text.remove_prefix(std::min(end + 1, text.size()))) {
      end = std::min(text.find('\n'), text.size());
      add(text.substr(0, end), stream);
    }
  }
  void add_notice(std::string_view text, StreamId stream = kA) {
    const std::string padded = std::string(text) + std::string(64, '\0');
    MultilineJoiner::Line line{.text = std::string_view(padded).substr(0, text.size()),
                               .time_ns = ++time_ns_,
                               .seq = ++seq_};
    line.lines = 7;
    line.stream = stream;
    line.notice = true;
    joiner_.add(line);
    seq_ += 6;
  }
  void wait(std::int64_t ns) { time_ns_ += ns; }
  Texts given() {
    Texts texts;
    for (const Given& event : given_) texts.push_back(event.text);
    return texts;
  }
  // The lines, all of stream A, as events.
  Texts joined(std::string_view lines) {
    given_.clear();
    add_all(lines);
    joiner_.flush_all();
    return given();
  }
  void expect_one(std::string_view lines) {
    EXPECT_EQ(joined(lines), Texts{std::string(lines)});
    // Between others it stays one; what is around it stays outside.
    EXPECT_EQ(joined("2026 INFO before\n" + std::string(lines) + "\n2026 INFO after"),
              (Texts{"2026 INFO before", std::string(lines), "2026 INFO after"}));
  }

  std::vector<Given> given_;
  std::int64_t time_ns_ = 0;
  std::uint64_t seq_ = 0;
  MultilineJoiner joiner_{[this](const MultilineJoiner::Line& line) {
    given_.push_back({line, std::string(line.text)});
    // Readable, says the header; the address sanitizer looks.
    volatile char behind = 0;
    for (std::size_t i = 0; i < 64; ++i) behind = line.text.data()[line.text.size() + i];
    (void)behind;
  }};
};

TEST_F(MultilineTest, OrdinaryLinesStayAlone) {
  const std::string_view lines =
      "2026-11-25 10:00:00 INFO one\nGET /api 200\nat 10:00 we start\ninfo: x\n[main] y\n"
      "(parenthesis\n}not alone\n...and so on\nCaused trouble\npanicking\n/var/log/x.log:12\n"
      "goroutine pool\n'quoted'\nlast";
  Texts expected;
  for (std::string_view rest = lines; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    expected.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  EXPECT_EQ(joined(lines), expected);
}

TEST_F(MultilineTest, JoinsErrorsOfNode) {
  expect_one("Error: boom\n    at f (/app/a.js:1:21)\n    at node:internal/main:28:49");
  expect_one(
      "request failed TypeError: x is not a function\n    at f (/app/a.js:1:21) {\n"
      "  code: 'X',\n  [cause]: Error: inner\n      at g (/app/b.js:2:1) {\n    errno: -2\n  }\n}");
  expect_one("Error: first line\nsecond line of the message\n    at f (/app/a.js:1:21)");
  expect_one("Error [ERR_X]: boom\nat f (/app/a.js:1:21)\nat /app/b.js:1:2");
  expect_one("\x1b[31mError: boom\x1b[39m\n\x1b[90m    at f (/app/a.js:1:21)\x1b[39m");
}

TEST_F(MultilineTest, JoinsUncaughtErrorsOfNode) {
  const std::string_view thrown =
      "/app/a.js:1\nfunction f(){ throw new Error(\"boom\") }\n              ^\n\nError: boom\n"
      "and more\n    at f (/app/a.js:1:21) {\n  code: 'X'\n}\n\nNode.js v20.20.2";
  EXPECT_EQ(joined(thrown), Texts{std::string(thrown)});
  const std::string_view value =
      "/app/b.js:1\nthrow \"str\"\n^\nstr\n(Use `node --trace-uncaught ...` to show where)\n\n"
      "Node.js v20.20.2";
  EXPECT_EQ(joined(value), Texts{std::string(value)});
  const std::string_view rejected =
      "node:internal/process/promises:288\n            triggerUncaughtException(err, true);\n"
      "            ^\n\n[UnhandledPromiseRejection: x] {\n  code: 'E'\n}\n\nNode.js v20.20.2";
  EXPECT_EQ(joined(rejected), Texts{std::string(rejected)});
  EXPECT_EQ(joined("/app/a.js:1\nordinary\nmore\n  of it"),
            (Texts{"/app/a.js:1", "ordinary", "more\n  of it"}));
}

TEST_F(MultilineTest, JoinsObjectsOfUtilInspectAndPrettyJson) {
  expect_one("{\n  a: 1,\n  b: {\n    c: [ 1, 2 ]\n  }\n}");
  expect_one("ctx {\n  a: 'x',\n  b: 'y'\n}");
  expect_one("[\n  { a: 1 },\n  { b: 2 }\n]");
  expect_one("Map(1) {\n  'k' => {\n    a: 1\n  }\n}");
  expect_one("call(\n  1\n);");
  expect_one("{\n  \"a\": 1\n}");
}

TEST_F(MultilineTest, JoinsTracebacksOfPython) {
  const std::string trace =
      "Traceback (most recent call last):\n  File \"/app/p.py\", line 4, in <module>\n    f()\n"
      "    ^^^\nValueError: x";
  expect_one(trace);
  expect_one(trace +
             "\n\nThe above exception was the direct cause of the following exception:\n\n" +
             "Traceback (most recent call last):\n  File \"/app/p.py\", line 5, in <module>\n" +
             "app.errors.Outer.<locals>.E: 'y'");
  expect_one(trace + "\n\nDuring handling of the above exception, another exception occurred:\n\n" +
             trace);
  expect_one("  File \"/app/s.py\", line 1\n    x = (\n        ^\nSyntaxError: never closed");
  expect_one("ERROR:root:it failed\n" + trace);
  expect_one("2026 ERROR app Traceback (most recent call last):\n  File \"x\", line 1\nKeyError");
  EXPECT_EQ(joined(trace + "\n" + trace), (Texts{trace, trace}));
  EXPECT_EQ(joined(trace + "\n\nINFO: next"), (Texts{trace, "", "INFO: next"}));
  EXPECT_EQ(
      joined("Traceback (most recent call last):\n  File \"x\", line 1\nno exception here"),
      (Texts{"Traceback (most recent call last):\n  File \"x\", line 1", "no exception here"}));
}

TEST_F(MultilineTest, JoinsExceptionsOfJava) {
  const std::string trace =
      "java.lang.RuntimeException: outer\n\tat J.main(J.java:2)\n"
      "Caused by: java.lang.IllegalStateException: inner\n\tat J.f(J.java:1)\n\t... 8 more";
  expect_one(trace);
  expect_one("Exception in thread \"main\" " + trace);
  expect_one(
      "java.lang.RuntimeException: outer\nsecond line\n\tat J.main(J.java:2)\n... 7 more\n"
      "Suppressed: x.Y: z");
  expect_one("2026-01-01 10:00:00,123 ERROR [main] App - failed\n" + trace);
  EXPECT_EQ(joined("all is well\n" + trace), (Texts{"all is well", trace}));
  EXPECT_EQ(joined("java.lang.RuntimeException: no trace\n2026 INFO next\n\tat x"),
            (Texts{"java.lang.RuntimeException: no trace", "2026 INFO next\n\tat x"}));
}

TEST_F(MultilineTest, JoinsPanicsOfGo) {
  const std::string frames =
      "goroutine 1 [running]:\nmain.f(...)\n\t/app/g.go:3\nmain.(*T).Run(0x1, {0x2?, 0x3})\n"
      "\t/app/g.go:9 +0x55";
  const std::string others =
      "\n\ngoroutine 21 [IO wait, 2 minutes]:\ninternal/poll.wait(0x7f)\n\t/go/poll.go:8 +0x1\n"
      "created by main.main in goroutine 1\n\t/app/g.go:7 +0x2";
  expect_one("panic: runtime error: index out of range [5] with length 1\n\n" + frames);
  expect_one("panic: x [recovered]\n\tpanic: y\n[signal SIGSEGV: violation code=0x1]\n\n" + frames +
             others + "\nexit status 2");
  expect_one("fatal error: all goroutines are asleep - deadlock!\n\n" + frames + others);
  expect_one("SIGQUIT: quit\nPC=0x46e1 m=0 sigcode=0\n\n" + frames +
             "\n\nrax    0xca\nr8     0x0\nrip    0x46e1");
  const std::string served = "2026/11/25 21:00:08 http: panic serving 127.0.0.1:4: x\n" + frames;
  EXPECT_EQ(joined(served + "\nnext"), (Texts{served, "next"}));
  EXPECT_EQ(joined("panic: x\n\nnext line"), (Texts{"panic: x", "", "next line"}));
  EXPECT_EQ(joined("panic: x\n\n\n" + frames), (Texts{"panic: x", "", "", frames}));
}

TEST_F(MultilineTest, JoinsBacktracesOfRuby) {
  expect_one(
      "x.rb:1:in `foo': boom (RuntimeError)\n\tfrom x.rb:4:in `bar'\n\tfrom x.rb:7:in `<m>'");
  expect_one("NoMethodError (undefined method):\napp/models/x.rb:3:in `index'\nlib/y.rb:4:in `z'");
}

TEST_F(MultilineTest, AJsonLineNeitherContinuesNorIsContinued) {
  EXPECT_EQ(
      joined("Error: x\n{\"msg\":\"json\"}\n    at f (/app/a.js:1:2)\n{\"a\":1} \r\n}"),
      (Texts{"Error: x", "{\"msg\":\"json\"}", "    at f (/app/a.js:1:2)", "{\"a\":1} \r", "}"}));
  given_.clear();
  add("{\"msg\":\"json\"}");
  EXPECT_EQ(given(), Texts{"{\"msg\":\"json\"}"});  // At once.
  EXPECT_EQ(joiner_.oldest_open_seq(), std::nullopt);
}

TEST_F(MultilineTest, AnEmptyLineStandsAlone) {
  EXPECT_EQ(joined("a\n\n  b\n \t\r\n\n\nc\n  d"),
            (Texts{"a", "", "  b", " \t\r", "", "", "c\n  d"}));
}

TEST_F(MultilineTest, StreamsDoNotMix) {
  add("Error: a");
  add("Error: b", kB);
  add("    at a1");
  add("    at b1", kB);
  add("{\"json\":1}", {6});
  add("    at a2");
  joiner_.flush_all();
  EXPECT_EQ(given(),
            (Texts{"{\"json\":1}", "Error: a\n    at a1\n    at a2", "Error: b\n    at b1"}));
  EXPECT_EQ(given_[1].line.seq, 1U);
  EXPECT_EQ(given_[1].line.last_seq, 6U);
  EXPECT_EQ(given_[1].line.lines, 3U);
  EXPECT_EQ(given_[1].line.time_ns, 1);
  EXPECT_EQ(given_[2].line.stream, kB);
  EXPECT_EQ(given_[2].line.worker, WorkerId{4});
}

TEST_F(MultilineTest, ANoticeIsGivenOutBehindWhatItsStreamHadOpen) {
  add("Error: a");
  add("Error: b", kB);
  add_notice("[pmx] 7 lines are missing here");
  EXPECT_EQ(given(), (Texts{"Error: a", "[pmx] 7 lines are missing here"}));
  EXPECT_TRUE(given_[1].line.notice);
  EXPECT_EQ(given_[1].line.lines, 7U);
  EXPECT_EQ(given_[1].line.last_seq, 9U);
  add("    at a");
  EXPECT_EQ(joiner_.oldest_open_seq(), 2U);
}

TEST_F(MultilineTest, TheOldestOpenNumberIsTheFirstOfTheOldestOpenEvent) {
  EXPECT_EQ(joiner_.oldest_open_seq(), std::nullopt);
  EXPECT_EQ(joiner_.oldest_open_time(), std::nullopt);
  add("Error: a");
  add("b", kB);
  add("    at a");
  EXPECT_EQ(joiner_.oldest_open_seq(), 1U);
  EXPECT_EQ(joiner_.oldest_open_time(), 2);  // Of b: the last line of a is newer.
  EXPECT_EQ(joiner_.open_bytes(), 18U);
  add("c");
  EXPECT_EQ(joiner_.oldest_open_seq(), 2U);
  joiner_.end_stream(kB);
  EXPECT_EQ(joiner_.oldest_open_seq(), 4U);
  joiner_.end_stream(kA);
  joiner_.end_stream(kA);
  EXPECT_EQ(joiner_.oldest_open_seq(), std::nullopt);
  EXPECT_EQ(joiner_.open_bytes(), 0U);
  EXPECT_EQ(given(), (Texts{"Error: a\n    at a", "b", "c"}));
}

TEST_F(MultilineTest, ALineThatMayBelongIsHeldWithItsEvent) {
  add("panic: x");
  add("");
  EXPECT_EQ(joiner_.oldest_open_seq(), 1U);
  add("ordinary");
  EXPECT_EQ(given(), (Texts{"panic: x", ""}));
  EXPECT_EQ(given_[0].line.last_seq, 1U);
  EXPECT_EQ(given_[1].line.seq, 2U);
  EXPECT_EQ(joiner_.oldest_open_seq(), 3U);
}

TEST_F(MultilineTest, AfterAPauseALineBeginsAnew) {
  add("Error: a");
  wait(kQuiet - 1);
  add("    at near");
  wait(kQuiet);
  add("    at far");
  joiner_.flush_all();
  EXPECT_EQ(given(), (Texts{"Error: a\n    at near", "    at far"}));
}

TEST_F(MultilineTest, FlushesWhatNobodyContinuesInTheOrderOfNumbers) {
  add("first", {8});
  add("second", kA);
  add("third", {6});
  wait(100);
  add("fourth", kB);
  joiner_.flush_older_than(4);
  EXPECT_EQ(given(), (Texts{"first", "second", "third"}));
  EXPECT_EQ(joiner_.oldest_open_seq(), 4U);
}

TEST_F(MultilineTest, AnEventHasAtMostSoManyLinesAndBytes) {
  std::string lines = "Error: x";
  for (std::uint32_t i = 1; i < MultilineJoiner::kMaxLines + 2; ++i) lines += "\n    at f";
  Texts events = joined(lines);
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(given_[0].line.lines, MultilineJoiner::kMaxLines);
  EXPECT_EQ(events[1], "    at f\n    at f");

  const std::string half(MultilineJoiner::kMaxBytes / 2 - 1, 'x');
  EXPECT_EQ(joined(half + "\n " + half), (Texts{half + "\n " + half}));
  EXPECT_EQ(joined(half + "x\n  " + half), (Texts{half + "x", "  " + half}));
  given_.clear();
  add("open");
  add(std::string(MultilineJoiner::kMaxBytes, ' '));
  EXPECT_EQ(given().size(), 2U);  // Nothing fits behind it.
}

TEST_F(MultilineTest, ManyStreamsThatNobodyEndedAreForgotten) {
  for (std::uint64_t i = 0; i < 1000; ++i) add("line", {i});
  joiner_.flush_all();
  EXPECT_EQ(given().size(), 1000U);
  add("Error: x");
  add("    at f");
  joiner_.flush_all();
  EXPECT_EQ(given().back(), "Error: x\n    at f");
}

TEST_F(MultilineTest, AnEventFromBeforeTheClockWasSetBackIsNotHeld) {
  add("last words");
  joiner_.flush_older_than(time_ns_ - 10 * kQuiet);
  EXPECT_TRUE(given().empty());
  joiner_.flush_older_than(time_ns_ - 10 * kQuiet - 1);
  EXPECT_EQ(given(), Texts{"last words"});
}

}  // namespace
}  // namespace pmx::ship
