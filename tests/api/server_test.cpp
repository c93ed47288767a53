#include "api/server.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <vector>

#include "api/http_client.h"
#include "api/internal/http_library.h"

namespace pmx::api {
namespace {

using test::RawAnswer;
using test::RawClient;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : loop_(std::move(*EventLoop::create())) {
    char path[] = "/tmp/pmx-server-XXXXXX";
    directory_ = ::mkdtemp(path);
    path_ = directory_ + "/pmx.sock";
    listener_ = std::move(*sys::listen_unix(path_, 0600));
    begin();
  }
  ~ServerTest() override {
    server_.reset();
    std::filesystem::remove_all(directory_);
  }
  void begin() {
    auto server = Server::create(*loop_, std::move(*sys::duplicate(listener_.get())),
                                 [this](const Request& request, const Server::Respond& respond) {
                                   seen_.push_back(request);
                                   if (request.path == "/later") {
                                     waiting_.push_back(respond);
                                     return;
                                   }
                                   respond({200, Json::object({{"bytes", request.body.size()}})});
                                 });
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
  }
  std::unique_ptr<RawClient> client() { return std::make_unique<RawClient>(*loop_, path_); }

  std::unique_ptr<EventLoop> loop_;
  std::string directory_, path_;
  Fd listener_;
  std::unique_ptr<Server> server_;
  std::vector<Request> seen_;
  std::vector<Server::Respond> waiting_;
};

TEST_F(ServerTest, AnswersOnAConnectionThatStaysOpen) {
  const auto one = client();
  EXPECT_EQ(one->ask("GET", "/a").body, "{\"bytes\":0}");
  EXPECT_EQ(one->ask("POST", "/b", "xyz").body, "{\"bytes\":3}");
  ASSERT_EQ(seen_.size(), 2U);
  EXPECT_EQ(seen_[1].method, "POST");
  EXPECT_EQ(seen_[1].path, "/b");
  EXPECT_EQ(seen_[1].body, "xyz");
}

TEST_F(ServerTest, TakesARequestThatComesByteByByte) {
  const auto one = client();
  for (const char c : test::raw_request("POST", "/b", "{}")) one->send(std::string(1, c));
  EXPECT_EQ(one->answer().body, "{\"bytes\":2}");
}

TEST_F(ServerTest, ALateAnswerKeepsNobodyElseWaiting) {
  const auto slow = client(), fast = client();
  slow->send(test::raw_request("POST", "/later", "{}"));
  EXPECT_EQ(fast->ask("GET", "/a").status, 200);
  ASSERT_EQ(waiting_.size(), 1U);
  EXPECT_FALSE(slow->answered_already());
  waiting_[0]({409, Json::object({{"error", "late"}})});
  const RawAnswer answer = slow->answer();
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.body, "{\"error\":\"late\"}");
  EXPECT_EQ(slow->ask("GET", "/a").status, 200);
}

TEST_F(ServerTest, AClientThatHangsUpWhileItWaitsIsNoTrouble) {
  const auto slow = client();
  slow->send(test::raw_request("POST", "/later"));
  while (waiting_.empty()) slow->serve();
  slow->hang_up();
  waiting_[0]({200, Json::object()});
  EXPECT_EQ(client()->ask("GET", "/a").status, 200);
}

TEST_F(ServerTest, SaysWhenTheAnswerHasGone) {
  bool gone = false;
  const auto one = client();
  one->send(test::raw_request("POST", "/later"));
  while (waiting_.empty()) one->serve();
  waiting_[0]({200, Json::object(), [&gone] { gone = true; }});
  EXPECT_FALSE(gone);
  EXPECT_EQ(one->answer().status, 200);
  for (int i = 0; i < 100 && !gone; ++i) one->serve();
  EXPECT_TRUE(gone);
}

TEST_F(ServerTest, ABodyAboveTheBoundIsRefusedAndNotKept) {
  const auto one = client();
  EXPECT_EQ(one->ask("POST", "/b", std::string(kMaxBodyBytes + 1, 'x')).status, 413);
  EXPECT_TRUE(seen_.empty());
}

TEST_F(ServerTest, EndingAnswersWhoStillWaits) {
  const auto slow = client();
  slow->send(test::raw_request("POST", "/later"));
  while (waiting_.empty()) slow->serve();
  server_.reset();
  EXPECT_EQ(slow->answer().status, 503);
  waiting_[0]({200, Json::object()});  // Too late, and harmless.
}

TEST_F(ServerTest, TheSocketOutlivesTheServer) {
  server_.reset();
  const auto early = client();  // Waits in the backlog while no daemon lives.
  ASSERT_TRUE(early->connected());
  begin();
  EXPECT_EQ(early->ask("GET", "/a").status, 200);
}

TEST_F(ServerTest, GarbageClosesTheConnectionAndNothingElse) {
  const auto bad = client();
  bad->send("\x01\x02 not http\r\n\r\n");
  (void)bad->answer();
  EXPECT_EQ(client()->ask("GET", "/a").status, 200);
  EXPECT_EQ(seen_.size(), 1U);
}

TEST_F(ServerTest, AnIdleServerWakesNobody) {
  EXPECT_EQ(client()->ask("GET", "/a").status, 200);
  client()->serve();
  client()->serve();
  const auto before = loop_->wakeups();
  loop_->call_after(std::chrono::milliseconds(50), [this] { loop_->stop(); });
  loop_->run();
  EXPECT_LE(loop_->wakeups() - before, 3U);  // This test's own timer and stop.
}

TEST(StatusTest, FollowsFromWhatTheCallerCanDo) {
  EXPECT_EQ(status_of(invalid("")), 400);
  EXPECT_EQ(status_of({Errc::kNotFound, ""}), 404);
  EXPECT_EQ(status_of({Errc::kExists, ""}), 409);
  EXPECT_EQ(status_of({Errc::kIo, ""}), 500);
}

TEST(HttpLibraryTest, SaysWhichPackageIsMissing) {
  const auto missing = api::HttpLibrary::open("libmicrohttpd.so.none");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("libmicrohttpd12"), std::string::npos);
  const auto another = api::HttpLibrary::open("libc.so.6");
  ASSERT_FALSE(another);
  EXPECT_NE(another.error().message().find("MHD_start_daemon"), std::string::npos);
}

}  // namespace
}  // namespace pmx::api
