#include "config/settings_doc.h"

#include <gtest/gtest.h>

#include "base/sys.h"

namespace pmx::config {
namespace {

TEST(SettingsDocTest, DocumentInTheTreeIsTheTablesOwn) {
  const Result<std::string> file = sys::read_file(PMX_SOURCE_DIRECTORY "/docs/SETTINGS.md");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(*file, settings_markdown()) << "run: pmx docs settings > docs/SETTINGS.md";
}

}  // namespace
}  // namespace pmx::config
