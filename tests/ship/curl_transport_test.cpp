#include "ship/curl_transport.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>

#include "ship/internal/curl_errors.h"
#include "ship/internal/curl_library.h"
#include "ship/transport_client.h"
#include "support/fake_http_server.h"

namespace pmx::ship {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::FakeHttpServer;
using test::TransportClient;
using test::WireReply;

class CurlTransportTest : public testing::Test {
 protected:
  std::string host_port() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  HttpAnswer post(std::string body = "line\n") { return client_.post(server_.url(), body); }

  FakeHttpServer server_;
  TransportClient client_;
};

std::string http_date(seconds from_now) {
  const std::time_t when =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + from_now);
  std::tm parts{};
  ::gmtime_r(&when, &parts);
  std::array<char, 64> text;
  const std::size_t n =
      std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text.data(), n};
}

std::string gzip(const std::string& plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

TEST_F(CurlTransportTest, SendsWhatItWasGivenAndNothingThatASmallServerTripsOver) {
  HttpRequest request = TransportClient::to(server_.url("/push?a=b"), "hello");
  request.method = "PUT";
  request.headers = {{"Content-Type", "application/json"}, {"X-Scope-OrgID", "t1"}, {"X-E", ""}};
  EXPECT_EQ(client_.ask(request).status, 204);
  ASSERT_EQ(server_.requests().size(), 1U);
  FakeHttpServer::Request got = server_.requests()[0];
  EXPECT_EQ(got.method + " " + got.target + " " + got.version, "PUT /push?a=b HTTP/1.1");
  EXPECT_EQ(got.body, "hello");
  const std::map<std::string, std::string> expected{{"host", host_port()},
                                                    {"user-agent", "pmx/test"},
                                                    {"content-type", "application/json"},
                                                    {"x-scope-orgid", "t1"},
                                                    {"x-e", ""},
                                                    {"content-length", "5"},
                                                    {"accept-encoding", "gzip"},
                                                    {"accept", "*/*"}};
  EXPECT_EQ(got.headers, expected) << "no Expect, no Upgrade, no chunks";
}

TEST_F(CurlTransportTest, AsksWithoutABody) {
  HttpRequest request = TransportClient::to(server_.url("/ready"), "");
  request.method = "GET";
  server_.answer(WireReply::of(200, "ready"));
  const HttpAnswer answer = client_.ask(request);
  EXPECT_EQ(answer.body, "ready");
  EXPECT_EQ(server_.requests().at(0).method, "GET");
  EXPECT_FALSE(server_.requests().at(0).headers.contains("content-length"));
}

TEST_F(CurlTransportTest, GivesTheAnswerAsItIs) {
  const std::string body(300'000, 'x');
  for (const int status : {200, 201, 260, 301, 307, 400, 401, 403, 404, 413, 429, 500, 503}) {
    WireReply reply = WireReply::of(status, body).with("Location", server_.url("/elsewhere"));
    server_.answer(status % 2 == 0 ? std::move(reply) : std::move(reply).in_chunks());
    const HttpAnswer answer = post();
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.body, body);
    EXPECT_EQ(answer.error, "");
    EXPECT_FALSE(answer.retry_after);
  }
  EXPECT_EQ(server_.requests().size(), 13U) << "a redirect is an answer, not an order";
}

TEST_F(CurlTransportTest, UsesAConnectionAgain) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(post().status, 204);
  EXPECT_EQ(server_.connections(), 1);
  server_.answer(WireReply::of(200).closing());
  EXPECT_EQ(post().status, 200);
  EXPECT_EQ(post().status, 204);
  EXPECT_EQ(server_.connections(), 2);
}

TEST_F(CurlTransportTest, ReadsHowLongTheStoreWantsToBeLeftAlone) {
  const struct {
    std::string value;
    int least_s, most_s;  // 0: nothing.
  } rows[] = {{"3", 3, 3},
              {"3600", 3600, 3600},
              {"86400", 3600, 3600},
              {http_date(seconds(120)), 110, 121},
              {http_date(seconds(-120)), 0, 0},
              {"0", 0, 0},
              {"soon", 0, 0}};
  for (const auto& row : rows) {
    server_.answer(WireReply::of(429, "slow down").with("Retry-After", row.value));
    const HttpAnswer answer = post();
    EXPECT_EQ(answer.status, 429);
    ASSERT_EQ(answer.retry_after.has_value(), row.most_s > 0) << row.value;
    if (row.most_s == 0) continue;
    EXPECT_GE(*answer.retry_after, seconds(row.least_s)) << row.value;
    EXPECT_LE(*answer.retry_after, seconds(row.most_s)) << row.value;
  }
}

