#include "config/settings.h"

#include <gtest/gtest.h>

namespace pmx::config {
namespace {

Json set(const std::string& key, const Json& value) {
  return Json::object({{"set", Json::object({{key, value}})}});
}

TEST(SettingsTest, UnderstandsPm2LogrotatesNames) {
  EXPECT_EQ(setting_name("pm2-logrotate:max_size")->key, "rotate.max_size");
  EXPECT_EQ(setting_name("pm2-logrotate.retain")->key, "rotate.retain");
  EXPECT_EQ(setting_name("pm2-logrotate:rotateInterval")->key, "rotate.every");
  EXPECT_EQ(setting_name("rotate.maxSize")->key, "rotate.max_size");
  EXPECT_EQ(setting_name("rotate:max_size")->key, "rotate.max_size");
}

TEST(SettingsTest, SaysWhyAKeyHasNoMeaningHere) {
  for (const char* key : {"dateFormat", "TZ", "workerInterval", "rotateModule"}) {
    const Result<SettingName> name = setting_name(std::string("pm2-logrotate:") + key);
    ASSERT_TRUE(name) << key;
    EXPECT_EQ(name->key, "");
    EXPECT_NE(name->note, "");
  }
}

TEST(SettingsTest, SuggestsTheNearestForAnUnknownName) {
  const Result<SettingName> name = setting_name("rotate.max_sise");
  ASSERT_FALSE(name);
  EXPECT_NE(name.error().message().find("did you mean \"rotate.max_size\"?"), std::string::npos);
  EXPECT_FALSE(setting_name("script"));
}

TEST(SettingsTest, SetsAndTakesBack) {
  const Result<Json> changed = change_settings(Json(), set("pm2-logrotate:max_size", "20M"));
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->dump(), R"({"rotate.max_size":"20M"})");
  EXPECT_EQ(settings_from_json(*changed)->app_defaults.rotate.max_size_bytes, 20U << 20U);
  const Result<Json> back =
      change_settings(*changed, Json::object({{"unset", Json::Array{"rotate.max_size"}}}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->dump(), "{}");
}

TEST(SettingsTest, ChangesNothingForABadValue) {
  EXPECT_FALSE(change_settings(Json::object(), set("rotate.max_size", "much")));
  EXPECT_FALSE(change_settings(Json::object(), set("max_disk", "12")));
}

TEST(SettingsTest, ReadsTheBoundOfTheWholeHome) {
  EXPECT_EQ(settings_from_json(Json::object({{"max_disk", "2G"}}))->max_disk_bytes, 2ULL << 30U);
  EXPECT_EQ(settings_from_json(Json())->max_disk_bytes, 0U);
  EXPECT_TRUE(settings_from_json(Json())->autosave);
  EXPECT_FALSE(settings_from_json(*change_settings(Json(), set("autosave", "false")))->autosave);
  EXPECT_FALSE(change_settings(Json(), set("autosave", "maybe")));
}

TEST(SettingsTest, ShowsWhatIsInEffect) {
  EXPECT_EQ(*setting_text(Json(), "rotate.max_size"), "10M");
  EXPECT_EQ(*setting_text(Json::object({{"rotate.max_size", "1M"}}), "rotate.max_size"), "1M");
  EXPECT_EQ(*setting_text(Json(), "rotate.max_age"), "off");
}

TEST(SettingsTest, KeepsTheHomesStoresCanonicalAndWithoutSecrets) {
  const Result<Json> changed = change_settings(Json(), set("ship", "loki+http://h?tenant=a"));
  ASSERT_TRUE(changed) << changed.error().message();
  EXPECT_EQ((*changed)["ship"].items().front()["url"], Json("http://h:3100"));
  EXPECT_EQ(settings_from_json(*changed)->app_defaults.ship.front().tenant, "a");
  EXPECT_EQ(*setting_text(*changed, "ship"), "loki+http://h:3100?tenant=a");
  EXPECT_EQ(*setting_text(Json(), "ship"), "none");
  const Result<Json> secret = change_settings(*changed, set("ship", "loki+http://u:s3cret@h"));
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().message().find("s3cret"), std::string::npos);
  EXPECT_EQ(change_settings(Json(), set("ship", "lok://h")).error().message(),
            "sink lok://h: a URL begins with <store>+http://, <store>+https:// or file://");
}

}  // namespace
}  // namespace pmx::config
