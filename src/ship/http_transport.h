// The seam between the shipping engine and the network: one real implementation (curl_transport.h),
// one fake (tests/support/fake_store.h).
//
// Thread: ship. `done` is called on it, later, never from within send().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/sink_spec.h"

namespace pmx::ship {

struct HttpRequest {
  std::string method = "POST";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{30'000};
};

struct HttpAnswer {
  int status = 0;    // 0: there was none.
  std::string body;  // Decoded; at most kMaxAnswerBytes, cut there.
  std::optional<std::chrono::milliseconds> retry_after;
  std::string error;  // status 0: what went wrong, one line: "connect 127.0.0.1:3100: refused".
  bool sent = false;  // status 0: some of the request had left; the store may have taken it.
};
inline constexpr std::size_t kMaxAnswerBytes = 16U << 20U;

class HttpTransport {
 public:
  using Id = std::uint64_t;
  using Done = std::function<void(HttpAnswer)>;
  virtual ~HttpTransport() = default;
  virtual Id send(HttpRequest request, Done done) = 0;
  virtual void cancel(Id id) = 0;  // `done` will not be called. Unknown ids are fine.
};

}  // namespace pmx::ship
