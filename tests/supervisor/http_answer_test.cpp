#include "supervisor/http_answer.h"

#include <gtest/gtest.h>

namespace pmx::supervisor {
namespace {

using Progress = HttpAnswer::Progress;

HttpAnswer whole(std::string_view bytes) { return read_http_answer(bytes, false); }
HttpAnswer cut_off(std::string_view bytes) { return read_http_answer(bytes, true); }

constexpr std::string_view kWithLength =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\ncontent-length: 2\r\n\r\nok";
constexpr std::string_view kInChunks =
    "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n"
    "4\r\nnot \r\n5;ext=1\r\nready\r\n0\r\n\r\n";

TEST(HttpAnswerTest, KnowsStatusAndBodyByLengthByChunksAndByTheEnd) {
  EXPECT_EQ(whole(kWithLength).status, 200);
  EXPECT_EQ(whole(kWithLength).body, "ok");
  EXPECT_EQ(whole(kWithLength).progress, Progress::kComplete);
  EXPECT_EQ(whole(kInChunks).status, 503);
  EXPECT_EQ(whole(kInChunks).body, "not ready");
  EXPECT_EQ(whole(kInChunks).progress, Progress::kComplete);
  constexpr std::string_view kUntilTheEnd = "HTTP/1.0 200 OK\r\n\r\nall is well";
  EXPECT_EQ(whole(kUntilTheEnd).progress, Progress::kMore);
  EXPECT_EQ(cut_off(kUntilTheEnd).progress, Progress::kComplete);
  EXPECT_EQ(cut_off(kUntilTheEnd).body, "all is well");
}

TEST(HttpAnswerTest, IsUnfinishedAtEveryByteBeforeTheLast) {
  for (const std::string_view answer : {kWithLength, kInChunks}) {
    // The last line of the chunks needs no more than its number.
    const std::size_t last = answer == kInChunks ? answer.size() - 3 : answer.size() - 1;
    for (std::size_t cut = 0; cut <= last; ++cut) {
      if (answer == kInChunks && cut > answer.size() - 3) break;
      EXPECT_EQ(whole(answer.substr(0, cut)).progress, Progress::kMore) << cut;
      EXPECT_EQ(cut_off(answer.substr(0, cut)).progress, Progress::kCutOff) << cut;
    }
  }
}

TEST(HttpAnswerTest, PassesOverWhatComesBeforeTheAnswer) {
  const HttpAnswer answer =
      whole("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.progress, Progress::kComplete);
}

TEST(HttpAnswerTest, TellsWhatIsNoHttp) {
  for (const char* const bytes :
       {"SSH-2.0-OpenSSH", "HTTP/1.1 abc\r\n\r\n", "\x15\x03\x03", "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"})
    EXPECT_EQ(whole(bytes).progress, Progress::kNoHttp) << bytes;
  EXPECT_EQ(whole("HTT").progress, Progress::kMore);
}

}  // namespace
}  // namespace pmx::supervisor
