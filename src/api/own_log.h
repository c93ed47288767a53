// <home>/pmx.log: what the daemon did and what went wrong, one line each. spdlog behind it is
// included by own_log.cpp alone.
//
// Thread:  any.
// Errors:  a log that cannot be written stops nothing; the line goes to stderr instead.
// Bounds:  two files of kOwnLogBytes.
#pragma once

#include <memory>
#include <string>

namespace pmx::api {

inline constexpr std::size_t kOwnLogBytes = 10U << 20U;

class OwnLog {
 public:
  virtual ~OwnLog() = default;
  virtual void line(const std::string& text) = 0;  // "2026-11-23T10:00:00: PMX log: <text>"
  // Never nullptr: without the file it is stderr alone.
  static std::unique_ptr<OwnLog> open(const std::string& path);
};

}  // namespace pmx::api
