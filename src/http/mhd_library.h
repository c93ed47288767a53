// libmicrohttpd, opened at run time as libcurl is (docs/DECISIONS.md, 7): with the GnuTLS behind it,
// it is 3.6 of the 8 ms that a command takes to start, and only daemons and file servers serve. Who
// uses it writes http.run() for MHD_run().
//
// It is never closed again.
#pragma once

#include <microhttpd.h>

#include "base/result.h"

namespace pmx::http {

// clang-format off
#define PMX_MHD_FUNCTIONS(X) \
  X(start_daemon) X(stop_daemon) X(quiesce_daemon) X(run) X(get_timeout) X(get_daemon_info) \
  X(get_connection_info) X(suspend_connection) X(resume_connection) X(queue_response) \
  X(create_response_from_buffer) X(create_response_from_fd_at_offset64) X(add_response_header) \
  X(destroy_response) X(lookup_connection_value)
// clang-format on

struct MhdLibrary {
  // kNotFound: it is not installed, or is another one; the message says which package is missing.
  static Result<MhdLibrary> open(const char* file = "libmicrohttpd.so.12");

#define PMX_MHD_POINTER(name) decltype(&::MHD_##name) name = nullptr;
  PMX_MHD_FUNCTIONS(PMX_MHD_POINTER)
#undef PMX_MHD_POINTER
};

}  // namespace pmx::http
