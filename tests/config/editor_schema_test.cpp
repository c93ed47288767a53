#include "config/editor_schema.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/sys.h"
#include "config/app_config.h"
#include "config/ecosystem.h"
#include "config/internal/yaml.h"
#include "config/normalise.h"
#include "config/schema.h"

namespace pmx::config {
namespace {

std::string file(const std::string& name) {
  const Result<std::string> text = sys::read_file(PMX_SOURCE_DIRECTORY "/config/" + name);
  EXPECT_TRUE(text) << text.error().message();
  return text ? *text : "";
}

TEST(EditorSchemaTest, FilesInTheTreeAreTheTablesOwn) {
  EXPECT_EQ(file("ecosystem.schema.json"), ecosystem_schema())
      << "run: pmx docs schema > config/ecosystem.schema.json";
  EXPECT_EQ(file("pmx.yaml"), defaults_yaml()) << "run: pmx docs defaults > config/pmx.yaml";
}

TEST(EditorSchemaTest, HasEveryNameOfEverySetting) {
  const Json schema = *Json::parse(ecosystem_schema());
  const Json& app = schema["definitions"]["app"]["properties"];
  for (const Setting& row : settings()) {
    const std::size_t dot = row.key.find('.');
    for (const std::string& name : names_of(row)) {
      const Json& members =
          dot == std::string_view::npos ? app : app[row.key.substr(0, dot)]["properties"];
      EXPECT_NE(members.find(dot == std::string_view::npos ? name : name.substr(dot + 1)), nullptr)
          << name;
    }
  }
  EXPECT_EQ(app["outFile"]["$ref"], Json("#/definitions/app/properties/out_file"));
  EXPECT_EQ(app["rotate"]["properties"]["maxSize"]["$ref"],
            Json("#/definitions/app/properties/rotate/properties/max_size"));
  EXPECT_EQ(app["kill_timeout"]["default"], Json("1600ms"));
  EXPECT_EQ(app["autorestart"]["default"], Json(true));
}

// As a user would who takes the comments off the keys.
TEST(EditorSchemaTest, TheFileOfDefaultsSaysTheDefaults) {
  std::string text, line;
  for (const char c : defaults_yaml()) {
    line += c;
    if (c != '\n') continue;
    const std::size_t mark = line.find("# ");
    const std::size_t colon = line.find(':');
    const bool key = mark == 4 && colon != std::string::npos &&
                     line.find_first_of(" ", line.find_first_not_of(' ', 6)) >= colon;
    if (key) line.replace(mark, 2, "");
    text += line;
    line.clear();
  }
  const Result<Json> content = yaml_value(text);
  ASSERT_TRUE(content) << content.error().message() << "\n" << text;
  const Result<Ecosystem> ecosystem = ecosystem_from(*content);
  ASSERT_TRUE(ecosystem);
  Json app = normalise_app(ecosystem->apps[0], "").app;
  EXPECT_NE(app.find("kill_timeout"), nullptr) << text;
  EXPECT_NE(app.find("rotate.max_size"), nullptr) << text;
  app.erase("script");
  const Result<AppSpec> read = app_from_json(app);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(app_to_json(*read), app_to_json(AppSpec()));
}

}  // namespace
}  // namespace pmx::config
