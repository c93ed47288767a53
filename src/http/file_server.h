// A site on a listening socket.
//
// Owns:    the connections and, through libmicrohttpd, the socket.
// Thread:  the loop's.
// Bounds:  kMostConnections at a time (more wait in the socket's backlog); a client that neither
//          sends nor takes anything for kPatience is gone; headers of 32 KiB (MHD's own 431);
//          bodies are not read.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "http/options.h"

namespace pmx::http {

inline constexpr unsigned kMostConnections = 1024;
inline constexpr std::chrono::seconds kPatience{30};

// What is said while a site is served; each is one line with its newline.
struct SiteLog {
  enum class Answers : std::uint8_t { kFailures, kAll };  // Failures: 400 and more.
  Answers answers = Answers::kFailures;
  std::function<void(std::string_view)> access;   // access_line.h
  std::function<void(std::string_view)> trouble;  // What is wrong with the folder.
};

class FileServer {
 public:
  static Result<std::unique_ptr<FileServer>> create(EventLoop& loop, const Clock& clock,
                                                    Fd listener, SiteOptions options, SiteLog log);
  virtual ~FileServer() = default;

  // Takes no connection any more, and calls back once what was asked has been answered. Connections
  // that wait for a next request are closed with the server.
  virtual void finish(std::function<void()> done) = 0;
};

}  // namespace pmx::http
