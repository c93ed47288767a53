#include "ship/ecs_record.h"

#include <gtest/gtest.h>

namespace pmx::ship {
namespace {

TEST(EcsRecordTest, FindsAFieldHoweverItIsSpelt) {
  struct Row {
    std::string object, path;
    bool has;
  };
  const Row rows[] = {
      {R"({"service.name":"a"})", "service.name", true},
      {R"({"service":{"name":"a"}})", "service.name", true},
      {R"( { "service" : { "name" : "a" } } )", "service.name", true},
      {R"({"service":{"name":"a"}})", "service.version", false},
      {R"({"service":{"node":{"name":"1"}}})", "service.node.name", true},
      {R"({"service":{"node.name":"1"}})", "service.node.name", true},
      {R"({"service.node":{"name":"1"}})", "service.node.name", true},
      {R"({"service":{"node":{"role":"1"}}})", "service.node.name", false},
      {R"({"service":{}})", "service.name", false},
      {R"({"service":"a"})", "service.name", true},  // No object: "name" would contradict it.
      {R"({"service":null})", "service.name", true},
      {R"({"service":["a"]})", "service.name", true},
      {R"({"services":"a"})", "service.name", false},
      {R"({"serv":"a"})", "service.name", false},
      {R"({"message":"\"service.name\":1,\\"})", "service.name", false},
      {R"({"other":{"service.name":"a","x":[{"host.name":"}"}]},"stream":1})", "service.name",
       false},
      {R"({"other":{"a":"}","x":[1,{"b":"\\\""}]},"stream":1})", "stream", true},
      {R"({"a":-1.5e3,"b":true,"c":null,"stream":"x"})", "stream", true},
      {R"({})", "stream", false},
  };
  EcsRecord record;
  for (const Row& row : rows) {
    ASSERT_TRUE(record.read(row.object)) << row.object;
    EXPECT_EQ(record.has(row.path), row.has) << row.object << " " << row.path;
  }
}

TEST(EcsRecordTest, SaysWhereItCannotBeTold) {
  std::string many = "{\"k\":0";
  for (std::size_t i = 0; i < EcsRecord::kMaxFields; ++i)
    many += ",\"k" + std::to_string(i) + "\":0";
  const std::string rows[] = {
      R"({"service\u002ename":"a"})",
      many + "}",
      "{\"" + std::string(EcsRecord::kMaxPathBytes, 'k') + "\":1}",
      R"({"a":1} x)",
      R"({"a":1)",
      R"({"a")",
      R"({"a":)",
      R"({"a":"x)",
      R"({"a":{"b":[)",
      R"({"a":1,})",
      R"({a:1})",
      R"([])",
      "",
  };
  EcsRecord record;
  for (const std::string& row : rows) EXPECT_FALSE(record.read(row)) << row.substr(0, 60);
}

TEST(EcsRecordTest, EveryCutOfARecordIsNoRecord) {
  const std::string whole = R"({"@timestamp":"x","log":{"level":"a\"}"},"n":[{},1],"service":{}})";
  EcsRecord record;
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_FALSE(record.read(std::string_view(whole).substr(0, cut))) << "cut at " << cut;
  EXPECT_TRUE(record.read(whole));
}

}  // namespace
}  // namespace pmx::ship
