#include "config/internal/script_value.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/fs.h"
#include "config/internal/path_lookup.h"

namespace pmx::config {
namespace {

using namespace std::chrono_literals;

class ScriptValueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!find_in_path("node")) GTEST_SKIP() << "no node";
    std::string pattern = (std::filesystem::temp_directory_path() / "pmx-script-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
  }
  void TearDown() override {
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }
  std::string file(const std::string& name, std::string_view text) {
    EXPECT_TRUE(RealFs().replace_file(root_ + "/" + name, text));
    return root_ + "/" + name;
  }
  std::string module(std::string_view text, const std::string& name = "e.config.js") {
    const Result<Json> value = module_value(file(name, text));
    return value ? value->dump() : value.error().message();
  }
  std::string root_;
};

TEST_F(ScriptValueTest, TakesEveryKindOfExport) {
  EXPECT_EQ(module("module.exports = [1]"), "[1]");
  EXPECT_EQ(module("export default [2]", "a.config.mjs"), "[2]");
  EXPECT_EQ(module("export const apps = [3]", "b.config.mjs"), R"({"apps":[3]})");
  EXPECT_EQ(module("exports.__esModule = true; exports.default = [4]", "c.config.cjs"), "[4]");
  EXPECT_EQ(module("module.exports = () => [5]", "d.config.js"), "[5]");
  EXPECT_EQ(module("module.exports = async () => [6]", "f.config.js"), "[6]");
  EXPECT_EQ(module("module.exports = Promise.resolve([7])", "g.config.js"), "[7]");
  EXPECT_EQ(module("module.exports = [/[\\/]a\\.b/, /c/i]", "h.config.js"),
            R"(["/[\\/]a\\.b/","/(?i)c/"])");
}

TEST_F(ScriptValueTest, GivesAFileItsSurroundings) {
  file("part.js", "module.exports = 'part'");
  ::setenv("PMX_TEST_VARIABLE", "shell", 1);
  EXPECT_EQ(
      module("module.exports = [require('./part'), __dirname, process.env.PMX_TEST_VARIABLE,"
             " process.cwd()]"),
      Json(Json::Array{"part", root_, "shell", std::filesystem::current_path().string()}).dump());
  ::unsetenv("PMX_TEST_VARIABLE");
}

TEST_F(ScriptValueTest, KeepsWhatIsPrintedOutOfTheValue) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(module("console.log('before'); process.on('exit', () => console.log('after'));"
                   "module.exports = { noise: '}' }"),
            R"({"noise":"}"})");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "before\nafter\n");
}

TEST_F(ScriptValueTest, EndsAFileThatLeavesThingsOpen) {
  EXPECT_EQ(module("setInterval(() => {}, 1000); module.exports = 1"), "1");
}

TEST_F(ScriptValueTest, StopsAFileThatDoesNotEnd) {
  const Result<Json> value = module_value(file("e.config.js", "for (;;) {}"), 300ms);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().message(), "it was not done after 300ms and was stopped");
}

TEST_F(ScriptValueTest, SaysTheLineOfAMistake) {
  EXPECT_EQ(module("\nmodule.exports = {\n  a: nobody\n}"), "line 3: nobody is not defined");
  EXPECT_EQ(module("module.exports = {\n", "b.config.js").rfind("line ", 0), 0U);
  const Result<Json> value = expression_value("{\n a: 1,\n b: what\n}", "e.json");
  EXPECT_EQ(value.error().message(), "line 3: what is not defined");
}

TEST_F(ScriptValueTest, SaysWhenThereIsNoValue) {
  EXPECT_EQ(module("module.exports = undefined"), "it exports nothing");
  const std::string left = module("process.exit(3)", "b.config.js");
  EXPECT_NE(left.find("gave no value for it (exit code 3)"), std::string::npos) << left;
}

TEST_F(ScriptValueTest, ReadsJsonWithJavaScriptsLiberties) {
  EXPECT_EQ(expression_value("// c\n{ a: 1 + 1, 'b': [,1], }", "e.json")->dump(),
            R"({"a":2,"b":[null,1]})");
}

}  // namespace
}  // namespace pmx::config
