#include "config/settings_doc.h"

#include <gtest/gtest.h>

#include "base/sys.h"

namespace pmx::config {
namespace {

TEST(SettingsDocTest, DocumentInTheTreeIsTheTablesOwn) {
  const std::string source = __FILE__;
  const std::string root = source.substr(0, source.rfind("/tests/"));
  const Result<std::string> file = sys::read_file(root + "/docs/SETTINGS.md");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(*file, settings_markdown()) << "run: pmx docs settings > docs/SETTINGS.md";
}

}  // namespace
}  // namespace pmx::config
