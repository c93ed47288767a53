#include "config/schema.h"

#include <gtest/gtest.h>

#include <set>

namespace pmx::config {
namespace {

using namespace std::chrono_literals;

class SchemaTest : public ::testing::Test {
 protected:
  Result<void> set(std::string_view key, const Json& value) {
    return set_value(*find_setting(key), app_, value);
  }
  std::string refusal(std::string_view key, const Json& value) {
    const Result<void> result = set(key, value);
    return result ? "allowed" : result.error().message();
  }
  AppSpec app_;
};

TEST_F(SchemaTest, HasEachNameAndOptionOnce) {
  std::set<std::string_view> seen;
  for (const std::string_view name : setting_names()) EXPECT_TRUE(seen.insert(name).second) << name;
  std::set<std::string> options;
  for (const Setting& row : settings()) {
    std::string option;
    for (const char c : std::string(row.options) + ",") {
      if (c != ',') {
        option += c;
      } else if (!option.empty()) {
        EXPECT_TRUE(options.insert(std::exchange(option, {})).second);
      }
    }
  }
}

TEST_F(SchemaTest, FindsASettingByKeyAliasAndCamelCase) {
  for (const char* name : {"out_file", "outFile", "out", "output", "out_log", "outLog"})
    EXPECT_EQ(find_setting(name)->key, "out_file") << name;
  EXPECT_EQ(find_setting("rotate.maxSize")->key, "rotate.max_size");
  EXPECT_EQ(find_setting("exec")->key, "script");
  EXPECT_EQ(find_setting("outfile"), nullptr);
}

TEST_F(SchemaTest, PrintsDefaultsThatItAcceptsAgain) {
  for (const Setting& row : settings()) {
    const std::string text = default_text(row);
    if (text.empty() || row.role != Role::kApp) continue;
    AppSpec app;
    EXPECT_TRUE(set_value(row, app, text)) << row.key << " " << text;
    EXPECT_EQ(get_value(row, app), get_value(row, AppSpec())) << row.key;
  }
}

TEST_F(SchemaTest, ReadsSizesAsUsersWriteThem) {
  for (const char* text : {"10M", "10MB", "10mb", "10MiB", "10485760"}) {
    ASSERT_TRUE(set("rotate.max_size", text)) << text;
    EXPECT_EQ(app_.rotate.max_size_bytes, 10'485'760U) << text;
  }
  for (const Json& off : {Json(0), Json("0"), Json("off"), Json(false)}) {
    ASSERT_TRUE(set("rotate.max_size", off));
    EXPECT_EQ(app_.rotate.max_size_bytes, 0U);
  }
}

TEST_F(SchemaTest, SaysWhatIsAllowedInsteadOfABadValue) {
  EXPECT_EQ(refusal("rotate.max_size", "10Q"),
            "rotate.max_size: \"10Q\" is not allowed: a size from 1K to 1T, or 0 (off)");
  EXPECT_EQ(refusal("rotate.max_size", 10),
            "rotate.max_size: 10 is not allowed: a size from 1K to 1T, or 0 (off)");
  EXPECT_EQ(refusal("min_uptime", 5),
            "min_uptime: 5 is not allowed: a duration from 100ms to 365d");
  EXPECT_EQ(refusal("exec_mode", "forked"),
            "exec_mode: \"forked\" is not allowed: one of fork_mode, cluster_mode, fork, cluster");
  EXPECT_EQ(refusal("merge_logs", "maybe"), "merge_logs: \"maybe\" is not allowed: true or false");
  EXPECT_EQ(app_.rotate.max_size_bytes, AppSpec().rotate.max_size_bytes);
}

TEST_F(SchemaTest, ReadsPm2LogrotatesValues) {
  EXPECT_TRUE(set("rotate.retain", "all"));
  EXPECT_EQ(app_.rotate.retain, 0U);
  EXPECT_TRUE(set("rotate.compress", true));
  EXPECT_EQ(app_.rotate.compress, Compression::kGzip);
  EXPECT_TRUE(set("rotate.compress", "false"));
  EXPECT_EQ(app_.rotate.compress, Compression::kNone);
  EXPECT_TRUE(set("rotate.every", "0 0 * * *"));
  EXPECT_EQ(app_.rotate.every, "0 0 * * *");
  EXPECT_FALSE(set("rotate.every", "daily"));
}

TEST_F(SchemaTest, ReadsListsGivenAsText) {
  ASSERT_TRUE(set("args", "--name 'a b' \"\" c"));
  EXPECT_EQ(app_.args, (std::vector<std::string>{"--name", "a b", "", "c"}));
  ASSERT_TRUE(set("args", Json::Array{"x", 1, true}));
  EXPECT_EQ(app_.args, (std::vector<std::string>{"x", "1", "true"}));
  ASSERT_TRUE(set("stop_exit_codes", 3));
  EXPECT_EQ(app_.stop_exit_codes, (std::vector<int>{3}));
  EXPECT_FALSE(set("stop_exit_codes", Json::Array{0, 900}));
}

TEST_F(SchemaTest, ReadsEnvironmentsAsObjectsAndText) {
  ASSERT_TRUE(
      set("env", Json::object({{"A", 1}, {"B", Json::object({{"c", true}})}, {"D", nullptr}})));
  EXPECT_EQ(app_.env, (std::map<std::string, std::string>{{"A", "1"}, {"B", R"({"c":true})"}}));
  ASSERT_TRUE(set("env", "A=1 B='x y'"));
  EXPECT_EQ(app_.env, (std::map<std::string, std::string>{{"A", "1"}, {"B", "x y"}}));
  EXPECT_FALSE(set("env", Json::object({{"A=B", 1}})));
}

TEST_F(SchemaTest, ReadsSyncAsAWordOrAnInterval) {
  ASSERT_TRUE(set("sync", "1s"));
  EXPECT_EQ(app_.sync, (SyncPolicy{SyncPolicy::Mode::kInterval, 1000ms}));
  EXPECT_EQ(get_value(*find_setting("sync"), app_), Json("1s"));
  ASSERT_TRUE(set("sync", "batch"));
  EXPECT_EQ(app_.sync.mode, SyncPolicy::Mode::kBatch);
  EXPECT_FALSE(set("sync", "1ms"));
}

TEST_F(SchemaTest, ChecksValuesThatHaveNoField) {
  EXPECT_EQ(refusal("port", "http"), "port: \"http\" is not allowed: a number from 0 to 65535");
  EXPECT_TRUE(set("port", "8080"));
  EXPECT_FALSE(set("port", 65536));
  EXPECT_EQ(refusal("execute_command", "x"),
            "execute_command: \"x\" is not allowed: true or false");
  for (const Json& filter : {Json("A"), Json(true), Json(Json::Array{"A", "B"})})
    EXPECT_TRUE(set("filter_env", filter)) << filter.dump();
  EXPECT_FALSE(set("filter_env", Json::object({{"A", 1}})));
  EXPECT_TRUE(set("pmx", "text"));
  EXPECT_FALSE(set("pmx", 1));
  EXPECT_TRUE(set("post_update", "npm install"));
  EXPECT_FALSE(set("name_prefix", Json::Array{}));
}

TEST_F(SchemaTest, KnowsEverythingThatASettingMayBeCalled) {
  EXPECT_EQ(
      names_of(*find_setting("out_file")),
      (std::vector<std::string>{"out_file", "out", "output", "out_log", "outFile", "outLog"}));
}

TEST_F(SchemaTest, RefusesNulBytes) {
  EXPECT_FALSE(set("cwd", std::string("/a\0b", 4)));
  EXPECT_FALSE(set("args", Json::Array{std::string("a\0", 2)}));
}

TEST(SplitWordsTest, HonoursQuotesAsPm2Does) {
  EXPECT_EQ(split_words("  a  \"b c\" d='e f' "), (std::vector<std::string>{"a", "b c", "d=e f"}));
  EXPECT_TRUE(split_words("  ").empty());
}

TEST_F(SchemaTest, AHealthAnswerIsAStatusTextOrAPattern) {
  for (const Json& value : {Json(204), Json("302"), Json("ok"), Json("/db: (up|warm)/"), Json("/")})
    EXPECT_TRUE(set("health.expect", value)) << value.dump();
  EXPECT_EQ(refusal("health.expect", 99),
            "health.expect: 99 is not allowed: a status from 100 to 599, text, or a /regular "
            "expression/");
  for (const Json& value : {Json(""), Json("600"), Json("/(/"), Json(Json::array())})
    EXPECT_FALSE(set("health.expect", value)) << value.dump();
  EXPECT_TRUE(set("health.path", "/health?deep=1"));
  EXPECT_TRUE(set("health.path", false));
  EXPECT_EQ(app_.health.path, "");
  for (const char* const path : {"health", "/a b", "/a\nHost: x"})
    EXPECT_FALSE(set("health.path", path)) << path;
}

}  // namespace
}  // namespace pmx::config
