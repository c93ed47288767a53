// A client that says exactly the bytes that a test wants, and serves the event loop while it waits.
#pragma once

#include <chrono>
#include <string>

#include "base/event_loop.h"
#include "base/sys.h"

namespace pmx::test {

struct RawAnswer {
  int status = 0;  // 0: the connection was closed without one.
  std::string body;
};

inline std::string raw_request(const std::string& method, const std::string& path,
                               const std::string& body = {}) {
  return method + " " + path +
         " HTTP/1.1\r\nHost: pmx\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

// One connection. The loop serves in between: nothing here waits without it.
class RawClient {
 public:
  RawClient(EventLoop& loop, const std::string& socket_path) : loop_(loop) {
    auto connected = sys::connect_unix(socket_path);
    if (!connected) return;
    socket_ = std::move(*connected);
    (void)sys::set_nonblocking(socket_.get(), true);
  }
  bool connected() const { return static_cast<bool>(socket_); }
  void send(std::string bytes) {
    while (!bytes.empty()) {
      const auto sent = sys::write(socket_.get(), bytes);
      if (sent) bytes.erase(0, *sent);
      if (!sent && !retryable(sent.error())) return;
      serve();
    }
  }
  RawAnswer answer() {
    for (int round = 0; round < 10'000; ++round) {
      char piece[65536];
      const auto got = sys::read(socket_.get(), piece);
      if (got && *got == 0) return {};
      if (got) read_.append(piece, *got);
      const RawAnswer whole = parse();
      if (whole.status != 0) return whole;
      serve();
    }
    return {};
  }
  RawAnswer ask(const std::string& method, const std::string& path, const std::string& body = {}) {
    send(raw_request(method, path, body));
    return answer();
  }
  bool answered_already() { return parse().status != 0; }
  void hang_up() { socket_.reset(); }
  // One round of the loop, and at most a few milliseconds of it.
  void serve() {
    loop_.call_after(std::chrono::milliseconds(2), [this] { loop_.stop(); });
    loop_.run();
  }

 private:
  RawAnswer parse() {
    const std::size_t head = read_.find("\r\n\r\n");
    if (head == std::string::npos) return {};
    const std::size_t length_at = read_.find("Content-Length: ");
    if (length_at == std::string::npos || length_at > head) return {};
    const std::size_t digits = length_at + 16;
    std::size_t length = 0;
    for (std::size_t i = digits; read_[i] >= '0' && read_[i] <= '9'; ++i)
      length = length * 10 + static_cast<std::size_t>(read_[i] - '0');
    if (read_.size() < head + 4 + length) return {};
    RawAnswer whole;
    for (std::size_t i = 9; i < 12; ++i) whole.status = whole.status * 10 + (read_[i] - '0');
    whole.body = read_.substr(head + 4, length);
    read_.erase(0, head + 4 + length);
    return whole;
  }
  EventLoop& loop_;
  Fd socket_;
  std::string read_;
};

}  // namespace pmx::test
