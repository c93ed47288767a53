#include "http/site.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "base/base64.h"
#include "base/sys.h"
#include "http/folder_fixture.h"
#include "support/without_capabilities.h"

namespace pmx::http {
namespace {

class SiteTest : public test::FolderTest {
 protected:
  SiteTest() {
    options_.folder = folder_;
    file("index.html", "<home>");
    file("app.js", "0123456789");
    file("sub/index.html", "<sub>");
    file("plain/x.txt", "x");
  }

  Answer ask(std::string_view target) {
    request_.target = target;
    if (request_.method.empty()) request_.method = "GET";
    return Site(options_).answer(request_);
  }
  int status(std::string_view target) { return ask(target).status; }
  static std::string body_of(const Answer& answer) {
    if (!answer.file) return answer.body;
    std::string text(answer.size, '\0');
    const auto got =
        ::pread(answer.file.get(), text.data(), text.size(), static_cast<off_t>(answer.offset));
    EXPECT_EQ(got, static_cast<ssize_t>(text.size()));
    return text;
  }
  std::string body(std::string_view target) { return body_of(ask(target)); }
  static std::string header(const Answer& answer, std::string_view name) {
    for (const auto& [key, value] : answer.headers)
      if (key == name) return value;
    return "";
  }

  SiteOptions options_;
  Request request_;
};

TEST_F(SiteTest, ServesFilesAndTheHomepage) {
  EXPECT_EQ(body("/"), "<home>");
  EXPECT_EQ(body("/app.js"), "0123456789");
  EXPECT_EQ(body("/app.js?v=3"), "0123456789");
  EXPECT_EQ(body("/sub/"), "<sub>");
  const Answer answer = ask("/app.js");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(header(answer, "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(header(answer, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header(answer, "Cache-Control"), "no-cache");
  options_.homepage = "/app.js";
  EXPECT_EQ(body("/"), "0123456789");
  EXPECT_EQ(body("/sub/"), "<sub>");
}

TEST_F(SiteTest, AFolderWithAnIndexIsSentToItsSlash) {
  const Answer answer = ask("/sub?a=1");
  EXPECT_EQ(answer.status, 301);
  EXPECT_EQ(header(answer, "Location"), "./sub/?a=1");
  EXPECT_EQ(status("/plain"), 404);
  EXPECT_EQ(status("/plain/"), 404);
}

TEST_F(SiteTest, ARedirectNeverNamesAnotherHost) {
  file("evil.com/index.html", "");
  file("a:b\\c/index.html", "");
  EXPECT_EQ(header(ask("//evil.com"), "Location"), "./evil.com/");
  EXPECT_EQ(header(ask("/a:b%5cc"), "Location"), "./a%3Ab%5Cc/");
}

TEST_F(SiteTest, WhatIsNotThereIs404WithTheFoldersOwnPage) {
  EXPECT_EQ(status("/none"), 404);
  EXPECT_EQ(body("/none"), "404 Not Found\n");
  EXPECT_EQ(status("/app.js/x"), 404);
  EXPECT_EQ(status("/app.js/"), 404);
  EXPECT_EQ(status("/" + std::string(5000, 'a')), 404);
  file("404.html", "<lost>");
  const Answer answer = ask("/none");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(body_of(answer), "<lost>");
  EXPECT_EQ(header(answer, "Content-Type"), "text/html; charset=utf-8");
  request_.range = "bytes=0-0";
  EXPECT_EQ(body("/none"), "<lost>");
}

TEST_F(SiteTest, TheWayOutIsNotThereAndIsSaidToWhoRunsIt) {
  link("out", "../secret.txt");
  link("index", "app.js");
  const Answer answer = ask("/out");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.trouble, "out: a link leads out");
  EXPECT_EQ(body("/index"), "0123456789");
  EXPECT_EQ(status("/../secret.txt"), 400);
  EXPECT_EQ(status("/%2e%2e/secret.txt"), 400);
  EXPECT_EQ(status("/..%2fsecret.txt"), 404);
}

TEST_F(SiteTest, DotfilesAreThereOnlyIfAskedForButForTheWellKnown) {
  file(".env", "KEY=1");
  file(".well-known/security.txt", "mail");
  EXPECT_EQ(status("/.env"), 404);
  EXPECT_EQ(status("/%2Eenv"), 404);
  EXPECT_EQ(body("/.well-known/security.txt"), "mail");
  options_.single_page = true;
  EXPECT_EQ(status("/.env"), 404);
  EXPECT_EQ(status("/.git/HEAD"), 404);
  options_.dotfiles = true;
  EXPECT_EQ(body("/.env"), "KEY=1");
  EXPECT_EQ(status("/..%2fsecret.txt"), 404);
}

TEST_F(SiteTest, ASinglePageAppGetsItsHomepageForItsRoutes) {
  EXPECT_EQ(status("/users/5"), 404);
  options_.single_page = true;
  for (const char* const route : {"/users/5", "/users", "/a%2Fb/c", "/v1.2/", "/plain", "/plain/"})
    EXPECT_EQ(body(route), "<home>") << route;
  EXPECT_EQ(status("/users/5"), 200);
  EXPECT_EQ(body("/users/app.js"), "0123456789");  // From a relative link, as in PM2.
  EXPECT_EQ(status("/users/none.js"), 404);
  EXPECT_EQ(status("/none.png"), 404);
  EXPECT_EQ(header(ask("/sub"), "Location"), "./sub/");
}

TEST_F(SiteTest, AListingShowsFoldersThatHaveNoIndex) {
  options_.listing = true;
  EXPECT_NE(body("/plain/").find("./x.txt"), std::string::npos);
  EXPECT_EQ(header(ask("/plain"), "Location"), "./plain/");
  EXPECT_EQ(body("/sub/"), "<sub>");
  EXPECT_EQ(status("/none/"), 404);
  EXPECT_EQ(status("/app.js/"), 404);
}

TEST_F(SiteTest, WhoHasItAlreadyIsNotSentItAgain) {
  const Answer first = ask("/app.js");
  const std::string etag = header(first, "ETag"), modified = header(first, "Last-Modified");
  EXPECT_EQ(etag.front(), '"');
  const auto status_with = [&](const std::string& tags, const std::string& since) {
    request_.if_none_match = tags;
    request_.if_modified_since = since;
    return status("/app.js");
  };
  EXPECT_EQ(status_with(etag, ""), 304);
  EXPECT_EQ(status_with("\"x\", W/" + etag, ""), 304);
  EXPECT_EQ(status_with("*", ""), 304);
  EXPECT_EQ(status_with("", modified), 304);
  EXPECT_EQ(status_with("\"x\"", modified), 200);  // The tag is the better judge.
  EXPECT_EQ(status_with("", "Thu, 01 Jan 1970 00:00:00 GMT"), 200);
  EXPECT_EQ(status_with("\"x", ""), 200);
  const std::string tags = etag;
  request_.if_none_match = tags;
  request_.if_modified_since = {};
  const Answer again = ask("/app.js");
  EXPECT_EQ(header(again, "ETag"), etag);
}

TEST_F(SiteTest, AFileThatWasReplacedHasAnotherTag) {
  const Answer first = ask("/app.js");
  const std::string before = header(first, "ETag");
  file("app.js", "9876543210");
  const timespec times[2] = {{1000, 0}, {1000, 0}};
  ::utimensat(-1, (folder_ + "/app.js").c_str(), times, 0);
  const std::string replaced = header(ask("/app.js"), "ETag");
  EXPECT_NE(replaced, before);
  file("app.js", "abcdefghij");
  ::utimensat(-1, (folder_ + "/app.js").c_str(), times, 0);
  EXPECT_NE(header(ask("/app.js"), "ETag"), replaced);  // Same size, same date.
}

TEST_F(SiteTest, APartIsSentWhereOneIsAskedFor) {
  request_.range = "bytes=2-4";
  const Answer part = ask("/app.js");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(body_of(part), "234");
  EXPECT_EQ(header(part, "Content-Range"), "bytes 2-4/10");
  request_.range = "bytes=10-";
  const Answer none = ask("/app.js");
  EXPECT_EQ(none.status, 416);
  EXPECT_EQ(header(none, "Content-Range"), "bytes */10");
  request_.range = "bytes=0-1,4-5";
  EXPECT_EQ(status("/app.js"), 200);
  request_.method = "HEAD";
  request_.range = "bytes=2-4";
  EXPECT_EQ(ask("/app.js").size, 10U);
}

TEST_F(SiteTest, APartOfAnotherVersionIsNotSent) {
  const Answer first = ask("/app.js");
  const std::string etag = header(first, "ETag"), modified = header(first, "Last-Modified");
  request_.range = "bytes=2-4";
  for (const std::string& same : {etag, modified}) {
    request_.if_range = same;
    EXPECT_EQ(status("/app.js"), 206) << same;
  }
  for (const std::string other : {"\"x\"", "W/\"x\"", "Thu, 01 Jan 1970 00:00:00 GMT"}) {
    request_.if_range = other;
    EXPECT_EQ(status("/app.js"), 200) << other;
  }
}

TEST_F(SiteTest, APasswordStandsBeforeEverything) {
  options_.user = "me";
  options_.password = "secret";
  for (const char* const target : {"/", "/none", "/%", "/.env"})
    EXPECT_EQ(status(target), 401) << target;
  EXPECT_EQ(header(ask("/"), "WWW-Authenticate").find("Basic realm="), 0U);
  const std::string right = "Basic " + base64_encode("me:secret");
  request_.authorization = right;
  EXPECT_EQ(status("/"), 200);
  EXPECT_EQ(status("/none"), 404);
}

TEST_F(SiteTest, OtherMethodsAreNotForFiles) {
  for (const char* const method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"}) {
    request_.method = method;
    const Answer answer = ask("/");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(header(answer, "Allow"), "GET, HEAD");
  }
}

TEST_F(SiteTest, AFolderThatIsGoneIsAMatterOfTheServers) {
  options_.folder = folder_ + "/none";
  const Answer answer = ask("/");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.trouble, "open " + folder_ + "/none: No such file or directory");
}

TEST_F(SiteTest, WhatTheFileSystemRefusesIs403) {
  const pmx::test::WithoutCapabilities as_anybody;
  file("closed.txt", "x");
  ::chmod((folder_ + "/closed.txt").c_str(), 0);
  const Answer answer = ask("/closed.txt");
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.trouble, "open closed.txt: Permission denied");
}

}  // namespace
}  // namespace pmx::http
