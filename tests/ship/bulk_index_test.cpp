#include "ship/bulk_index.h"

#include <gtest/gtest.h>

namespace pmx::ship {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMidnight = 1'798'761'600 * kSecond;  // 2027-01-01T00:00:00Z.

SinkSpec spec(std::string index, bool data_stream) {
  SinkSpec made;
  made.type = SinkType::kElasticsearch;
  made.index = std::move(index);
  made.data_stream = data_stream;
  return made;
}

Origin origin(std::string app, std::string app_namespace = "", std::string env = "") {
  Origin made;
  made.app = std::move(app);
  made.app_namespace = std::move(app_namespace);
  made.env = std::move(env);
  return made;
}

TEST(BulkIndexTest, FillsInWhoseLineItIsAndMakesTheNameFit) {
  struct Row {
    std::string pattern;
    bool data_stream;
    Origin of;
    std::string name;
  };
  const Row rows[] = {
      {"", true, origin("api"), "logs-api-default"},
      {"", true, origin("api", "shop"), "logs-api-shop"},
      {"", true, origin("My-API v2", "Prod-EU"), "logs-my_api_v2-prod_eu"},
      {"", true, origin(R"(a\b/c*d?e"f<g>h|i j,k#l:m)"), "logs-a_b_c_d_e_f_g_h_i_j_k_l_m-default"},
      {"", true, origin("k\xC3\xA4se\n"), "logs-k_se_-default"},
      {"", true, origin(std::string(150, 'x')), "logs-" + std::string(100, 'x') + "-default"},
      {"pmx-{app}", false, origin("my-api"), "pmx-my-api"},
      {"{app}-{env}", false, origin("api", "", "Production"), "api-production"},
      {"{app}-{env}", false, origin("api"), "api-default"},
      {"Logs {other}", false, origin("api"), "logs_{other}"},
      {"{app}", false, origin("_-+api"), "api"},
      {"{app}", false, origin("__"), "pmx"},
      {"..", false, origin("api"), "pmx"},
      {"100%%-%q-%", false, origin("api"), "100%-%q-%"},
      {std::string(300, 'n'), false, origin("api"), std::string(255, 'n')},
  };
  for (const Row& row : rows)
    EXPECT_EQ(BulkIndex(spec(row.pattern, row.data_stream)).name(row.of, 0), row.name)
        << row.pattern << " of " << row.of.app;
}

TEST(BulkIndexTest, TheDayIsTheLinesOwnAtItsBorders) {
  const BulkIndex daily(spec("logs-%Y.%m.%d", false)), hourly(spec("x-%Y%m%d%H", false));
  const Origin of = origin("api");
  struct Row {
    std::int64_t time_ns;
    std::string day, hour;
  };
  const Row rows[] = {
      {kMidnight - 1, "logs-2026.12.31", "x-2026123123"},
      {kMidnight, "logs-2027.01.01", "x-2027010100"},
      {kMidnight + 3600 * kSecond - 1, "logs-2027.01.01", "x-2027010100"},
      {kMidnight + 3600 * kSecond, "logs-2027.01.01", "x-2027010101"},
      {1'709'164'800 * kSecond, "logs-2024.02.29", "x-2024022900"},  // A leap day.
      {0, "logs-1970.01.01", "x-1970010100"},
      {-1, "logs-1969.12.31", "x-1969123123"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(daily.name(of, row.time_ns), row.day);
    EXPECT_EQ(hourly.name(of, row.time_ns), row.hour);
  }
}

TEST(BulkIndexTest, APeriodEndsWhereTheNameMayChange) {
  const BulkIndex daily(spec("logs-%d", false)), always(spec("logs-100%%Y", false));
  EXPECT_NE(daily.period_of(kMidnight - 1), daily.period_of(kMidnight));
  EXPECT_EQ(daily.period_of(kMidnight), daily.period_of(kMidnight + 1));
  EXPECT_NE(daily.period_of(-1), daily.period_of(0));
  EXPECT_EQ(always.period_of(kMidnight - 1), always.period_of(kMidnight));
}

TEST(BulkIndexTest, ADataStreamsNameHasThreeParts) {
  const auto parts = data_stream_parts("logs-api.access-eu");
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->type, "logs");
  EXPECT_EQ(parts->dataset, "api.access");
  EXPECT_EQ(parts->space, "eu");
  for (const char* other : {"logs", "logs-api", "logs-a-b-c", "logs--x", "-a-b", "a-b-", ""})
    EXPECT_FALSE(data_stream_parts(other)) << other;
}

}  // namespace
}  // namespace pmx::ship
