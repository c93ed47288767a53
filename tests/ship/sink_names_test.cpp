#include "ship/sink_names.h"

#include <gtest/gtest.h>

namespace pmx::ship {
namespace {

using Names = std::map<std::string, std::string>;

TEST(SinkNamesTest, ANameThatOneSinkHasIsItsName) {
  const Names names{{"0123456789abcdef", "loki-h"}, {"1123456789abcdef", "es"}};
  EXPECT_EQ(distinct_names(names), names);
}

TEST(SinkNamesTest, SinksOfOneNameAreToldApartByTheirIds) {
  const Names names{
      {"0123456789abcdef", "loki-h"}, {"1123456789abcdef", "loki-h"}, {"2123456789abcdef", "es"}};
  EXPECT_EQ(distinct_names(names), (Names{{"0123456789abcdef", "loki-h-01234567"},
                                          {"1123456789abcdef", "loki-h-11234567"},
                                          {"2123456789abcdef", "es"}}));
}

TEST(SinkNamesTest, AThirdSinkChangesNobodysName) {
  Names names{{"0123456789abcdef", "loki-h"}, {"1123456789abcdef", "loki-h"}};
  const Names before = distinct_names(names);
  names["0023456789abcdef"] = "loki-h";
  const Names after = distinct_names(names);
  for (const auto& [id, name] : before) EXPECT_EQ(after.at(id), name);
}

TEST(SinkNamesTest, NamesThatAreStillAlikeHaveTheWholeId) {
  const Names names{{"0123456789abcdef", "a"}, {"01234567aaaaaaaa", "a"}, {"2", "a-01234567"}};
  std::map<std::string, int> seen;
  for (const auto& [id, name] : distinct_names(names)) ++seen[name];
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(distinct_names(names).at("2"), "a-01234567");
}

}  // namespace
}  // namespace pmx::ship
