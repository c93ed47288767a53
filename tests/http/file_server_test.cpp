#include "http/file_server.h"

#include <gtest/gtest.h>

#include "base/sys.h"
#include "http/folder_fixture.h"

namespace pmx::http {
namespace {

// One connection that says exactly the bytes of a test, and serves the loop while it waits.
class Client {
 public:
  Client(EventLoop& loop, const std::string& path) : loop_(loop) {
    auto socket = sys::connect_unix(path);
    if (socket) socket_ = std::move(*socket);
    if (socket_) (void)sys::set_nonblocking(socket_.get(), true);
  }
  bool connected() const { return static_cast<bool>(socket_); }
  void send(std::string bytes) {
    while (!bytes.empty()) {
      const auto sent = sys::send_bytes(socket_.get(), bytes);
      if (!sent && !retryable(sent.error())) return;
      if (sent) bytes.erase(0, *sent);
      serve();
    }
  }
  void get(const std::string& target, const std::string& headers = "") {
    send("GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n");
  }
  // What has come until `enough` is in it, or until the server has closed the connection.
  std::string read_until(const std::string& enough) {
    for (int round = 0; round < 5000 && read_.find(enough) == std::string::npos; ++round) {
      char piece[65536];
      const auto got = sys::receive(socket_.get(), piece);
      if (got && *got == 0) break;
      if (got)
        read_.append(piece, *got);
      else if (!retryable(got.error()))
        break;
      else
        serve();
    }
    return std::exchange(read_, "");
  }
  std::string read_to_end() { return read_until(std::string(1, '\xff') + "never"); }
  void serve() {
    loop_.call_after(std::chrono::milliseconds(2), [this] { loop_.stop(); });
    loop_.run();
  }

 private:
  EventLoop& loop_;
  Fd socket_;
  std::string read_;
};

class FileServerTest : public test::FolderTest {
 protected:
  FileServerTest() : loop_(std::move(*EventLoop::create())) {
    file("index.html", "<home>");
    file("big.bin", std::string(3 << 20U, 'b') + "END");
    options_.folder = folder_;
    begin();
  }
  void begin(SiteLog::Answers answers = SiteLog::Answers::kFailures) {
    server_.reset();
    SiteLog log;
    log.answers = answers;
    log.access = [this](std::string_view line) { lines_ += line; };
    log.trouble = [this](std::string_view line) { trouble_ += line; };
    auto listener = sys::listen_unix(root_ + "/socket", 0600);
    ASSERT_TRUE(listener);
    auto server = FileServer::create(*loop_, clock_, std::move(*listener), options_, log);
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
  }
  Client client() { return {*loop_, root_ + "/socket"}; }
  // All that is said to one request on a connection of its own.
  std::string said_to(const std::string& request) {
    Client one = client();
    one.send(request);
    return one.read_to_end();
  }
  std::string closing(const std::string& method, const std::string& target,
                      const std::string& headers = "") {
    return said_to(method + " " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" +
                   headers + "\r\n");
  }
  bool finished_ = false;

