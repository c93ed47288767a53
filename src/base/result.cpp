#include "base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace pmx {
namespace {

Errc errc_of(int sys_errno) {
  switch (sys_errno) {
    case EAGAIN:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ECONNREFUSED:
    case ETIMEDOUT:
    case EBUSY:
      return Errc::kUnavailable;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Errc::kNoSpace;
    case ENOENT:
    case ESRCH:
      return Errc::kNotFound;
    case EEXIST:
      return Errc::kExists;
    case EINVAL:
      return Errc::kInvalidArgument;
    default:
      return Errc::kIo;
  }
}

}  // namespace

Error system_error(int sys_errno, std::string_view call, std::string_view object) {
  std::string message(call);
  if (!object.empty()) message.append(" ").append(object);
  char text[128];
  message.append(": ").append(strerror_r(sys_errno, text, sizeof text));
  return {errc_of(sys_errno), std::move(message), sys_errno};
}

void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "pmx: internal error: %s does not hold at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace pmx
