// A CurlTransport with a loop of its own, asked one request at a time.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <utility>

#include "ship/curl_transport.h"

namespace pmx::test {

class TransportClient {
 public:
  explicit TransportClient(const SinkTls& tls = {})
      : loop_(std::move(EventLoop::create().value())) {
    ::signal(SIGPIPE, SIG_IGN);  // As the daemon does.
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                             "no_proxy", "NO_PROXY"})
      ::unsetenv(name);
    auto made = ship::CurlTransport::create(*loop_, tls, "pmx/test");
    EXPECT_TRUE(made) << made.error().message();
    if (made) transport_ = std::move(made).value();
  }

  static ship::HttpRequest to(std::string url, std::string body = "line\n") {
    ship::HttpRequest request;
    request.url = std::move(url);
    request.body = std::move(body);
    return request;
  }
  ship::HttpAnswer ask(ship::HttpRequest request) {
    ship::HttpAnswer got;
    transport_->send(std::move(request), [this, &got](ship::HttpAnswer answer) {
      got = std::move(answer);
      loop_->stop();
    });
    loop_->run();
    return got;
  }
  ship::HttpAnswer post(std::string url, std::string body = "line\n") {
    return ask(to(std::move(url), std::move(body)));
  }

  EventLoop& loop() { return *loop_; }
  ship::CurlTransport& transport() { return *transport_; }
  void destroy_transport() { transport_.reset(); }

 private:
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ship::CurlTransport> transport_;
};

}  // namespace pmx::test
