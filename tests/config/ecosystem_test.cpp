#include "config/ecosystem.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/fs.h"

namespace pmx::config {
namespace {

class EcosystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "pmx-ecosystem-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  Result<Ecosystem> load(const std::string& name, std::string_view text) {
    EXPECT_TRUE(RealFs().replace_file(root_ + "/" + name, text));
    return load_ecosystem(root_ + "/" + name);
  }
  static bool has_runtime() { return std::system("node --version >/dev/null 2>&1") == 0; }
  std::string root_;
};

TEST_F(EcosystemTest, KnowsConfigFilesByTheirNames) {
  for (const char* name : {"a.json", "x.yml", "x.yaml", "ecosystem.config.js", "b.config.cjs",
                           "b.config.mjs", "a.json5"})
    EXPECT_TRUE(is_config_file(name)) << name;
  for (const char* name : {"app.js", "web", "pm2.js", "./server"})
    EXPECT_FALSE(is_config_file(name)) << name;
}

TEST_F(EcosystemTest, TakesEveryShapeThatPm2Takes) {
  for (const char* text :
       {R"({"apps":[{"script":"a"}]})", R"({"pm2":[{"script":"a"}]})", R"([{"script":"a"}])",
        R"({"script":"a"})", R"({"apps":{"script":"a"}})"}) {
    const Result<Ecosystem> file = load("e.json", text);
    ASSERT_TRUE(file) << text;
    ASSERT_EQ(file->apps.size(), 1U);
    EXPECT_EQ(file->apps[0]["script"], Json("a")) << text;
  }
}

TEST_F(EcosystemTest, ReadsYamlWithMergesAndTypes) {
  const Result<Ecosystem> file = load("e.yaml", R"(
base: &base {autorestart: false, max_restarts: 3, name: base}
apps:
  - <<: *base
    name: web
    script: a.js
    env: {PORT: 80, TAG: "80", EMPTY: , RATIO: 0.5, MASK: 0x10}
)");
  ASSERT_TRUE(file) << file.error().message();
  const Json& app = file->apps[0];
  EXPECT_EQ(app["name"], Json("web"));
  EXPECT_EQ(app["autorestart"], Json(false));
  EXPECT_EQ(app["max_restarts"], Json(3));
  EXPECT_EQ(app["env"]["PORT"], Json(80));
  EXPECT_EQ(app["env"]["TAG"], Json("80"));
  EXPECT_TRUE(app["env"]["EMPTY"].is_null());
  EXPECT_EQ(app["env"]["RATIO"], Json(0.5));
  EXPECT_EQ(app["env"]["MASK"], Json(16));
}

TEST_F(EcosystemTest, SaysWhereYamlIsBroken) {
  const Result<Ecosystem> file = load("e.yml", "apps:\n  - script: [a\n");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message().find("File " + root_ + "/e.yml malformated: line "), 0U)
      << file.error().message();
}

TEST_F(EcosystemTest, RefusesYamlThatGrowsWithoutEnd) {
  std::string text = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const std::string before(1, static_cast<char>(c - 1));
    text += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) text += (i > 0 ? ",*" : "*") + before;
    text += "]\n";
  }
  EXPECT_FALSE(load("e.yaml", text));
}

TEST_F(EcosystemTest, NamesAMissingFileAsPm2Does) {
  const Result<Ecosystem> file = load_ecosystem(root_ + "/none.json");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message(), "File " + root_ + "/none.json not found");
}

TEST_F(EcosystemTest, RefusesAFileWithoutApps) {
  EXPECT_FALSE(load("e.json", R"({"apps":[]})"));
  EXPECT_FALSE(load("e.json", R"({"apps":["a.js"]})"));
  EXPECT_EQ(load("e.json", R"({"app":[{"script":"a.js"}]})").error().message(),
            root_ +
                "/e.json: no apps in it: expected { apps: [ { script: … } ] } "
                "(did you mean \"apps\"?)");
}

