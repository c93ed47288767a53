#include "config/served_apps.h"

#include <gtest/gtest.h>

#include "model/app_spec.h"

namespace pmx::config {
namespace {

Json json(std::string_view text) {
  auto parsed = Json::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Json();
}
Json served(std::string_view entry) {
  const auto apps = served_apps(json("[" + std::string(entry) + "]"));
  EXPECT_TRUE(apps) << apps.error().message();
  return apps && apps->size() == 1 ? apps->front() : Json();
}

TEST(ServedAppsTest, TheWordServeIsOurFileServerUnderEachOfItsNames) {
  for (const char* const name : {"script", "exec", "cmd", "command"}) {
    Json app = Json::object({{name, "serve"}});
    take_serve_word(app);
    EXPECT_EQ(app[name], Json(kFileServerScript)) << name;
    EXPECT_EQ(app["name"], Json("serve"));
  }
  Json file = Json::object({{"script", "./serve"}});
  take_serve_word(file);
  EXPECT_EQ(file["script"], Json("./serve"));
  EXPECT_TRUE(file["name"].is_null());
}

TEST(ServedAppsTest, AnEntryIsAnAppWithPm2sVariables) {
  const Json app = served(R"({"path":"dist","port":9000,"host":"::1","spa":true,
                              "basic_auth":{"username":"me","password":"x"}})");
  EXPECT_EQ(app["script"], Json(kFileServerScript));
  EXPECT_EQ(app["name"], Json("static-page-server-9000"));
  EXPECT_EQ(app["env"], json(R"({"PM2_SERVE_PATH":"dist","PM2_SERVE_PORT":"9000",
      "PM2_SERVE_HOST":"::1","PM2_SERVE_SPA":"true","PM2_SERVE_BASIC_AUTH":"true",
      "PM2_SERVE_BASIC_AUTH_USERNAME":"me","PM2_SERVE_BASIC_AUTH_PASSWORD":"x"})"));
}

TEST(ServedAppsTest, WhatIsNoWordOfPm2sIsTheApps) {
  const Json app = served(R"({"path":".","name":"docs","instances":2,"directory":"x",
                              "env":{"TZ":"UTC"}})");
  EXPECT_EQ(app["name"], Json("docs"));
  EXPECT_EQ(app["instances"], Json(2));
  EXPECT_TRUE(app["path"].is_null() && app["directory"].is_null());
  EXPECT_EQ(app["env"]["TZ"], Json("UTC"));
  EXPECT_EQ(served(R"({"path":"."})")["name"], Json("static-page-server-8080"));
}

TEST(ServedAppsTest, AnEntryWithoutAPathIsRefused) {
  EXPECT_EQ(served_apps(json(R"([{"port":80}])")).error().message(),
            "static: each is an object with a path, not {\"port\":80}");
  EXPECT_FALSE(served_apps(json(R"(["dist"])")));
}

}  // namespace
}  // namespace pmx::config
