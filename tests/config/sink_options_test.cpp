#include "config/sink_options.h"

#include <gtest/gtest.h>

#include <set>

namespace pmx::config {
namespace {

TEST(SinkOptionsTest, FindsAnOptionByKeyCamelCaseAndShortForm) {
  EXPECT_EQ(find_sink_option("filter.level")->key, "filter.level");
  EXPECT_EQ(find_sink_option("batch.maxBytes")->key, "batch.max_bytes");
  EXPECT_EQ(find_sink_option("level"), nullptr);
  EXPECT_EQ(find_sink_option("level", SinkKey::kShort)->key, "filter.level");
  EXPECT_EQ(find_sink_option("maxAge", SinkKey::kShort)->key, "batch.max_age");
  EXPECT_EQ(find_sink_option("nonsense", SinkKey::kShort), nullptr);
}

TEST(SinkOptionsTest, HasNoShortFormForTwoOptions) {
  std::multiset<std::string_view> parts;
  for (const SinkOption& row : sink_options())
    parts.insert(
        row.key.substr(row.key.find('.') == std::string_view::npos ? 0 : row.key.find('.') + 1));
  for (const std::string_view part : parts) {
    const SinkOption* const found = find_sink_option(part, SinkKey::kShort);
    if (parts.count(part) == 1)
      EXPECT_NE(found, nullptr) << part;
    else
      EXPECT_TRUE(found == nullptr || found->key == part) << part;
  }
}

TEST(SinkOptionsTest, PrintsDefaultsThatItAcceptsAgain) {
  for (const SinkOption& row : sink_options()) {
    const std::string text = default_text(row);
    if (text.empty()) continue;
    ConfiguredSink sink;
    const Result<void> set = set_sink_option(row, sink, text);
    EXPECT_TRUE(set) << row.key << " " << text;
    EXPECT_EQ(get_sink_option(row, sink.spec), get_sink_option(row, SinkSpec())) << row.key;
  }
}

TEST(SinkOptionsTest, RefusesObjectsWhereAValueIsMeant) {
  for (const SinkOption& row : sink_options()) {
    ConfiguredSink sink;
    EXPECT_FALSE(set_sink_option(row, sink, Json::Array{Json::object()})) << row.key;
    EXPECT_EQ(sink.spec, SinkSpec()) << row.key;
    EXPECT_EQ(sink.secret, "") << row.key;
  }
}

TEST(SinkOptionsTest, RefusesWhatWouldEndAHeader) {
  for (const char* key : {"tenant", "auth.user", "auth.token", "pipeline"}) {
    ConfiguredSink sink;
    EXPECT_FALSE(set_sink_option(*find_sink_option(key), sink, "a\r\nX: y")) << key;
  }
  ConfiguredSink sink;
  const SinkOption& headers = *find_sink_option("headers");
  EXPECT_FALSE(set_sink_option(headers, sink, Json::object({{"X", "a\nY: b"}})));
  EXPECT_FALSE(set_sink_option(headers, sink, Json::object({{"content-length", 7}})));
  EXPECT_TRUE(set_sink_option(headers, sink, Json::object({{"X-Tag", "a"}})));
}

TEST(SinkOptionsTest, ChecksRangesAtBothEnds) {
  const auto takes = [](const char* key, const Json& value) {
    ConfiguredSink sink;
    return set_sink_option(*find_sink_option(key), sink, value).has_value();
  };
  EXPECT_TRUE(takes("filter.sample", 0));
  EXPECT_TRUE(takes("filter.sample", "1"));
  EXPECT_FALSE(takes("filter.sample", 1.01));
  EXPECT_FALSE(takes("filter.sample", "nan"));
  EXPECT_FALSE(takes("filter.sample", "0.5x"));
  EXPECT_TRUE(takes("batch.max_lines", 1));
  EXPECT_FALSE(takes("batch.max_lines", 0));
  EXPECT_FALSE(takes("batch.max_age", "5ms"));
  EXPECT_TRUE(takes("timeout", "10m"));
  EXPECT_FALSE(takes("timeout", "11m"));
  EXPECT_FALSE(takes("filter.rate_lines", -1));
  EXPECT_TRUE(takes("filter.rate_lines", "off"));
}

TEST(SinkOptionsTest, SaysWhoUnderstandsAnOption) {
  EXPECT_EQ(stores_text(*find_sink_option("index")), "elasticsearch, opensearch");
  EXPECT_EQ(stores_text(*find_sink_option("labels")), "all");
  EXPECT_EQ(stores_text(*find_sink_option("timeout")), "all but file");
  EXPECT_TRUE(is_for(*find_sink_option("metadata"), SinkType::kLoki));
  EXPECT_FALSE(is_for(*find_sink_option("metadata"), SinkType::kHttp));
}

}  // namespace
}  // namespace pmx::config