TEST_F(CurlTransportTest, SaysWhatHappenedInsteadOfAnAnswer) {
  const struct {
    WireReply reply;
    std::string error;  // Behind host and port.
  } rows[] = {
      {WireReply::reset(), ": Connection reset by peer"},
      {WireReply::close(), " closed the connection without an answer"},
      {WireReply::raw("SSH-2.0-OpenSSH_9.2\r\n"),
       " does not answer as an HTTP server: Received HTTP/0.9 when not allowed"},
      {WireReply::of(200, "{\"items\":[]}").cut(3), " closed the connection within its answer"},
      {WireReply::of(200, "no gzip").with("Content-Encoding", "gzip"),
       ": its answer cannot be decoded: "},
  };
  for (const auto& row : rows) {
    server_.answer(row.reply);
    const HttpAnswer answer = post();
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.error.substr(0, host_port().size() + row.error.size()),
              host_port() + row.error);
    EXPECT_EQ(answer.error.find('\n'), std::string::npos);
    EXPECT_TRUE(answer.sent) << row.error;
  }
}

TEST_F(CurlTransportTest, ARefusalWhoseWordsAreCutIsStillARefusal) {
  server_.answer(WireReply::of(413, "request body too large").cut(4));
  const HttpAnswer answer = post();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.body, "request body too l");
}

TEST_F(CurlTransportTest, AStoreMayRefuseBeforeItHasReadTheBody) {
  server_.answer(WireReply::of(413, "too large").early());
  const HttpAnswer answer = post(std::string(8U << 20U, 'x'));
  EXPECT_EQ(answer.status, 413) << answer.error;
  EXPECT_EQ(answer.body, "too large");
}

TEST_F(CurlTransportTest, NobodyThereIsNotSent) {
  // A port that is bound and does not listen.
  const Fd bound(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(bound.get(), raw, size), 0);
  ASSERT_EQ(::getsockname(bound.get(), raw, &size), 0);
  const std::string where = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const HttpAnswer answer = client_.post("http://" + where + "/push");
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.error, "connect " + where + ": Connection refused");
  EXPECT_FALSE(answer.sent);
}

TEST_F(CurlTransportTest, AHostThatDoesNotExistIsNotSent) {
  const std::string host(64, 'a');  // No label of DNS is so long: nobody is asked.
  const HttpAnswer answer = client_.post("http://" + host + ":3100/");
  EXPECT_EQ(answer.error,
            "resolve " + host + ": no such host; look at the URL and at this machine's DNS");
  EXPECT_FALSE(answer.sent);
}

TEST_F(CurlTransportTest, GivesUpWhenTheTimeIsOver) {
  server_.answer(WireReply::stall());
  HttpRequest request = TransportClient::to(server_.url());
  request.timeout = milliseconds(100);
  const HttpAnswer answer = client_.ask(request);
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.error, host_port() + ": no answer within 100 ms");
  EXPECT_TRUE(answer.sent);
}

TEST_F(CurlTransportTest, NeverRepeatsByItselfWhatTheStoreMayHaveTaken) {
  EXPECT_EQ(post("first").status, 204);
  server_.answer(WireReply::close());  // On a kept connection, where libcurl would try again.
  const HttpAnswer answer = post("second");
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(answer.error, host_port() + " closed the connection during the request");
  EXPECT_TRUE(answer.sent);
  EXPECT_EQ(server_.requests().size(), 2U);
  EXPECT_EQ(post("third").status, 204);
}

TEST_F(CurlTransportTest, DecodesAndCutsAnAnswer) {
  const std::string large(kMaxAnswerBytes + 1, 'a');
  server_.answer(WireReply::of(200, gzip("hello")).with("Content-Encoding", "gzip"))
      .then(WireReply::of(200, large))
      .then(WireReply::of(200, gzip(large)).with("Content-Encoding", "gzip"))
      .then(WireReply::of(200, std::string(kMaxAnswerBytes, 'b')));
  EXPECT_EQ(post().body, "hello");
  for (int i = 0; i < 3; ++i) {
    const HttpAnswer answer = post();
    EXPECT_EQ(answer.status, 200) << answer.error;
    EXPECT_EQ(answer.body.size(), kMaxAnswerBytes);
  }
}

TEST_F(CurlTransportTest, ManyLargeRequestsGoAtTheSameTime) {
  constexpr int kRequests = 20;
  int answered = 0;
  for (int i = 0; i < kRequests; ++i)
    client_.transport().send(
        TransportClient::to(server_.url(), std::string(1U << 20U, static_cast<char>('a' + i))),
        [&](const HttpAnswer& answer) {
          EXPECT_EQ(answer.status, 204) << answer.error;
          if (++answered == kRequests) client_.loop().stop();
        });
  EXPECT_EQ(answered, 0) << "never from within send()";
  client_.loop().run();
  std::string firsts;
  for (const auto& request : server_.requests()) {
    EXPECT_EQ(request.body, std::string(1U << 20U, request.body[0]));
    firsts += request.body[0];
  }
  std::sort(firsts.begin(), firsts.end());
  EXPECT_EQ(firsts, "abcdefghijklmnopqrst");
}