TEST_F(EcosystemTest, ServedFoldersAreAppsBesideTheOthers) {
  const auto names = [&](std::string_view text) {
    const Result<Ecosystem> file = load("e.json", text);
    if (!file) return file.error().message();
    std::string all;
    for (const Json& app : file->apps) all += app["name"].as_string() + " ";
    return all;
  };
  EXPECT_EQ(names(R"({"apps":[{"name":"a","script":"a"}],"static":[{"path":"/srv","port":81}]})"),
            "a static-page-server-81 ");
  EXPECT_EQ(names(R"({"name":"a","script":"a","static":[{"path":"/srv"}]})"),
            "a static-page-server-8080 ");
  EXPECT_EQ(names(R"({"static":[{"path":"/srv"},{"path":"/x","name":"x"}]})"),
            "static-page-server-8080 x ");
  EXPECT_EQ(names(R"([{"script":"serve"}])"), "serve ");
  EXPECT_EQ(names(R"({"static":[{"port":81}]})"),
            root_ + "/e.json: static: each is an object with a path, not {\"port\":81}");
}

TEST_F(EcosystemTest, TheFilesStoresAreThoseOfItsServedFoldersToo) {
  const Result<Ecosystem> file =
      load("e.json", R"({"ship":"loki+http://h","static":[{"path":"/srv"}]})");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->apps[0]["ship"], Json("loki+http://h"));
}

TEST_F(EcosystemTest, EvaluatesJavaScriptByTheUsersRuntime) {
  if (!has_runtime()) GTEST_SKIP() << "no node";
  const auto script_of = [](const Result<Ecosystem>& file) {
    return file ? file->apps[0]["script"].as_string() : file.error().message();
  };
  EXPECT_EQ(script_of(load("a.json", "// comment\n{ apps: [{ script: 'a' + '.js' }], }")), "a.js");
  EXPECT_EQ(script_of(load("b.config.js",
                           "console.log('noise'); module.exports = { apps: [{ script: 'b' }] }")),
            "b");
  EXPECT_EQ(script_of(load("c.config.cjs", "module.exports = [{ script: 'c' }]")), "c");
  EXPECT_EQ(script_of(load("d.config.mjs", "export default { apps: [{ script: 'd' }] }")), "d");
  EXPECT_EQ(script_of(load("e.config.mjs", "export const apps = [{ script: 'e' }]")), "e");
  const Result<Ecosystem> broken = load("f.config.js", "module.exports = {");
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message().find("malformated"), std::string::npos);
  EXPECT_EQ(load_ecosystem(root_ + "/g.config.js").error().message(),
            "File " + root_ + "/g.config.js not found");
}

TEST(OnlyAppsTest, TakesTheNamedAppsInTheirOrder) {
  const std::vector<Json> apps{Json::object({{"name", "a"}}), Json::object({{"name", "b"}}),
                               Json::object({{"name", "c"}})};
  EXPECT_EQ(only_apps(apps, "")->size(), 3U);
  EXPECT_EQ(*only_apps(apps, "c,a"), (std::vector<Json>{apps[2], apps[0]}));
  EXPECT_EQ(only_apps(apps, "a b")->size(), 2U);
  EXPECT_FALSE(only_apps(apps, "d"));
}

TEST(EcosystemShipTest, GivesTheFilesShipToAppsThatHaveNoneOfTheirOwn) {
  const Result<Ecosystem> file = ecosystem_from(
      *Json::parse(R"({"ship":"loki+http://h","apps":[{"name":"a"},{"name":"b","ship":false},)"
                   R"({"name":"c","ship":"vl+http://v"},{"name":"d","ship":null}]})"));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->apps[0]["ship"], Json("loki+http://h"));
  EXPECT_EQ(file->apps[1]["ship"], Json(false));
  EXPECT_EQ(file->apps[2]["ship"], Json("vl+http://v"));
  EXPECT_EQ(file->apps[3]["ship"], Json("loki+http://h"));
  const Result<Ecosystem> single =
      ecosystem_from(*Json::parse(R"({"script":"x","ship":"loki+http://h"})"));
  ASSERT_TRUE(single);
  EXPECT_EQ(single->apps[0]["ship"], Json("loki+http://h"));
}

}  // namespace
}  // namespace pmx::config
