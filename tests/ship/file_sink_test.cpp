#include "ship/file_sink.h"

#include <gtest/gtest.h>

#include "ship/jsonline_sink.h"

namespace pmx::ship {
namespace {

class FileSinkTest : public ::testing::Test {
 protected:
  FileSinkTest() {
    context_.spec.type = SinkType::kFile;
    context_.spec.urls = {"/var/log/out.ndjson"};
    context_.spec.compression = "gzip";  // Not for files.
    origin_.app = "api";
    event_.text = "a \"b\"";
    event_.time_ns = 42;
    event_.origin = &origin_;
  }
  static std::string encoded(const Sink& sink, const Event& event) {
    std::string item;
    sink.encode(event, item);
    return item;
  }
  SinkContext context_;
  Origin origin_;
  Event event_;
};

TEST_F(FileSinkTest, AFileGetsTheLinesThatAnHttpStoreGets) {
  const auto sink = make_file_sink(context_);
  const std::string item = encoded(*sink, event_);
  context_.spec.type = SinkType::kHttp;
  EXPECT_EQ(item, encoded(*make_jsonline_sink(context_), event_));
  EXPECT_EQ(sink->text_of(item), event_.text);
}

TEST_F(FileSinkTest, TheBodyIsTheItemsAndTheUrlThePath) {
  const auto sink = make_file_sink(context_);
  const std::string item = encoded(*sink, event_);
  const HttpRequest request = sink->request(0, sink->frame(0, item + item).body, 0);
  EXPECT_EQ(request.url, "file:///var/log/out.ndjson");
  EXPECT_EQ(request.body, item + item);
}

TEST_F(FileSinkTest, AWriteThatFailedIsMadeAgain) {
  const auto sink = make_file_sink(context_);
  const std::vector<Item> two(2);
  HttpAnswer answer;
  answer.status = 200;
  EXPECT_EQ(sink->judge(answer, two, {}).kind, Verdict::Kind::kDelivered);
  answer.status = 0;
  answer.error = "write /var/log/out.ndjson: No space left on device";
  const Verdict verdict = sink->judge(answer, two, {});
  EXPECT_EQ(verdict.kind, Verdict::Kind::kRetry);
  EXPECT_EQ(verdict.why, answer.error);
}

}  // namespace
}  // namespace pmx::ship
