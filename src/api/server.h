// HTTP over the home's Unix socket.
//
// Owns:       the HTTP connections; the listening socket is the keeper's, this is one more
//             duplicate.
// Thread:     control, in the event loop: http/mhd_loop.h.
// Invariants: each request gets one answer, also one that comes late (the connection is suspended
//             for so long); only root and our own user get any (SO_PEERCRED).
// Bounds:     kMaxConnections at a time (more wait in the socket's backlog), bodies of
//             kMaxBodyBytes (413), kIdleTimeout for a client that says nothing.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/result.h"

namespace pmx::api {

inline constexpr unsigned kMaxConnections = 256;
inline constexpr std::size_t kMaxBodyBytes = 16U << 20U;
inline constexpr std::chrono::seconds kIdleTimeout{60};

struct Request {
  std::string method;  // "GET", "POST"
  std::string path;    // Without a query.
  std::string body;
};

struct Response {
  int status = 200;
  Json body;
  std::function<void()> when_sent = nullptr;  // After the answer has gone, or its client has.
};
Response error_response(int status, std::string line);
int status_of(const Error& error);  // 400, 404, 409 or 500.

class Server {
 public:
  using Respond = std::function<void(Response)>;
  // May keep `respond` and call it later, once, from the control thread.
  using Handler = std::function<void(const Request&, Respond respond)>;

  static Result<std::unique_ptr<Server>> create(EventLoop& loop, Fd listener, Handler handler);
  virtual ~Server() = default;  // Answers what is open with 503 and closes the connections.
};

}  // namespace pmx::api