  RealClock clock_;
  std::unique_ptr<EventLoop> loop_;
  SiteOptions options_;
  std::string lines_, trouble_;
  std::unique_ptr<FileServer> server_;
};

TEST_F(FileServerTest, AnswersOnAConnectionThatStaysOpen) {
  Client one = client();
  for (int i = 0; i < 3; ++i) {
    one.get("/");
    const std::string answer = one.read_until("<home>");
    EXPECT_EQ(answer.find("HTTP/1.1 200 OK\r\n"), 0U) << answer;
    EXPECT_NE(answer.find("Content-Length: 6\r\n"), std::string::npos);
    EXPECT_NE(answer.find("X-Content-Type-Options: nosniff\r\n"), std::string::npos);
  }
  EXPECT_EQ(lines_, "");
}

TEST_F(FileServerTest, SendsBigFilesAndPartsOfThem) {
  const std::string whole = closing("GET", "/big.bin");
  EXPECT_EQ(whole.size() - whole.find("\r\n\r\n") - 4, (3U << 20U) + 3);
  EXPECT_TRUE(whole.ends_with("bEND"));
  const std::string part = closing("GET", "/big.bin", "Range: bytes=3145727-\r\n");
  EXPECT_EQ(part.find("HTTP/1.1 206 "), 0U);
  EXPECT_TRUE(part.ends_with("\r\n\r\nbEND"));
}

TEST_F(FileServerTest, HeadAnd304HaveNoBody) {
  const std::string head = closing("HEAD", "/big.bin");
  EXPECT_NE(head.find("Content-Length: 3145731\r\n"), std::string::npos) << head;
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  const std::string same = closing("GET", "/", "If-None-Match: *\r\n");
  EXPECT_EQ(same.find("HTTP/1.1 304 "), 0U) << same;
  EXPECT_TRUE(same.ends_with("\r\n\r\n"));
  EXPECT_NE(same.find("ETag: "), std::string::npos);
  EXPECT_EQ(same.find("Content-Length: 0\r\n"), std::string::npos);  // RFC 9110, 8.6.
}

TEST_F(FileServerTest, AnEmptyFileIsNoTrouble) {
  file("empty.txt", "");
  const std::string answer = closing("GET", "/empty.txt");
  EXPECT_EQ(answer.find("HTTP/1.1 200 "), 0U);
  EXPECT_NE(answer.find("Content-Length: 0\r\n"), std::string::npos);
}

TEST_F(FileServerTest, TheTargetIsDecodedOnlyHere) {
  file("a%20b.txt", "literal");
  file("a b.txt", "space");
  EXPECT_TRUE(closing("GET", "/a%20b.txt").ends_with("space"));
  EXPECT_TRUE(closing("GET", "/a%2520b.txt").ends_with("literal"));
  EXPECT_EQ(closing("GET", "/%252e%252e/secret.txt").find("HTTP/1.1 404 "), 0U);
  EXPECT_EQ(closing("GET", "/..%2f..%2f/secret.txt").find("HTTP/1.1 404 "), 0U);
  EXPECT_EQ(closing("GET", "/%2e%2e/secret.txt").find("HTTP/1.1 400 "), 0U);
}

TEST_F(FileServerTest, ABodyIsNotWaitedForAndNotRead) {
  const std::string answer =
      said_to("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000\r\n\r\nabc");
  EXPECT_EQ(answer.find("HTTP/1.1 405 "), 0U) << answer;
  const std::string get =
      said_to("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000\r\n\r\nabc");
  EXPECT_EQ(get, "");  // Closed.
  EXPECT_TRUE(closing("GET", "/").ends_with("<home>"));
}

TEST_F(FileServerTest, FailuresAreLinesOfAnAccessLog) {
  closing("GET", "/none", "User-Agent: curl\r\n");
  EXPECT_NE(lines_.find("] \"GET /none HTTP/1.1\" 404 14 \"-\" \"curl\"\n"), std::string::npos)
      << lines_;
  lines_.clear();
  begin(SiteLog::Answers::kAll);
  closing("HEAD", "/");
  EXPECT_NE(lines_.find("\"HEAD / HTTP/1.1\" 200 0 "), std::string::npos) << lines_;
}

TEST_F(FileServerTest, WhatIsWrongWithTheFolderIsSaid) {
  link("out", "../secret.txt");
  EXPECT_EQ(closing("GET", "/out").find("HTTP/1.1 404 "), 0U);
  EXPECT_EQ(trouble_, "out: a link leads out\n");
}

TEST_F(FileServerTest, FinishingAnswersWhatWasAskedAndTakesNoMore) {
  Client slow = client(), idle = client();
  idle.get("/");
  EXPECT_TRUE(idle.read_until("<home>").ends_with("<home>"));
  slow.get("/big.bin");  // More than the socket holds: it is not over yet.
  server_->finish([this] { finished_ = true; });
  EXPECT_FALSE(finished_);
  EXPECT_FALSE(client().connected());
  EXPECT_TRUE(slow.read_until("END").ends_with("END"));
  for (int i = 0; i < 100 && !finished_; ++i) slow.serve();
  EXPECT_TRUE(finished_);
  server_.reset();
  EXPECT_EQ(idle.read_to_end(), "");
}

TEST_F(FileServerTest, FinishingWithNothingToDoIsDoneAtOnce) {
  Client half = client();
  half.send("GET / HT");
  server_->finish([this] { finished_ = true; });
  EXPECT_TRUE(finished_);
}

TEST_F(FileServerTest, EveryRequestThatBeganIsOverInTheEnd) {
  for (const char* const request : {"GET / HTTP/1.1\r\nno colon\r\n\r\n", "\x01\x02\r\n\r\n",
                                    "GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
    Client one = client();
    one.send(request);
    one.serve();
  }
  said_to("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  client().get("/big.bin");  // And gone.
  for (int i = 0; i < 5; ++i) client().serve();
  server_->finish([this] { finished_ = true; });
  for (int i = 0; i < 100 && !finished_; ++i) client().serve();
  EXPECT_TRUE(finished_);
}

TEST_F(FileServerTest, AnIdleServerWakesNobody) {
  EXPECT_TRUE(closing("GET", "/").ends_with("<home>"));
  client().serve();
  client().serve();
  const auto before = loop_->wakeups();
  loop_->call_after(std::chrono::milliseconds(50), [this] { loop_->stop(); });
  loop_->run();
  EXPECT_LE(loop_->wakeups() - before, 3U);  // This test's own timer and stop.
}

}  // namespace
}  // namespace pmx::http
