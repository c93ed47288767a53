// The network: HttpTransport over libcurl, on an event loop. Connections are kept and used again,
// HTTP/2 is taken where a TLS server offers it, proxies are taken from the environment as curl does
// (https_proxy, http_proxy, no_proxy). Redirects are not followed: a store that moved is an answer
// for people to read, and its credentials are not for others.
//
// TLS:     tls.ca_file replaces the machine's authorities; tls.ca_fingerprint replaces both, see
//          internal/pinned_certificate.cpp; tls.server_name is asked for and checked instead of
//          the URL's host (SNI, Host, and what no_proxy is compared with), which is still
//          connected to; tls.insecure checks nothing.
// Owns:    libcurl's handles and sockets, requests that are not answered. Not the loop.
// Thread:  ship, the loop's; from within its callbacks or before it runs. SIGPIPE must be ignored
//          in the process: OpenSSL writes without MSG_NOSIGNAL.
// Bounds:  answers are cut at kMaxAnswerBytes; a connection is made in 10 s; a Retry-After of more
//          than an hour is an hour (a clock may be wrong). How many requests there are is the
//          caller's business.
// Errors:  all in HttpAnswer::error. `sent` is about the body: without a byte of it no store takes
//          a line. Nothing that may have been taken is sent twice from here.
#pragma once

#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"
#include "model/sink_spec.h"
#include "ship/http_transport.h"

namespace pmx::ship {

class CurlTransport final : public HttpTransport {
 public:
  // kNotFound: libcurl is not installed. kInvalidArgument: tls.ca_fingerprint is none. Files are
  // read when a connection is made: one that is missing is that request's error.
  static Result<std::unique_ptr<CurlTransport>> create(EventLoop& loop, const SinkTls& tls,
                                                       std::string user_agent);
  ~CurlTransport() override;  // Cancels all. Not from within a `done`.

  Id send(HttpRequest request, Done done) override;
  void cancel(Id id) override;

 private:
  class Impl;
  explicit CurlTransport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pmx::ship
