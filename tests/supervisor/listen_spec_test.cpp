#include "supervisor/listen_spec.h"

#include <gmock/gmock.h>

namespace pmx::supervisor {
namespace {

using Kind = ListenAddress::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ListenSpec spec_of(const std::string& entry) {
  auto spec = listen_spec_of(entry);
  EXPECT_TRUE(spec) << entry;
  return spec ? *spec : ListenSpec();
}
std::string error_of(const std::string& entry) {
  const auto spec = listen_spec_of(entry);
  return spec ? "" : spec.error().message();
}
std::vector<std::string> entries_of(const std::string& json) {
  auto entries = listen_entries(*Json::parse(json));
  EXPECT_TRUE(entries) << json;
  return entries ? *entries : std::vector<std::string>();
}
std::string error_of_value(const std::string& json) {
  const auto entries = listen_entries(*Json::parse(json));
  return entries ? "" : entries.error().message();
}

TEST(ListenSpec, OfAPortIsAnyAddressUnderThePortsName) {
  ListenAddress any;
  any.port = 3000;
  EXPECT_EQ(spec_of("3000").address, any);
  EXPECT_EQ(spec_of("3000").name, "3000");
  EXPECT_EQ(spec_of("*:3000").address, spec_of(":3000").address);
}

TEST(ListenSpec, OfAnIpAddressIsThatAddress) {
  ListenAddress address;
  address.address = "127.0.0.1";
  address.port = 80;
  EXPECT_EQ(spec_of("127.0.0.1:80").address, address);
  EXPECT_EQ(spec_of("localhost:80").address, spec_of("127.0.0.1:80").address);
  address.address = "::1";
  address.ipv6 = true;
  EXPECT_EQ(spec_of("[::1]:80").address, address);
  EXPECT_EQ(spec_of("[fe80::1%eth0]:80").address.address, "fe80::1%eth0");
}

TEST(ListenSpec, OfAUnixPathIsCalledByItsFile) {
  const ListenSpec spec = spec_of("unix:/run/a:b=c.sock");
  EXPECT_EQ(spec.address.kind, Kind::kUnix);
  EXPECT_EQ(spec.address.address, "/run/a:b=c.sock");
  EXPECT_EQ(spec.name, "a_b=c.sock");
}

TEST(ListenSpec, HasTheNameThatIsGiven) {
  EXPECT_EQ(spec_of("web=3000").name, "web");
  EXPECT_EQ(spec_of("web=3000").address.port, 3000);
  EXPECT_EQ(spec_of("admin.1=unix:/run/a=b").address.address, "/run/a=b");
  EXPECT_EQ(names_of({spec_of("web=80"), spec_of("81")}), "web:81");
}

TEST(ListenSpec, ThatIsNoneIsSaidWithWhatWouldDo) {
  for (const char* const bad :
       {"", "web", "host:80", "1.2.3:80", "::1:80", "80x", "[127.0.0.1]:80", "[::1]", "web="})
    EXPECT_THAT(error_of(bad), HasSubstr("is no address to listen on: a port, an IP address"))
        << bad;
  EXPECT_EQ(error_of("0"), "\"0\" has no port from 1 to 65535");
  EXPECT_EQ(error_of("127.0.0.1:65536"), "\"127.0.0.1:65536\" has no port from 1 to 65535");
  EXPECT_THAT(error_of("unix:"), HasSubstr("names no path"));
  EXPECT_THAT(error_of("unix:/" + std::string(107, 'a')), HasSubstr("at most 107 bytes"));
  EXPECT_EQ(error_of("unix:/" + std::string(106, 'a')), "");
  EXPECT_THAT(error_of("a:b=80"), HasSubstr("has no good name"));
  EXPECT_THAT(error_of("=80"), HasSubstr("has no good name"));
}

TEST(ListenSpec, MayBeTextANumberAnObjectOrAListOfThem) {
  EXPECT_THAT(entries_of("3000"), ElementsAre("3000"));
  EXPECT_THAT(entries_of(R"("3000, web=unix:/a 127.0.0.1:1")"),
              ElementsAre("3000", "web=unix:/a", "127.0.0.1:1"));
  EXPECT_THAT(entries_of(R"({"name":"web","address":3000})"), ElementsAre("web=3000"));
  EXPECT_THAT(entries_of(R"([3000, "unix:/a, b", {"address":"[::1]:1"}])"),
              ElementsAre("3000", "unix:/a, b", "[::1]:1"));
  for (const char* const none : {"null", "false", "[]", R"("")"})
    EXPECT_THAT(entries_of(none), IsEmpty());
}

TEST(ListenSpec, OfAnotherKindIsRefused) {
  EXPECT_THAT(error_of_value("true"), HasSubstr("true"));
  EXPECT_THAT(error_of_value("[[3000]]"), HasSubstr("is no address"));
  EXPECT_THAT(error_of_value(R"({"adress":3000})"), HasSubstr("\"adress\" is not known"));
  EXPECT_THAT(error_of_value(R"({"name":"web"})"), HasSubstr("is no address"));
  EXPECT_THAT(error_of_value(R"(["web=3000","api=3000"])"), HasSubstr("is there twice"));
  EXPECT_THAT(error_of_value(R"([3000,"[::]:3000"])"), HasSubstr("is there twice"));
}

TEST(ListenSpec, IsOneOfSixteenAtMost) {
  std::vector<std::string> entries;
  for (int port = 1; port <= 16; ++port) entries.push_back(std::to_string(port));
  EXPECT_TRUE(listen_specs_of(entries));
  entries.emplace_back("17");
  EXPECT_EQ(listen_specs_of(entries).error().message(), "17 addresses: an app may have 16");
}

TEST(ListenSpec, WithARelativePathIsOneOfTheAppsDirectory) {
  EXPECT_EQ(absolute_entry("web=unix:run/a.sock", "/srv/my app", ""),
            "web=unix:/srv/my app/run/a.sock");
  EXPECT_EQ(absolute_entry("unix:~/a.sock", "/srv", "/home/me"), "unix:/home/me/a.sock");
  EXPECT_EQ(absolute_entry("unix:/a.sock", "/srv", ""), "unix:/a.sock");
  EXPECT_EQ(absolute_entry("web=3000", "/srv", ""), "web=3000");
}

}  // namespace
}  // namespace pmx::supervisor
