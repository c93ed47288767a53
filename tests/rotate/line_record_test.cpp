#include "rotate/line_record.h"

#include <gtest/gtest.h>

#include "rotate/segment_reader.h"

namespace pmx::rotate {
namespace {

LogLine line_of(std::string_view text) {
  LogLine line;
  line.text = text;
  return line;
}

std::string record(const LogLine& line, const LineFacts& facts) {
  std::string out;
  append_json_record(out, line, facts);
  return out;
}
std::string pairs(const LineFacts& facts, std::string_view unknown) {
  std::string out;
  append_pairs_before_text(out, facts, unknown);
  return out;
}

TEST(LineRecordTest, IsOneObjectALine) {
  EXPECT_EQ(record(line_of("a \"b\""), {"then", "out", WorkerId{3}, "web"}),
            R"({"message":"a \"b\"","timestamp":"then","type":"out","process_id":3,)"
            R"("app_name":"web"})"
            "\n");
  EXPECT_EQ(record(line_of("x"), {"then", "pmx", kUnknownWorker, "web"}),
            R"({"message":"x","timestamp":"then","type":"pmx","process_id":null,)"
            R"("app_name":"web"})"
            "\n");
}

TEST(LineRecordTest, WhatIsARecordAlreadyIsNotWrapped) {
  LogLine line = line_of(R"({"message":"x"})");
  line.render = RenderSpec::Kind::kJson;
  EXPECT_EQ(record(line, {"then", "out", WorkerId{3}, "web"}), "{\"message\":\"x\"}\n");
}

TEST(LineRecordTest, PairsSayOfAnUnknownWorkerWhatTheyAreToldTo) {
  EXPECT_EQ(pairs({"then", "err", WorkerId{3}, "web"}, "?"),
            "timestamp=then app=web id=3 type=err message=");
  EXPECT_EQ(pairs({"then", "err", kUnknownWorker, "web"}, "?"),
            "timestamp=then app=web id=? type=err message=");
  EXPECT_EQ(pairs({"then", "err", kUnknownWorker, "web"}, ""),
            "timestamp=then app=web type=err message=");
}

}  // namespace
}  // namespace pmx::rotate
