// A small real HTTP/1.1 server on 127.0.0.1, for tests of what speaks to a network. One thread of
// its own serves all connections; what it is to answer is scripted:
//
//   FakeHttpServer server;
//   server.answer(WireReply::of(429, "slow down").with("Retry-After", "3")).then(WireReply::reset());
//
// Requests take replies in the order in which they arrive; where the script has ended, 204.
// Connections are kept unless a reply ends them.
//
// Injects: any status, headers and body (also chunked); a body that is cut short; bytes that are no
//          HTTP; a connection that is reset or closed instead of an answer, after the request or
//          before its body was read; an answer before the body was read; no answer for ever.
// Never:   loses a request that it has read whole, answers twice, sleeps, or outlives its object.
//
// Owns:    its socket, thread and connections.
// Thread:  any; what on_request() is given is called on the server's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"

namespace pmx::test {

struct WireReply {
  enum class Kind { kAnswer, kRaw, kReset, kClose, kStall };
  Kind kind = Kind::kAnswer;
  int status = 204;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;           // kRaw: all that is written.
  bool chunked = false;       // Else with a Content-Length.
  bool before_body = false;   // As soon as the request's headers are read; ends the connection.
  bool closes = false;        // The connection, after it.
  std::size_t cut_bytes = 0;  // Missing at the end; the connection is closed.

  static WireReply of(int status, std::string body = "");
  static WireReply raw(std::string bytes);  // And closes.
  static WireReply reset();
  static WireReply close();
  static WireReply stall();  // The connection is left alone from then on.
  WireReply with(std::string name, std::string value) &&;
  WireReply in_chunks() &&;
  WireReply early() &&;
  WireReply closing() &&;
  WireReply cut(std::size_t missing_bytes) &&;
};

class FakeHttpServer {
 public:
  struct Request {
    std::string method, target, version;
    std::map<std::string, std::string> headers;  // Names in lower case.
    std::string body;                            // Without chunks; as it was encoded.
    int connection = 0;                          // Counted from 1.
  };
  // How bytes come and go. Calls block; reads are made when there is something to read.
  class Channel {
   public:
    virtual ~Channel() = default;
    virtual std::size_t read(std::span<char> into) = 0;  // 0: the end, or an error.
    virtual bool has_more() { return false; }            // Bytes that no poll tells of.
    virtual bool write(std::string_view bytes) = 0;
  };
  // nullptr: the handshake failed, and the connection is closed.
  using Open = std::function<std::unique_ptr<Channel>(int fd)>;

  FakeHttpServer();  // Plain.
  explicit FakeHttpServer(Open open);
  ~FakeHttpServer();

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/") const;  // http://127.0.0.1:<port><path>

  FakeHttpServer& answer(WireReply reply);
  FakeHttpServer& then(WireReply reply) { return answer(std::move(reply)); }
  void on_request(std::function<void()> callback);  // Each time one was read whole.

  std::vector<Request> requests() const;
  int connections() const;  // Accepted so far.

 private:
  struct Connection;
  void accept_one();
  void readable(int fd);
  bool serve(Connection& connection);
  bool reply_to(Connection& connection, bool body_is_read);
  void drop(int fd, bool reset);

  const Open open_;
  std::unique_ptr<EventLoop> loop_;
  Fd listener_;
  std::uint16_t port_ = 0;
  std::map<int, std::unique_ptr<Connection>> open_connections_;

  mutable std::mutex mutex_;
  std::deque<WireReply> script_;
  std::vector<Request> requests_;
  std::function<void()> on_request_;
  int connections_ = 0;

  std::thread thread_;
};

}  // namespace pmx::test
