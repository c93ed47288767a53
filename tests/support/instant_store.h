// A store for whole engines, which have a thread of their own: it answers each request from the
// engine's loop, as a network would, and a test may wait for what it has received.
//
// Injects: any status, for all requests or by a function of the request.
// Never:   calls `done` from within send() or after cancel(); no answer at all (fake_store.h does).
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/event_loop.h"
#include "ship/http_transport.h"

namespace pmx::test {

// What stores received, whichever thread they were on.
struct Received {
  std::mutex mutex;
  std::condition_variable changed;
  std::string all;
  int status = 204;
  std::function<int(const ship::HttpRequest&)> script;  // Or this, where it is set.
  void add(const std::string& body) {
    const std::lock_guard lock(mutex);
    all += body;
    changed.notify_all();
  }
  bool wait_for(const std::string& text) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20),
                            [&] { return all.find(text) != std::string::npos; });
  }
};

// Answers from the loop, as a network would.
class InstantStore final : public ship::HttpTransport {
 public:
  InstantStore(EventLoop& loop, Received& received) : loop_(loop), received_(received) {}
  Id send(ship::HttpRequest request, Done done) override {
    const Id id = ++last_;
    auto open = open_;
    open->insert(id);
    loop_.post([this, open, id, request = std::move(request), done = std::move(done)] {
      if (open->erase(id) == 0) return;
      ship::HttpAnswer answer;
      answer.status = received_.script ? received_.script(request) : received_.status;
      if (answer.status < 300) received_.add(request.body);
      done(answer);
    });
    return id;
  }
  void cancel(Id id) override { open_->erase(id); }

 private:
  EventLoop& loop_;
  Received& received_;
  std::shared_ptr<std::set<Id>> open_ = std::make_shared<std::set<Id>>();
  Id last_ = 0;
};

}  // namespace pmx::test