TEST_F(CurlTransportTest, ACancelledRequestIsNeverAnswered) {
  server_.answer(WireReply::stall());
  HttpTransport::Id first = 0;
  bool told = false;  // The server's thread.
  server_.on_request([&] {
    if (std::exchange(told, true)) return;
    client_.loop().post([&] {
      client_.transport().cancel(first);
      client_.transport().cancel(first);
      client_.transport().cancel(first + 1000);
      client_.transport().send(TransportClient::to(server_.url()), [&](const HttpAnswer& answer) {
        EXPECT_EQ(answer.status, 204);
        client_.loop().stop();
      });
    });
  });
  first = client_.transport().send(TransportClient::to(server_.url()),
                                   [](const HttpAnswer&) { ADD_FAILURE() << "was cancelled"; });
  client_.loop().run();
  EXPECT_EQ(server_.requests().size(), 2U);
}

TEST_F(CurlTransportTest, ACallbackMaySendAndCancelOthers) {
  HttpTransport::Id doomed = 0;
  HttpRequest bad = TransportClient::to(server_.url());
  bad.headers = {{"X-Token", "a\nb"}};
  std::string error;
  client_.transport().send(bad, [&](const HttpAnswer& answer) {
    error = answer.error;
    client_.transport().cancel(doomed);
    client_.transport().send(TransportClient::to(server_.url()),
                             [&](const HttpAnswer&) { client_.loop().stop(); });
  });
  doomed = client_.transport().send(bad, [](const HttpAnswer&) { ADD_FAILURE(); });
  EXPECT_EQ(error, "") << "never from within send()";
  client_.loop().run();
  EXPECT_EQ(error, "header X-Token has a line break");
}

TEST_F(CurlTransportTest, NothingIsLeftInTheLoopOfATransportThatWent) {
  for (int i = 0; i < 3; ++i) server_.answer(WireReply::stall());
  bool told = false;
  server_.on_request([&] {
    client_.loop().post([&] {
      told = true;
      client_.destroy_transport();
      client_.loop().stop();
    });
  });
  for (int i = 0; i < 3; ++i)
    client_.transport().send(TransportClient::to(server_.url()),
                             [](const HttpAnswer&) { ADD_FAILURE() << "the transport is gone"; });
  while (!told) client_.loop().run();
  EXPECT_TRUE(told);
}

TEST_F(CurlTransportTest, WakesNobodyWhileThereIsNoRequest) {
  EXPECT_EQ(post().status, 204);
  const std::uint64_t before = client_.loop().wakeups();
  client_.loop().call_after(milliseconds(300), [this] { client_.loop().stop(); });
  client_.loop().run();
  EXPECT_LE(client_.loop().wakeups() - before, 3U) << "the timer, the stop, its flag";
}

TEST_F(CurlTransportTest, GoesThroughTheProxyOfTheEnvironment) {
  ::setenv("http_proxy", server_.url().c_str(), 1);
  EXPECT_EQ(client_.post("http://store.invalid:3100/push").status, 204);
  ::setenv("no_proxy", "127.0.0.1", 1);
  EXPECT_EQ(post().status, 204);
  EXPECT_EQ(server_.requests().at(0).target, "http://store.invalid:3100/push");
  EXPECT_EQ(server_.requests().at(1).target, "/");
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  const std::string error = client_.post("http://store.invalid:3100/push").error;
  EXPECT_NE(error.find("connect store.invalid:3100: Failed to connect to 127.0.0.1 port 1 "),
            std::string::npos)
      << error;
  ::unsetenv("http_proxy");
  ::unsetenv("no_proxy");
}

TEST(CurlLibraryTest, SaysWhichPackageIsMissing) {
  const auto missing = CurlLibrary::open("libcurl-of-nobody.so.4");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::kNotFound);
  const std::string& text = missing.error().message();
  EXPECT_EQ(text.find("shipping needs libcurl: libcurl-of-nobody.so.4: "), 0U) << text;
  EXPECT_NE(text.find("; install the Debian package libcurl4"), std::string::npos) << text;
}

TEST(CurlLibraryTest, SaysThatALibraryIsNoLibcurl) {
  const auto other = CurlLibrary::open("libz.so.1");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message(),
            "shipping needs a newer libcurl: libz.so.1 has no curl_global_init");
}

TEST(UrlPartsTest, FindsHostAndPort) {
  const struct {
    const char *url, *host, *port, *rest;
  } rows[] = {{"http://a", "a", "80", ""},
              {"https://a/x?y", "a", "443", "/x?y"},
              {"http://a:3100/loki", "a", "3100", "/loki"},
              {"https://[::1]:9200/", "[::1]", "9200", "/"},
              {"https://[::1]/", "[::1]", "443", "/"},
              {"http://u:p@a:1?q", "a", "1", "?q"}};
  for (const auto& row : rows) {
    const UrlParts parts = split_url(row.url);
    EXPECT_EQ(parts.host, row.host) << row.url;
    EXPECT_EQ(parts.port, row.port) << row.url;
    EXPECT_EQ(parts.rest, row.rest) << row.url;
  }
}

}  // namespace
}  // namespace pmx::ship
