#include "cli/api_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <future>
#include <vector>

#include "base/sys.h"

namespace pmx::cli {
namespace {

// Takes connections one after another and gives each one of `answers`; "" hangs up after the
// request.
class FakeDaemon {
 public:
  explicit FakeDaemon(const std::string& home)
      : socket_(*sys::listen_unix(home + "/pmx.sock", 0600)) {}
  void serve(std::vector<std::string> answers) {
    done_ = std::async(std::launch::async, [this, answers = std::move(answers)] {
      std::vector<std::string> requests;
      for (const std::string& answer : answers) {
        const Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        requests.push_back(read_request(client.get()));
        (void)sys::write_all(client.get(), answer);
      }
      return requests;
    });
  }
  std::vector<std::string> requests() { return done_.get(); }

 private:
  static std::string read_request(int fd) {
    std::string text;
    char chunk[4096];
    while (true) {
      const std::size_t end = text.find("\r\n\r\n");
      const std::size_t length = text.find("Content-Length: ");
      if (end != std::string::npos) {
        std::size_t body = 0;
        if (length != std::string::npos)
          for (std::size_t i = length + 16; text[i] != '\r'; ++i)
            body = body * 10 + static_cast<std::size_t>(text[i] - '0');
        if (text.size() >= end + 4 + body) return text;
      }
      const Result<std::size_t> n = sys::read(fd, chunk);
      if (!n || *n == 0) return text;
      text.append(chunk, *n);
    }
  }
  Fd socket_;
  std::future<std::vector<std::string>> done_;
};

std::string http(const std::string& body, const std::string& status = "200 OK") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

class ApiClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pmx-client-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    home_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(home_); }
  std::string home_;
};

TEST_F(ApiClientTest, SendsARequestAndReadsItsAnswer) {
  FakeDaemon daemon(home_);
  daemon.serve({http(R"({"ids":[1]})")});
  const Result<Json> answer =
      ApiClient(home_, {}).post("/v1/act", Json::object({{"action", "stop"}}));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->dump(), R"({"ids":[1]})");
  const std::string request = daemon.requests().front();
  EXPECT_TRUE(request.starts_with("POST /v1/act HTTP/1.0\r\n")) << request;
  EXPECT_TRUE(request.ends_with("\r\n\r\n{\"action\":\"stop\"}")) << request;
}

TEST_F(ApiClientTest, AsksAgainWhenAGetIsCutOff) {
  FakeDaemon daemon(home_);
  daemon.serve({"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", http("[1]")});
  const Result<Json> answer = ApiClient(home_, {}).get("/v1/list");
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->dump(), "[1]");
  EXPECT_EQ(daemon.requests().size(), 3U);
}

TEST_F(ApiClientTest, AsksAgainWhatOnlyLooks) {
  FakeDaemon daemon(home_);
  daemon.serve({"", http("[1]")});
  const Result<Json> answer =
      ApiClient(home_, {}).look_up("/v1/list/named", Json::object({{"word", "web"}}));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(daemon.requests().size(), 2U);
}

TEST_F(ApiClientTest, DoesNotRepeatAPostThatMayHaveBeenDone) {
  FakeDaemon daemon(home_);
  daemon.serve({""});
  const Result<Json> answer = ApiClient(home_, {}).post("/v1/start", Json::object());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::kUnavailable);
  EXPECT_EQ(daemon.requests().size(), 1U);
}

TEST_F(ApiClientTest, GivesTheDaemonsOwnLineAsTheError) {
  FakeDaemon daemon(home_);
  daemon.serve({http(R"({"error":"99 : id unknown"})", "404 Not Found")});
  const Result<Json> answer = ApiClient(home_, {}).get("/v1/list");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message(), "99 : id unknown");
  EXPECT_EQ(answer.error().code(), Errc::kNotFound);
}

TEST_F(ApiClientTest, StartsADaemonOnceWhereNobodyListens) {
  std::unique_ptr<FakeDaemon> daemon;
  int starts = 0;
  ApiClient client(home_, [&]() -> Result<void> {
    ++starts;
    daemon = std::make_unique<FakeDaemon>(home_);
    daemon->serve({http("[]")});
    return {};
  });
  EXPECT_FALSE(client.running());
  EXPECT_TRUE(client.get("/v1/list"));
  EXPECT_EQ(starts, 1);
}

TEST_F(ApiClientTest, SaysThatNobodyIsThereWhereNoneMayBeStarted) {
  const Result<Json> answer = ApiClient(home_, {}).get("/v1/list");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message(), "no daemon runs in " + home_);
}

TEST(ParseResponseTest, AcceptsNothingThatWasCut) {
  const std::string whole = http(R"({"a":1})");
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const Result<Json> answer = parse_response(std::string_view(whole).substr(0, cut));
    ASSERT_FALSE(answer) << cut;
    EXPECT_EQ(answer.error().code(), Errc::kUnavailable) << cut;
  }
  EXPECT_TRUE(parse_response(whole));
}

TEST(ParseResponseTest, RefusesWhatIsNoHttp) {
  EXPECT_EQ(parse_response("hello\r\n\r\n").error().code(), Errc::kCorrupt);
  EXPECT_EQ(parse_response(http("<html>")).error().code(), Errc::kCorrupt);
  EXPECT_EQ(parse_response(http("<html>", "500 Oops")).error().message(),
            "the daemon answered with status 500");
}

}  // namespace
}  // namespace pmx::cli
