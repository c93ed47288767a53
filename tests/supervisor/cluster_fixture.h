// A cluster on fakes: a keeper in memory, watches and a clock that the test moves, workers that say
// what the test says. The sockets are real, on the loopback interface.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/sys.h"
#include "supervisor/cluster.h"
#include "support/fake_clock.h"
#include "support/fake_keeper_link.h"
#include "support/fake_watches.h"
#include "support/loopback.h"

namespace pmx::test {

using namespace std::chrono_literals;

class ClusterFixture : public testing::Test {
 protected:
  struct Told {
    RunId run;
    Json message;  // Without the wrap that a descriptor needs.
    std::string type;
    Fd fd;
    std::vector<std::string> held;  // By the keeper, at that moment.
  };
  static constexpr RunId kA{2}, kB{4}, kC{6};

  ClusterFixture() { begin(); }

  void begin() {
    cluster_.reset();
    cluster_ = std::make_unique<supervisor::Cluster>(supervisor::Cluster::Parts{
        link_, watches_, clock_, clock_,
        [this](RunId run, std::string_view json, int fd) { return tell(run, json, fd); },
        [this](RunId run, std::string_view json, int fd) { return tell(run, json, fd); },
        [this](RunId run) { listening_.push_back(run); },
        [this](RunId run) { drained_.push_back(run); },
        [this](const std::string& line) { notices_.push_back(line); },
        [this](RunId, const supervisor::Traffic& traffic) { counted_.push_back(traffic); }});
  }
  // As the supervisor does it.
  void next_daemon() {
    cluster_.reset();
    link_.reconnect();
    clock_.advance(1s);
    begin();
    cluster_->recover();
  }
  Result<void> tell(RunId run, std::string_view json, int fd) {
    if (deaf_.contains(run)) return Error(Errc::kUnavailable, "has closed its channel");
    Json message = std::move(Json::parse(json)).value();
    Told told{run, message, message["type"].as_string(), Fd(), link_.names()};
    if (fd >= 0) told.fd = std::move(sys::duplicate(fd)).value();
    EXPECT_EQ(message["cmd"].as_string() == "NODE_HANDLE", fd >= 0) << json;
    if (fd >= 0) told.message = message["msg"];
    told_.push_back(std::move(told));
    return {};
  }

  static AppSpec app(const std::string& balance = "slots") {
    AppSpec spec;
    spec.name = "web";
    spec.balance = balance;
    return spec;
  }
  static supervisor::AppKey app_key() { return supervisor::app_key(app()); }

  // What workers do. Their address is a free port of 127.0.0.1, the same for all.
  void joins(RunId run, std::int64_t instance, const std::string& balance = "slots") {
    cluster_->join(app(balance), run, {instance, cluster_->free_number(app(balance))});
  }
  void says(RunId run, const std::string& act, const std::string& fields, std::int64_t seq) {
    cluster_->said(run, R"({"cmd":"NODE_CLUSTER","act":")" + act + R"(",)" + fields + R"("seq":)" +
                            std::to_string(seq) + "}");
  }
  static std::string tcp(int port, int index = 0, const std::string& data = "null") {
    return R"("address":"127.0.0.1","addressType":4,"flags":0,"port":)" + std::to_string(port) +
           R"(,"index":)" + std::to_string(index) + R"(,"data":)" + data + ",";
  }
  static std::string unix_path(const std::string& path) {
    return R"("address":)" + Json(path).dump() + R"(,"port":-1,"addressType":-1,"data":null,)";
  }
  void asks(RunId run, const std::string& fields = tcp(0), std::int64_t seq = 1) {
    says(run, "queryServer", fields, seq);
  }
  void listens(RunId run, int index = 0) {
    port_ = port_of(last(run).fd.get());
    says(run, "listening", tcp(port_, index), 2);
  }
  void serves(RunId run, std::int64_t instance, const std::string& balance = "slots") {
    joins(run, instance, balance);
    asks(run);
    listens(run);
  }
  void closes(RunId run, const std::string& key) {
    says(run, "close", R"("key":)" + Json(key).dump() + ",", 3);
  }
  void hook_says(RunId run, const std::string& act) {
    cluster_->said(run, R"({"cmd":"NODE_PMX","act":")" + act + R"("})");
  }
  void answers(const Told& given, bool accepted) {
    cluster_->said(given.run, R"({"cmd":"NODE_CLUSTER","ack":)" + given.message["seq"].dump() +
                                  R"(,"accepted":)" + (accepted ? "true" : "false") +
                                  R"(,"seq":9})");
  }

  // What they were told.
  const Told& last(RunId run) const {
    const auto found = std::find_if(told_.rbegin(), told_.rend(),
                                    [run](const Told& told) { return told.run == run; });
    PMX_CHECK(found != told_.rend());
    return *found;
  }
  std::int64_t error_of(RunId run) const { return last(run).message["errno"].as_int(-1); }
  std::string key_of(RunId run) const { return last(run).message["key"].as_string(); }
  std::vector<const Told*> given_to(RunId run) const {
    std::vector<const Told*> all;
    for (const Told& told : told_)
      if (told.run == run && told.message["act"].as_string() == "newconn") all.push_back(&told);
    return all;
  }
  static ino_t socket_number(int fd) {
    struct stat info {};
    EXPECT_EQ(::fstat(fd, &info), 0);
    return info.st_ino;
  }

  // What the keeper holds.
  std::vector<std::string> held(const std::string& prefix) const {
    std::vector<std::string> names;
    for (const std::string& name : link_.names())
      if (name.starts_with(prefix)) names.push_back(name);
    return names;
  }
  // Its duplicates of the sockets, which have the same queues.
  std::vector<Fd> held_sockets() const {
    std::vector<Fd> sockets;
    for (const std::string& name : held("port."))
      sockets.push_back(std::move(link_.get(name)).value());
    return sockets;
  }

  // Clients.
  void clients(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) clients_.push_back(client_of(port_));
  }
  // They wait in the queue of the socket that `run` was given first.
  void clients_wait_at(RunId run, std::uint32_t count) {
    clients(count);
    EXPECT_TRUE(queue_reaches(socket_of(run), count));
  }
  int socket_of(RunId run) const {
    const auto found = std::find_if(told_.begin(), told_.end(), [run](const Told& told) {
      return told.run == run && told.fd && told.message.find("errno") != nullptr;
    });
    PMX_CHECK(found != told_.end());
    return found->fd.get();
  }
  // How many of as many new connections wait at each of these workers'.
  std::vector<std::size_t> spread(std::vector<RunId> runs, std::size_t count) {
    std::vector<Fd> open;
    for (std::size_t i = 0; i < count; ++i) open.push_back(client_of(port_));
    std::vector<int> sockets;
    for (const RunId run : runs) sockets.push_back(socket_of(run));
    return arrivals(sockets, count);
  }
  bool noticed(const std::string& part) const {
    return std::any_of(notices_.begin(), notices_.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
  }

  FakeKeeperLink link_;
  FakeWatches watches_;
  FakeClock clock_;
  std::vector<Told> told_;
  std::vector<RunId> listening_, drained_;
  std::vector<supervisor::Traffic> counted_;
  std::vector<std::string> notices_;
  std::set<RunId> deaf_;  // To whom nothing can be said.
  std::vector<Fd> clients_;
  int port_ = 0;
  std::unique_ptr<supervisor::Cluster> cluster_;
};

}  // namespace pmx::test
