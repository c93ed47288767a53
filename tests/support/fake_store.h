// A store for tests of the engine, without a network. It answers what the test has scripted:
//
//   store.answer(status(429, "slow down")).then(ok()).then(no_answer("reset", Sent::kYes));
//
// Requests take answers in the order in which they were sent, when run_pending() is called; one for
// whom nothing is left gets what otherwise() says (204). Nothing happens but in run_pending(): a
// test that does not call it has a store that has received nothing yet.
//
// Injects: any status with any body (429, 5xx, 401, 413, 260, partial refusals of a bulk answer,
//          garbage) and Retry-After; no answer at all, with the request sent or not (refused,
//          reset, timed out); slow: held until release(), or for a time by a clock's timers;
//          answers that come in another order than the requests.
// Never:   calls `done` from within send() or cancel(), calls it twice or after cancel(), loses a
//          request that it does not know of, or changes what it received.
//
// Owns:    what it has received. Thread: one.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ship/http_transport.h"
#include "base/timers.h"

namespace pmx::test {

enum class Sent { kNo, kYes };

struct StoreReply {
  ship::HttpAnswer answer;
  bool held = false;                  // Until release().
  std::chrono::nanoseconds delay{0};  // By the timers given to use_timers().
  StoreReply retry_after(std::chrono::milliseconds wait) &&;
  StoreReply slow() &&;
  StoreReply after(std::chrono::nanoseconds wait) &&;
};
StoreReply ok();  // 204 without a body.
StoreReply status(int code, std::string body = "");
StoreReply no_answer(std::string error, Sent sent);

class FakeStore final : public ship::HttpTransport {
 public:
  struct Received {
    std::string method, url;
    std::map<std::string, std::string> headers;  // Names as they were given.
    std::string body;                            // Decoded: gzip, zstd, snappy.
    std::string raw_body;                        // As it was sent.
    std::chrono::milliseconds timeout{0};
    int status = 0;  // What it was answered; 0: nothing, or not yet.
  };
  // Makes up an answer from what was received: a store with a memory of its own.
  using Script = std::function<StoreReply(const Received&)>;

  // The script. Each call adds one answer behind those that are still to be given.
  FakeStore& answer(StoreReply reply);
  FakeStore& then(StoreReply reply) { return answer(std::move(reply)); }
  FakeStore& times(unsigned count);        // The last one so often in all.
  FakeStore& otherwise(StoreReply reply);  // Where the script has ended. Begins as ok().
  FakeStore& otherwise(Script script);
  void use_timers(Timers& timers) { timers_ = &timers; }

  // Receives what was sent, and calls `done` for what is ready, until nothing is. True: there was
  // something to do.
  bool run_pending();
  void release();                           // What is held becomes ready, in order.
  void release_one(std::size_t index = 0);  // Of those held, by the order in which they came.

  std::size_t unseen() const { return sent_.size(); }  // Sent, not yet received.
  std::size_t in_flight() const;                       // All that `done` is owed.
  std::size_t held() const;                            // Waiting for release() or a timer.
  const std::deque<Received>& received() const { return received_; }
  std::vector<std::string> bodies() const;  // Decoded ones, in order.
  const Received& last() const;
  void forget();  // What was received so far.

  Id send(ship::HttpRequest request, Done done) override;
  void cancel(Id id) override;

 private:
  struct Pending {
    Id id = 0;
    Done done;
    ship::HttpRequest request;  // Until it is received.
    ship::HttpAnswer answer;
    bool held = false;
  };
  StoreReply next_reply(const Received& request);
  void receive(Pending pending);
  void make_ready(Id id);

  std::deque<StoreReply> script_;
  Script otherwise_ = [](const Received&) { return ok(); };
  std::deque<Pending> sent_;     // Not yet received.
  std::deque<Pending> waiting_;  // Held or delayed.
  std::deque<Pending> ready_;
  std::deque<Received> received_;
  Timers* timers_ = nullptr;
  std::map<Id, Timers::Id> delays_;
  Id next_id_ = 1;
};

// The body without its Content-Encoding. One that cannot be decoded is the test's failure.
std::string decoded_body(const ship::HttpRequest& request);

}  // namespace pmx::test
