// Asks the daemon: one HTTP request a connection over <home>/pmx.sock.
//
// The keeper holds the listening socket, so that a request that comes while the daemon is being
// restarted waits in the queue instead of being refused.
//
// Owns:    nothing between calls.
// Errors:  kUnavailable when nobody listens and none may be started; kRejected with the daemon's
// own
//          line when it answers with one.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/json.h"
#include "base/result.h"

namespace pmx::cli {

class ApiClient {
 public:
  using Starter = std::function<Result<void>()>;
  // `start` makes somebody listen; it is called at most once a request.
  ApiClient(std::string home, Starter start) : home_(std::move(home)), start_(std::move(start)) {}

  // A connection that breaks is made again: to ask twice does no harm.
  Result<Json> get(std::string_view path);
  // A question that has a body: asked again as get() is, for it changes nothing.
  Result<Json> look_up(std::string_view path, const Json& body);
  // Sent again only while nothing of it can have been read.
  Result<Json> post(std::string_view path, const Json& body);
  bool running() const;  // Somebody listens. Starts nothing.
  // Of the daemon that answered last; "" where none has.
  const std::string& daemon_version() const { return daemon_version_; }

 private:
  enum class Changes : bool { kNothing, kSomething };
  Result<Json> ask(std::string_view method, std::string_view path, const std::string& body,
                   Changes changes);
  Result<Fd> connect();

  std::string home_;
  Starter start_;
  std::string daemon_version_;
};

// Of a response's "Server: pmx/0.1.0"; "" where it has none.
std::string version_of(std::string_view response);

// "HTTP/1.1 200 OK…" to its body. kUnavailable: it was cut off. kRejected: a status of 400 and
// above.
Result<Json> parse_response(std::string_view response);

}  // namespace pmx::cli
