// One line of an access log, as Apache and nginx write it (the "combined" format), so that every
// tool that reads theirs reads ours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pmx::http {

struct Access {
  std::string_view client;  // Address.
  std::string_view user;    // Of Basic authentication; "": none.
  std::int64_t time_ns = 0;
  std::string_view method, target, version;
  int status = 0;
  std::uint64_t size_bytes = 0;
  std::string_view referer, user_agent;
};

// With its newline. What could pretend to be another field or line is written as \xNN.
std::string access_line(const Access& access);

}  // namespace pmx::http
