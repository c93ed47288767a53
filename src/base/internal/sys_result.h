// What a system call returned, as a Result.
#pragma once

#include <cerrno>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace pmx::sys::internal {

template <class Call>
auto retry_eintr(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

inline Result<Fd> owned(int fd, std::string_view call, std::string_view object = {}) {
  if (fd < 0) return system_error(errno, call, object);
  return Fd(fd);
}

inline Result<void> done(int result, std::string_view call, std::string_view object = {}) {
  if (result < 0) return system_error(errno, call, object);
  return {};
}

}  // namespace pmx::sys::internal
