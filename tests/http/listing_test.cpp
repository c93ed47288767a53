#include "http/listing.h"

#include <gtest/gtest.h>

namespace pmx::http {
namespace {

TEST(ListingTest, LinksAreRelativeAndFoldersEndInASlash) {
  const std::string page = listing_page("a/b", {{"sub", true, 0, 0}, {"x.txt", false, 1536, 0}});
  EXPECT_NE(page.find("<title>Index of /a/b/</title>"), std::string::npos);
  EXPECT_NE(page.find("<a href=\"../\">../</a>"), std::string::npos);
  EXPECT_NE(page.find("<a href=\"./sub/\">sub/</a>"), std::string::npos);
  EXPECT_NE(page.find("<a href=\"./x.txt\">x.txt</a><td>1.5kb<td>1970-01-01T00:00:00.000Z"),
            std::string::npos)
      << page;
}

TEST(ListingTest, TheServedFolderHasNothingAboveIt) {
  EXPECT_EQ(listing_page("", {}).find("../"), std::string::npos);
  EXPECT_NE(listing_page("", {}).find("Index of /<"), std::string::npos);
}

TEST(ListingTest, NamesAreTextAndNotMarkup) {
  const std::string page = listing_page("<b>", {{"<script>\"&.js", false, 1, 0}});
  EXPECT_EQ(page.find("<script>"), std::string::npos);
  EXPECT_EQ(page.find("<b>"), std::string::npos);
  EXPECT_NE(page.find("href=\"./%3Cscript%3E%22%26.js\">&lt;script&gt;&quot;&amp;.js</a>"),
            std::string::npos)
      << page;
}

}  // namespace
}  // namespace pmx::http
