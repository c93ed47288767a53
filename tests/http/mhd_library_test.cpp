#include "http/mhd_library.h"

#include <gtest/gtest.h>

namespace pmx::http {
namespace {

TEST(MhdLibraryTest, SaysWhichPackageIsMissing) {
  const auto missing = MhdLibrary::open("libmicrohttpd.so.none");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("libmicrohttpd12"), std::string::npos);
}

TEST(MhdLibraryTest, AnotherLibraryIsNotTakenForIt) {
  const auto another = MhdLibrary::open("libc.so.6");
  ASSERT_FALSE(another);
  EXPECT_NE(another.error().message().find("MHD_start_daemon"), std::string::npos);
}

TEST(MhdLibraryTest, HasEachFunctionOfTheInstalledOne) {
  const auto http = MhdLibrary::open();
  ASSERT_TRUE(http) << http.error().message();
  EXPECT_NE(http->lookup_connection_value, nullptr);
}

}  // namespace
}  // namespace pmx::http
