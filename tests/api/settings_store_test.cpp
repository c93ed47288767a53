#include "api/settings_store.h"

#include <gtest/gtest.h>

#include "api/api_fixture.h"

namespace pmx::test {
namespace {

class SettingsStoreTest : public ApiFixture {};

TEST_F(SettingsStoreTest, NullUnsets) {
  ASSERT_TRUE(settings_.change(Json::object({{"a", 1}, {"b", 2}})));
  const auto after = settings_.change(Json::object({{"a", nullptr}}));
  ASSERT_TRUE(after);
  EXPECT_EQ(after->dump(), "{\"b\":2}");
}

TEST_F(SettingsStoreTest, TheLongFormIsTakenAsItIs) {
  Json unset = Json::array();
  unset.push_back("a");
  ASSERT_TRUE(settings_.change(Json::object({{"a", 1}})));
  const auto after =
      settings_.change(Json::object({{"set", Json::object({{"c", 3}})}, {"unset", unset}}));
  EXPECT_EQ(after->dump(), "{\"c\":3}");
}

TEST_F(SettingsStoreTest, ABadChangeChangesNothing) {
  ASSERT_TRUE(settings_.change(Json::object({{"a", 1}})));
  EXPECT_FALSE(settings_.change(Json::object({{"a", 2}, {"no.such.key", 1}})));
  EXPECT_EQ(settings_.read()->dump(), "{\"a\":1}");
}

TEST_F(SettingsStoreTest, AFileThatIsNoJsonIsSaidByItsName) {
  (void)files_.replace_file(home_ + "/state/settings.json", "{");
  const auto values = settings_.read();
  ASSERT_FALSE(values);
  EXPECT_NE(values.error().message().find("settings.json"), std::string::npos);
}

}  // namespace
}  // namespace pmx::test
